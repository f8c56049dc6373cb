"""Measuring codes on a labelled data set: accuracy of whole rankings, and the time of searches, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.evaluation.embeddings import rank_by_embedding
from swiftreid.evaluation.protocol import Metrics, evaluate_rankings
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.results import Report
from swiftreid.search.stages import EMBEDDING
from swiftreid.search.table import CodeTable

_BLOCK = 256
"""Most queries ranked at a time."""

_BLOCK_BYTES = 2**28
_RANKED_BYTES = 13  # of a full ranking, for each query and entry

_TIMED_SECONDS = 0.3


@dataclass(frozen=True)
class LabelledCodes:
    """Encoded pictures of known people.

    Attributes:
        codes: packed codes by name, uint8 [n, row bytes].
        persons: person of each, int64 [n].
        cameras: camera of each, int64 [n].
        embedding: float32 [n, d], or None.
    """

    codes: Mapping[str, NDArray[np.uint8]]
    persons: NDArray[np.int64]
    cameras: NDArray[np.int64]
    embedding: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.persons)

    def columns(self, *, embedding: bool = False) -> dict[str, NDArray[Any]]:
        """What a search takes: the codes, and on request the float embedding beside them.

        Raises:
            UsageError: the embedding is asked for, and there is none.
        """
        found: dict[str, NDArray[Any]] = dict(self.codes)
        if embedding:
            if self.embedding is None:
                raise UsageError("these encodings hold no float embedding for a cascade to end in; end it in a code")
            found[EMBEDDING] = np.ascontiguousarray(self.embedding)
        return found

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> LabelledCodes:
        """The chosen rows."""
        return LabelledCodes(
            {name: code[rows] for name, code in self.codes.items()},
            self.persons[rows],
            self.cameras[rows],
            None if self.embedding is None else self.embedding[rows],
        )


@dataclass(frozen=True)
class Measured:
    """One way to search, measured.

    Attributes:
        label: what it is, for tables.
        metrics: accuracy by the single-query protocol over full rankings.
        bytes_per_entry: what an entry takes in memory for this search.
        bytes_per_query: mean bytes of codes compared per query.
        microseconds: time of one query; None when it was not timed. Of a cascade the median for the k best on one
            thread, of the float embedding one full ranking on as many threads as NumPy's matrix product takes.
        stages: for each stage its rule and the mean entries in and kept per query.
    """

    label: str
    metrics: Metrics
    bytes_per_entry: int
    bytes_per_query: float
    microseconds: float | None
    stages: list[dict[str, Any]]


def measure_cascades(
    cascades: Mapping[str, Cascade], query: LabelledCodes, gallery: LabelledCodes, *, k: int = 100, timed: bool = True
) -> list[Measured]:
    """Accuracy and time of each cascade, exhaustive ones among them; times are taken in turn, in one run.

    Accuracy is that of the full coarse-to-fine ranking by the rules as they stand, as the papers measure it. Time is
    that of `Cascade.search` for the ``k`` best, which also guarantees k candidates. A certified cascade
    (``id2048:miss=1e-6``) has no full ranking of its own: it gives the k best, and what follows is in exhaustive order.

    Raises:
        UsageError: a cascade needs a code, or the float embedding, that the encodings do not hold.
    """
    floats = any(EMBEDDING in cascade.codes for cascade in cascades.values())
    table, columns = CodeTable(gallery.columns(embedding=floats)), query.columns(embedding=floats)
    times = _times(
        {label: partial(c.search, table, columns, k=k) for label, c in cascades.items()} if timed else {},
        len(query),
    )
    measured = []
    for label, cascade in cascades.items():
        metrics, report = rank_and_judge(cascade, table, query, gallery, k=k)
        measured.append(
            Measured(
                label=label,
                metrics=metrics,
                # A certified search keeps a second copy of its code, split in two.
                bytes_per_entry=sum({stage.code: stage.row_bytes for stage in report}.values())
                * (2 if cascade.stages[-1].miss else 1),
                bytes_per_query=report.bytes_per_query,
                microseconds=times.get(label),
                stages=[{"rule": s.rule, "in": s.in_per_query, "kept": s.kept_per_query} for s in report],
            )
        )
    return measured


def measure_embedding(
    query: LabelledCodes, gallery: LabelledCodes, *, timed: bool = True, label: str = "float embedding"
) -> Measured:
    """The float embedding by cosine, which the codes are to be compared with.

    Its time is that of one full ranking by matrix product and sorting in NumPy.

    Raises:
        UsageError: the encodings hold no float embedding.
    """
    queries, entries = _embedding_of("query", query), _embedding_of("gallery", gallery)
    metrics = evaluate_rankings(
        rank_by_embedding(queries, entries), query.persons, query.cameras, gallery.persons, gallery.cameras
    )
    times = _times({label: lambda: list(rank_by_embedding(queries, entries))} if timed else {}, len(query), rounds=1)
    size = int(entries.shape[1]) * 4
    return Measured(label, metrics, size, float(size * len(gallery)), times.get(label), [])


def rank_and_judge(
    cascade: Cascade, table: CodeTable, query: LabelledCodes, gallery: LabelledCodes, *, k: int = 100
) -> tuple[Metrics, Report]:
    """Metrics of the full coarse-to-fine rankings, and the stages' report over all queries; ``k`` as above."""
    reports: list[Report] = []
    columns = query.columns(embedding=EMBEDDING in cascade.codes)

    def rankings() -> Iterator[NDArray[np.int64]]:
        at_a_time = _queries_at_a_time(len(table))
        for start in range(0, len(query), at_a_time):
            block = {name: column[start : start + at_a_time] for name, column in columns.items()}
            if cascade.stages[0].keep == "certified":
                result = cascade.search(table, block, k=k)
                yield from _completed(
                    result.indices, Cascade([Stage(cascade.stages[0].code)]).rank(table, block).indices
                )
            else:
                result = cascade.rank(table, block)
                yield from result.indices
            reports.append(result.report)

    metrics = evaluate_rankings(rankings(), query.persons, query.cameras, gallery.persons, gallery.cameras)
    return metrics, Report.total(reports)


def _completed(best: NDArray[np.int64], rankings: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The best of each row, and then the others in the order of the full ranking."""
    for first, ranking in zip(best, rankings, strict=True):
        found = first[first >= 0]
        yield np.concatenate([found, ranking[np.isin(ranking, found, invert=True)]])


def _queries_at_a_time(entries: int) -> int:
    """As many queries as can be ranked in bounded memory, whatever the size of the gallery."""
    return max(1, min(_BLOCK, _BLOCK_BYTES // (_RANKED_BYTES * max(1, entries))))


def _embedding_of(name: str, codes: LabelledCodes) -> NDArray[np.float32]:
    if codes.embedding is None:
        raise UsageError(f"the {name} has no float embedding; measure its codes with measure_cascades instead")
    return codes.embedding


def _times(searches: Mapping[str, Callable[[], object]], queries: int, *, rounds: int = 7) -> dict[str, float]:
    """Median microseconds a query of each search, run in turn so that a busy machine disturbs all alike."""
    seconds: dict[str, list[float]] = {label: [] for label in searches}
    for search in searches.values() if rounds > 1 else ():
        search()  # warm caches
    for _ in range(rounds):
        for label, search in searches.items():
            repeats, started = 0, time.perf_counter()
            while not repeats or time.perf_counter() - started < _TIMED_SECONDS / rounds:
                search()
                repeats += 1
            seconds[label].append((time.perf_counter() - started) / repeats)
    return {label: 1e6 * float(np.median(taken)) / max(1, queries) for label, taken in seconds.items()}
