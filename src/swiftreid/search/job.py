"""What an engine is asked and what it answers: the common ground of the native kernels and the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from swiftreid.search.certified import BitSample
from swiftreid.search.list_groups import TableLists
from swiftreid.search.stages import Stage
from swiftreid.search.table import CodeTable

Order = Literal["search", "gallery", "stages"]

SPARED, MOST_SPARED = 2**16, 2**22
"""Bytes of answers that keep their memory for the next: smaller ones are quick to get, larger ones use huge pages."""


@dataclass(slots=True)  # not frozen: a search makes one, and that takes a while for frozen ones
class Job:
    """A checked request.

    Attributes:
        stages: the cascade.
        rules: the stages' rules for the native kernels.
        table: what is searched.
        lists: the inverted lists that are probed; None if the cascade probes none.
        sample: what a certified stage compares first; None if the cascade has none.
        queries: for each stage, the queries' codes, uint8 [q, row bytes] or float32 [q, size], contiguous.
        weights: for each stage, how much each bit counts, uint8 [q, 8 row bytes], or None where all count as 1.
        live: packed bitmap of the entries that may be found, uint8 [ceil(entries / 8)], or None for all.
        width: columns of the answer: k, or for a full ranking the number of live entries.
        min_candidates: how many entries every stage but the last passes on at least.
        order: ``search`` for the k best, ``gallery`` or ``stages`` for a full ranking with that tie rule.
        threads: how many threads may work.
    """

    stages: tuple[Stage, ...]
    rules: Any
    table: CodeTable
    lists: TableLists | None
    sample: BitSample | None
    queries: list[NDArray[Any]]
    weights: list[NDArray[np.uint8] | None]
    live: NDArray[np.uint8] | None
    width: int
    min_candidates: int
    order: Order
    threads: int


@dataclass(slots=True)
class JobResult:
    """Result arrays, allocated by the caller of an engine and filled by the engine (see `SearchResult`).

    Distances by embedding are stored as the bits of a float32. ``figures`` is float64 [3, stages]: entries in, entries
    kept and seconds of each stage.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.int32]
    stages: NDArray[np.int8]
    counts: NDArray[np.int64]
    figures: NDArray[np.float64]

    @property
    def entries_in(self) -> NDArray[np.float64]:
        """Of each stage; may be written to, as the next two."""
        row: NDArray[np.float64] = self.figures[0]
        return row

    @property
    def entries_kept(self) -> NDArray[np.float64]:
        """Of each stage."""
        row: NDArray[np.float64] = self.figures[1]
        return row

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Of each stage."""
        row: NDArray[np.float64] = self.figures[2]
        return row

    @classmethod
    def empty(cls, job: Job, room: Callable[[int], NDArray[np.uint8]] | None = None) -> JobResult:
        """Room for the job's answer; the engine fills rows to their end.

        Args:
            job: what is asked.
            room: gives so many bytes of memory, for answers so large that fresh memory takes long to get.
        """
        shape, depth = (len(job.queries[0]), job.width), len(job.stages)
        size = 13 * shape[0] * shape[1]
        memory = room(size) if room and SPARED <= size <= MOST_SPARED else None
        return cls(
            np.empty(shape, np.int64) if memory is None else np.ndarray(shape, np.int64, memory),
            np.empty(shape, np.int32) if memory is None else np.ndarray(shape, np.int32, memory, size // 13 * 8),
            np.empty(shape, np.int8) if memory is None else np.ndarray(shape, np.int8, memory, size // 13 * 12),
            np.zeros(shape[0], np.int64),
            np.zeros((3, depth)),
        )
