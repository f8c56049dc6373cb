"""Measuring codes on a labelled data set: accuracy of whole rankings, and the time of searches, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.evaluation.embeddings import distances_by_embedding, stable_order, unit_length
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.match_ranks import can_count, ranks_by_distance
from swiftreid.evaluation.protocol import Metrics, Protocol
from swiftreid.evaluation.ranking_metrics import Verdicts, counted_metrics, metrics_of_cascade, pairs_of
from swiftreid.evaluation.timing import Search, time_searches
from swiftreid.evaluation.verification import COSINE_STEPS
from swiftreid.progress import Progress, no_progress
from swiftreid.search.cascade import Cascade
from swiftreid.search.stages import EMBEDDING
from swiftreid.search.storage import bytes_per_entry
from swiftreid.search.table import CodeTable

__all__ = ["LabelledCodes", "Measured", "measure", "measure_cascades", "measure_embedding", "metrics_of_cascade"]

Kind = Literal["best", "all"]
"""What is timed: a search for the k best, or the ranking of the whole gallery."""


_Searches = dict[tuple[str, Kind], Search]
_Times = dict[tuple[str, Kind], float]


@dataclass(frozen=True)
class Measured:
    """One way to search, measured.

    Attributes:
        label: what it is, for tables.
        metrics: accuracy by the protocol over full rankings.
        bytes_per_entry: what an entry takes in memory for this search.
        bytes_per_query: mean bytes of codes compared per query.
        microseconds: time of one query for the k best, one query at a time on one thread; None when it was not timed.
        stages: for each stage its rule and the mean entries in and kept per query.
        full_microseconds: likewise for distances to, and sorting of, the whole gallery, as the papers report time; None
            where there is no such ranking.
        tar_at_far: verification by these distances (see `Roc.tar_at_far`); empty where a ranking has no one distance.
        codes: what is compared, in order.
    """

    label: str
    metrics: Metrics
    bytes_per_entry: int
    bytes_per_query: float
    microseconds: float | None
    stages: list[dict[str, Any]]
    full_microseconds: float | None = None
    tar_at_far: dict[str, float] = field(default_factory=dict)
    codes: tuple[str, ...] = ()


def measure(
    cascades: Mapping[str, Cascade],
    query: LabelledCodes,
    gallery: LabelledCodes,
    *,
    k: int = 100,
    timed: bool = True,
    protocol: Protocol | None = None,
    float_label: str = "float embedding",
    progress: Progress = no_progress,
) -> list[Measured]:
    """Each cascade as by `measure_cascades` and then, if there is one, the float embedding; timed in one run.

    ``progress`` is called with the rows done and all rows, as each is evaluated.

    Raises:
        UsageError: a cascade needs a code, or the float embedding, that the encodings do not hold.
    """
    _check(cascades, query, gallery, protocol)
    floats = query.embedding is not None and gallery.embedding is not None
    run, table = _Run(query, gallery, k, protocol or Protocol()), _table(cascades, gallery)
    times: _Times = {}
    if timed:
        times = run.times(run.searches(cascades, table) | (run.embedding_searches(float_label) if floats else {}))
    total = len(cascades) + floats
    found = []
    for row in run.rows(cascades, table, times):
        found.append(row)
        progress("measuring", len(found), total)
    if floats:
        found.append(run.embedding(float_label, times))
        progress("measuring", total, total)
    return found


def _check(cascades: object, query: object, gallery: object, protocol: object) -> None:
    """Refuse arguments of other types by saying what they should be."""
    for name, part in (("query", query), ("gallery", gallery)):
        if not isinstance(part, LabelledCodes):
            raise UsageError(f"{name} must be LabelledCodes, not {type(part).__name__}")
    if not isinstance(cascades, Mapping) or not all(isinstance(each, Cascade) for each in cascades.values()):
        raise UsageError("cascades must map labels to cascades, as in {'CtF': Cascade.parse('id32 > id2048')}")
    if protocol is not None and not isinstance(protocol, Protocol):
        raise UsageError(f"protocol must be a Protocol, such as Protocol(empty='zero'), not {protocol!r}")


def measure_cascades(
    cascades: Mapping[str, Cascade],
    query: LabelledCodes,
    gallery: LabelledCodes,
    *,
    k: int = 100,
    timed: bool = True,
    protocol: Protocol | None = None,
    progress: Progress = no_progress,
) -> list[Measured]:
    """Accuracy and time of each cascade, exhaustive ones among them; times are taken in turn, in one run.

    Accuracy is that of the full coarse-to-fine ranking by the rules as they stand, as the papers measure it. Times are
    those of `Cascade.search` for the ``k`` best, which also guarantees k candidates, and of `Cascade.rank`. A certified
    cascade (``id2048:miss=1e-6``) has no full ranking of its own: it gives the k best, and what follows is in
    exhaustive order. ``progress`` is called with the rows done and all rows.

    Raises:
        UsageError: a cascade needs a code, or the float embedding, that the encodings do not hold.
    """
    run, table = _Run(query, gallery, k, protocol or Protocol()), _table(cascades, gallery)
    times = run.times(run.searches(cascades, table)) if timed else {}
    found = []
    for row in run.rows(cascades, table, times):
        found.append(row)
        progress("measuring", len(found), len(cascades))
    return found


def measure_embedding(
    query: LabelledCodes,
    gallery: LabelledCodes,
    *,
    k: int = 100,
    timed: bool = True,
    label: str = "float embedding",
    protocol: Protocol | None = None,
) -> Measured:
    """The float embedding by cosine, which the codes are to be compared with.

    Its times are those of NumPy: one product of the gallery's matrix with the query on one thread, and then a partition
    for the ``k`` best or a sort of everything.

    Raises:
        UsageError: the encodings hold no float embedding.
    """
    run = _Run(query, gallery, k, protocol or Protocol())
    return run.embedding(label, run.times(run.embedding_searches(label)) if timed else {})


@dataclass(frozen=True)
class _Run:
    """One measurement: gallery, protocol and queries."""

    query: LabelledCodes
    gallery: LabelledCodes
    k: int
    protocol: Protocol

    def rows(self, cascades: Mapping[str, Cascade], table: CodeTable, times: _Times) -> Iterator[Measured]:
        return (self._cascade(label, cascade, table, times) for label, cascade in cascades.items())

    def _cascade(self, label: str, cascade: Cascade, table: CodeTable, times: _Times) -> Measured:
        pairs = None
        if len(cascade.stages) == 1 and can_count(cascade.stages):
            row_bytes = int(self.gallery.codes[cascade.codes[0]].shape[1])
            pairs = pairs_of(self.query, self.gallery, self.protocol, 8 * row_bytes + 1)
        metrics, report = metrics_of_cascade(
            cascade, table, self.query, self.gallery, k=self.k, protocol=self.protocol, pairs=pairs
        )
        return Measured(
            label=label,
            metrics=metrics,
            bytes_per_entry=bytes_per_entry(cascade, {stage.code: stage.row_bytes for stage in report}),
            bytes_per_query=report.bytes_per_query,
            microseconds=times.get((label, "best")),
            stages=[{"rule": s.rule, "in": s.in_per_query, "kept": s.kept_per_query} for s in report],
            full_microseconds=times.get((label, "all")),
            tar_at_far=pairs.roc().tar_at_far() if pairs else {},
            codes=tuple(stage.code for stage in cascade.stages),
        )

    def embedding(self, label: str, times: _Times) -> Measured:
        queries, entries = _embedding_of("query", self.query), _embedding_of("gallery", self.gallery)
        pairs = pairs_of(self.query, self.gallery, self.protocol, COSINE_STEPS + 1)

        def ranks(verdicts: Verdicts) -> Iterator[NDArray[np.int64]]:
            for number, row in enumerate(distances_by_embedding(queries, entries)):
                pairs.cosine(number, row + np.float32(1))
                yield ranks_by_distance(row, *next(verdicts))

        metrics = counted_metrics(ranks, self.query, self.gallery, self.protocol)
        size = int(entries.shape[1]) * 4
        return Measured(
            label=label,
            metrics=metrics,
            bytes_per_entry=size,
            bytes_per_query=float(size * len(self.gallery)),
            microseconds=times.get((label, "best")),
            stages=[],
            full_microseconds=times.get((label, "all")),
            tar_at_far=pairs.roc().tar_at_far(),
            codes=(EMBEDDING,),
        )

    def searches(self, cascades: Mapping[str, Cascade], table: CodeTable) -> _Searches:
        columns = self.query.columns(embedding=any(EMBEDDING in cascade.codes for cascade in cascades.values()))
        one = [{name: column[i : i + 1] for name, column in columns.items()} for i in range(len(self.query))]

        def best(cascade: Cascade) -> Search:
            return lambda i: cascade.search(table, one[i], k=self.k)

        def everything(cascade: Cascade) -> Search:
            return lambda i: cascade.rank(table, one[i])

        searches: _Searches = {}
        for label, cascade in cascades.items():
            searches[label, "best"] = best(cascade)
            if cascade.stages[0].keep != "certified":
                searches[label, "all"] = everything(cascade)
        return searches

    def embedding_searches(self, label: str) -> _Searches:
        queries = unit_length(_embedding_of("query", self.query))
        entries = unit_length(_embedding_of("gallery", self.gallery))

        def best(i: int) -> NDArray[np.int64]:
            distances = -(entries @ queries[i])
            few = np.argpartition(distances, min(self.k, len(distances)) - 1)[: self.k]
            return few[np.lexsort((few, distances[few]))]

        return {(label, "best"): best, (label, "all"): lambda i: stable_order(-(entries @ queries[i]))}

    def times(self, searches: _Searches) -> _Times:
        return time_searches(searches, len(self.query) if len(self.gallery) else 0)


def _embedding_of(name: str, codes: LabelledCodes) -> NDArray[np.float32]:
    if codes.embedding is None:
        raise UsageError(f"the {name} has no float embedding; measure its codes with measure_cascades instead")
    return codes.embedding


def _table(cascades: Mapping[str, Cascade], gallery: LabelledCodes) -> CodeTable:
    return CodeTable(gallery.columns(embedding=any(EMBEDDING in cascade.codes for cascade in cascades.values())))
