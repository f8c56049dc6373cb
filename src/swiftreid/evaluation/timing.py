"""Times of searches as the papers report them: one query at a time, on one thread, side by side in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

Label = TypeVar("Label")

Search = Callable[[int], object]
"""Answers the query of that number."""

ROUNDS: Final = 7
SECONDS: Final = 0.25
"""Spent on each search, all rounds together, if its queries are quick."""


@contextmanager
def one_thread() -> Iterator[None]:
    """NumPy's matrix products on one thread, whatever library they come from; our kernels take no more unasked."""
    with threadpool_limits(limits=1):
        yield


def time_searches(searches: Mapping[Label, Search], queries: int) -> dict[Label, float]:
    """Microseconds a query of each search: one query at a time, the median of 7 rounds.

    The searches take turns in each round, so that a busy machine disturbs all alike, and go through the queries one
    after the other, so that none is answered from the cache of the same query before.
    """
    if not queries:
        return {}
    taken: dict[Label, list[float]] = {label: [] for label in searches}
    upto = dict.fromkeys(searches, 0)
    with one_thread():
        for search in searches.values():
            search(0)  # warm caches
        for _ in range(ROUNDS):
            for label, search in searches.items():
                done, started = 0, time.perf_counter()
                while True:
                    search((upto[label] + done) % queries)
                    done += 1
                    seconds = time.perf_counter() - started
                    if seconds >= SECONDS / ROUNDS:
                        break
                upto[label] += done
                taken[label].append(seconds / done)
    return {label: 1e6 * float(np.median(rounds)) for label, rounds in taken.items()}
