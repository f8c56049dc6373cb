"""From codes to metrics: by counting what stands before good matches, or by full rankings where rules need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.match_ranks import CountedRanks, can_count
from swiftreid.evaluation.matches import Matches
from swiftreid.evaluation.protocol import Metrics, Protocol, evaluate_rankings, summarise
from swiftreid.evaluation.verification import PairCounts
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.results import SearchReport
from swiftreid.search.stages import EMBEDDING
from swiftreid.search.table import CodeTable

_BLOCK = 256
"""Most queries ranked at a time."""

_BLOCK_BYTES = 2**28
_RANKED_BYTES = 13  # of a full ranking, for each query and entry

Verdicts = Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]
"""For each query the positions of its good matches, and of what is ignored."""


def metrics_of_cascade(
    cascade: Cascade,
    table: CodeTable,
    query: LabelledCodes,
    gallery: LabelledCodes,
    *,
    k: int = 100,
    protocol: Protocol | None = None,
    pairs: PairCounts | None = None,
) -> tuple[Metrics, SearchReport]:
    """Metrics of the full coarse-to-fine rankings, and the stages' report over all queries.

    Where the rules allow it the rankings are not made: what stands before each good match is counted, to the same end.

    Args:
        cascade: how to rank.
        table: the gallery's codes.
        query: the queries.
        gallery: the entries, those of ``table``.
        k: results that count of a certified search.
        protocol: how to evaluate.
        pairs: counts the distances of the first stage, if given.
    """
    how = protocol or Protocol()
    if can_count(cascade.stages):
        counted = CountedRanks(
            cascade.stages,
            {name: np.ascontiguousarray(query.columns()[name]) for name in cascade.codes},
            {name: gallery.codes[name] for name in cascade.codes},
        )
        on_distances = pairs.hamming if pairs is not None else None
        metrics = counted_metrics(
            lambda verdicts: counted.ranks(verdicts, on_distances), query, gallery, how, listed=counted.listed
        )
        return metrics, counted.report()
    reports: list[SearchReport] = []
    lengths: list[int] = []
    rankings = _rankings(cascade, table, query, k, reports, lengths=lengths)
    metrics = metrics_of_rankings(rankings, query, gallery, how, short_lists=lengths)
    return metrics, SearchReport.total(reports)


def _rankings(
    cascade: Cascade,
    table: CodeTable,
    query: LabelledCodes,
    k: int,
    reports: list[SearchReport],
    *,
    lengths: list[int],
) -> Iterator[NDArray[np.int64]]:
    """Full rankings; ``lengths`` gets how many entries of each reached the last stage."""
    columns = query.columns(embedding=EMBEDDING in cascade.codes)

    at_a_time = _queries_at_a_time(len(table))
    for start in range(0, len(query), at_a_time):
        block = {name: column[start : start + at_a_time] for name, column in columns.items()}
        if cascade.stages[0].keep == "certified":
            result = cascade.search(table, block, k=k)
            lengths.extend([len(table)] * len(result.indices))
            yield from _completed(result.indices, Cascade([Stage(cascade.stages[0].code)]).rank(table, block).indices)
        else:
            result = cascade.rank(table, block)
            lengths.extend((result.stages == len(cascade.stages) - 1).sum(axis=1).tolist())
            yield from result.indices
        reports.append(result.report)


def metrics_of_rankings(
    rankings: Iterator[NDArray[np.int64]],
    query: LabelledCodes,
    gallery: LabelledCodes,
    protocol: Protocol,
    *,
    short_lists: Sequence[int] | None = None,
) -> Metrics:
    """`evaluate_rankings` of these pictures by that protocol; ``short_lists`` may grow as rankings are made."""
    return evaluate_rankings(
        rankings,
        query.persons,
        query.cameras,
        gallery.persons,
        gallery.cameras,
        empty=protocol.empty,
        cross_camera=protocol.cross_camera,
        self_positions=protocol.self_positions,
        short_lists=short_lists,
    )


def counted_metrics(
    ranks: Callable[[Verdicts], Iterator[NDArray[np.int64]]],
    query: LabelledCodes,
    gallery: LabelledCodes,
    protocol: Protocol,
    *,
    listed: Sequence[int] | None = None,
) -> Metrics:
    """Metrics of ranks that are counted instead of made: ``ranks`` turns verdicts, query by query, into them.

    ``listed`` holds, once they are made, how many of each query's ranks are on a cascade's short list.
    """
    matches, positives = _matches(gallery, protocol), []

    def verdicts() -> Verdicts:
        for person, camera, own in zip(query.persons, query.cameras, protocol.own(len(query)), strict=True):
            good, ignored = matches.of(int(person), int(camera), int(own))
            positives.append(len(good))
            yield good, ignored

    found = list(ranks(verdicts()))
    return summarise(found, positives, listed, empty=protocol.empty, cross_camera=protocol.cross_camera)


def _matches(gallery: LabelledCodes, protocol: Protocol) -> Matches:
    return Matches(gallery.persons, gallery.cameras if protocol.cross_camera else None)


def pairs_of(query: LabelledCodes, gallery: LabelledCodes, protocol: Protocol, steps: int) -> PairCounts:
    """Empty histograms of the distances of these pictures' pairs."""
    return PairCounts(_matches(gallery, protocol), query.persons, query.cameras, protocol.own(len(query)), steps)


def _completed(best: NDArray[np.int64], rankings: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The best of each row, and then the others in the order of the full ranking."""
    for first, ranking in zip(best, rankings, strict=True):
        found = first[first >= 0]
        yield np.concatenate([found, ranking[np.isin(ranking, found, invert=True)]])


def _queries_at_a_time(entries: int) -> int:
    """As many queries as can be ranked in bounded memory, whatever the size of the gallery."""
    return max(1, min(_BLOCK, _BLOCK_BYTES // (_RANKED_BYTES * max(1, entries))))
