"""What is measured: something that answers queries with ranked positions, and what it costs to have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ranked = NDArray[np.integer]
"""Positions, best first, [queries, k]; -1 where a row has ended."""


@dataclass
class Contender:
    """Something that answers queries.

    Attributes:
        name: what it is, for tables.
        answer: ranked positions for queries ``first`` to ``first + count``, asked in one call.
        bytes_per_entry: memory that one entry takes.
        batched: whether to measure it on batches too.
        threads: how many threads answer.
        by_id2048: whether it ranks by the 2048-bit code, so that its recall of the exhaustive ranking means something.
        build_seconds: processor seconds, of all threads together, to make the index; None if there is none to make.
        insert: adds one more entry; None if there is no such thing.
    """

    name: str
    answer: Callable[[int, int], Ranked]
    bytes_per_entry: float
    batched: bool = False
    threads: int = 1
    by_id2048: bool = True
    build_seconds: float | None = None
    insert: Callable[[], object] | None = None


@dataclass(frozen=True)
class Missing:
    """A contender that could not be measured, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Offer:
    """Contenders that share what they need: made only when there is room and their package is there.

    Attributes:
        name: what they are, for tables.
        needs: bytes of memory that making them takes.
        make: makes them; raises ImportError when their package is missing.
        slow_to_build: whether a build of more than 2.5 million entries is only made when asked for.
    """

    name: str
    needs: float
    make: Callable[[], list[Contender]]
    slow_to_build: bool = False


def available_bytes() -> int | None:
    """Memory that is free for the taking, in bytes; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
