"""Full coarse-to-fine rankings three ways: our engine, vectorised NumPy, and the paper's loops written in Python."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.bench.arrays import words_of
from swiftreid.bench.codes import SyntheticCodes
from swiftreid.bench.ours import CTF
from swiftreid.search.cascade import Cascade

_TURNS = 5


def numpy_ranking(data: SyntheticCodes, query: int, cascade: Cascade) -> NDArray[np.int64]:
    """Vectorised NumPy: distances of what is left at every stage, a stable argsort of those that stop; int64 [entries].

    Distances of 32-bit codes stay bytes, which NumPy sorts by counting.
    """
    left: NDArray[np.int64] | None = None  # all
    stopped: list[NDArray[np.int64]] = []
    for stage in cascade.stages:
        rows, query_words = words_of(data.table.column(stage.code)[0]), words_of(data.queries[stage.code][query])
        differ = (rows if left is None else rows[left]) ^ query_words
        counts = np.bitwise_count(differ)
        distances = counts[:, 0] if counts.shape[1] == 1 else counts.sum(axis=1, dtype=np.uint16)
        going = distances <= (-1 if stage.threshold is None else stage.threshold)
        stop = np.flatnonzero(~going)
        order = stop[np.argsort(distances[stop], kind="stable")]
        stopped.append(order if left is None else left[order])
        left = np.flatnonzero(going) if left is None else left[going]
    return np.concatenate(stopped[::-1])


def loop_ranking(gallery: Sequence[Sequence[int]], query: Sequence[int], thresholds: Sequence[int]) -> list[int]:
    """The search of the paper as its text has it, entry by entry in Python.

    Rank all entries by the shortest code; those within its threshold are ranked again by the next code, and so on.

    Args:
        gallery: for each code, shortest first, every entry's bits as a whole number.
        query: the query's bits, code by code.
        thresholds: one for every code but the last.

    Returns:
        Positions: entries that were refined furthest first, in the order of their last stage.
    """
    candidates = list(range(len(gallery[0])))
    ranking: list[int] = []
    for stage, codes in enumerate(gallery):
        ranked = []
        for entry in candidates:
            distance = (codes[entry] ^ query[stage]).bit_count()
            ranked.append((distance, entry))
        ranked.sort()
        candidates = []
        rest = []
        for distance, entry in ranked:
            if stage < len(thresholds) and distance <= thresholds[stage]:
                candidates.append(entry)
            else:
                rest.append(entry)
        ranking = rest + ranking
    return ranking


def measure_rankings(data: SyntheticCodes, queries: int = 16) -> dict[str, Any]:
    """Milliseconds for one full ranking in each way, in turns, and whether all give the same order.

    Our engine is asked for all queries in one call and, in another row, for one at a time.
    """
    cascade, table = Cascade.parse(CTF), data.table
    count = min(queries, len(data.positives))
    some = {name: data.queries[name][:count] for name in cascade.codes}
    thresholds = [stage.threshold for stage in cascade.stages if stage.threshold is not None]
    whole = [_whole_numbers(table.column(name)[0]) for name in cascade.codes]
    query_numbers = list(zip(*(_whole_numbers(some[name]) for name in cascade.codes), strict=True))

    def one_by_one() -> list[Any]:
        return [
            cascade.rank(table, {name: code[i : i + 1] for name, code in some.items()}).indices[0] for i in range(count)
        ]

    ways: dict[str, Callable[[], Any]] = {
        "ours": one_by_one,
        "ours, one call": lambda: cascade.rank(table, some).indices,
        "numpy": lambda: [numpy_ranking(data, i, cascade) for i in range(count)],
        "python loops": lambda: [loop_ranking(whole, query, thresholds) for query in query_numbers],
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    rankings = {name: np.asarray(way()) for name, way in ways.items()}
    for _ in range(_TURNS):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    ours = statistics.median(seconds["ours"])
    return {
        "entries": len(table),
        "queries": count,
        "equal": all(np.array_equal(ranking, rankings["ours"]) for ranking in rankings.values()),
        "ways": [
            {
                "name": name,
                "ms": 1e3 * statistics.median(taken) / count,
                "best_ms": 1e3 * min(taken) / count,
                "ratio": statistics.median(taken) / ours,
            }
            for name, taken in seconds.items()
        ],
    }


def _whole_numbers(column: NDArray[np.uint8]) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in column]
