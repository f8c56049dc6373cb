"""Search for queries with the same settings and filters, and make their hits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swiftreid.calibration.same_person import SamePerson, decide
from swiftreid.errors import UsageError
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.progress import Progress, no_progress
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.reranking.rerank import POOL, rerank_results
from swiftreid.retrieval.answer import AttributeFit, Hit
from swiftreid.retrieval.descriptions import DescriptionStage
from swiftreid.retrieval.resolving import Resolved
from swiftreid.search.cascade import Cascade
from swiftreid.search.results import SearchReport, SearchResult
from swiftreid.search.stages import EMBEDDING
from swiftreid.search.table import CodeTable


@dataclass(frozen=True)
class Settings:
    """How queries are searched for together.

    Attributes:
        cascade: the stages; of a description alone, its stage.
        description: alone it is the query; pictures are searched among entries that pass it.
        threshold: largest distance of the same person; None decides nothing.
        reranking: None without it.
        k: hits of a query.
    """

    cascade: Cascade
    description: DescriptionStage | None
    threshold: float | SamePerson | None
    reranking: Reciprocal | None
    k: int

    @property
    def pool(self) -> int:
        """How many results a search is asked for."""
        return pool_of(self.k, self.reranking)


def pool_of(k: int, reranking: Reciprocal | None) -> int:
    """How many results a search is asked for: the hits, or those that are re-ranked among themselves."""
    return k if reranking is None else max(k, POOL)


@dataclass(frozen=True)
class RankedQuery:
    """What one query found.

    Attributes:
        hits: best first.
        stranger: whether no entry is within the same-person threshold; None without a threshold.
    """

    hits: tuple[Hit, ...]
    stranger: bool | None


@dataclass(frozen=True)
class RankedQueries:
    """What queries found that were searched together.

    Attributes:
        queries: one each.
        passing: how many entries the description lets pass, or, alone, fits; None without one.
        compared: entries that the first stage compared for each.
        report: what each stage did.
    """

    queries: list[RankedQuery]
    passing: int | None
    compared: int
    report: SearchReport


@dataclass(frozen=True)
class _Order:
    """One query's results in their final order.

    Attributes:
        columns: where they are in the query's row of the search's result, int64 [m].
        distances: what re-ranking orders by, for each; None without it.
    """

    columns: NDArray[np.int64]
    distances: list[float] | None = None


@dataclass(frozen=True)
class _Results:
    """One query's results, best first: for each what the search says of it.

    Attributes:
        positions: in the snapshot.
        distances: in bits of the code of its stage, or the cosine distance of embeddings.
        stages: that it reached.
        same: whether it is within the same-person threshold; None without a threshold.
        reranked: what re-ranking orders by, of at least these; None without it.
    """

    positions: list[int]
    distances: list[float]
    stages: list[int]
    same: list[bool] | None
    reranked: list[float] | None


def rank_queries(
    settings: Settings,
    queries: Sequence[Resolved],
    snapshot: Snapshot,
    *,
    threads: int = 1,
    progress: Progress = no_progress,
) -> RankedQueries:
    """The hits of queries that look among the same entries and are made of equally many of them.

    Args:
        settings: how they are searched for.
        queries: with their codes.
        snapshot: what is searched, with its mask.
        threads: that search.
        progress: takes queries re-ranked and queries in all.
    """
    stages, description = settings.cascade, settings.description
    if settings.reranking is not None and stages.stages[-1].code == EMBEDDING:
        raise UsageError(f"re-ranking compares packed codes, and the cascade '{stages}' ends in embeddings")
    mask, passing, compared, weights = snapshot.mask, None, snapshot.live, {}
    if description is not None and not queries[0].codes:
        passing = int(np.count_nonzero(description.fitting(snapshot.table, mask)))
        codes, weights = {description.code: description.row}, {description.code: description.weights}
    else:
        if description is not None:
            mask = description.passing(snapshot.table, mask)
            passing = compared = int(np.count_nonzero(mask))
        codes = {name: np.concatenate([query.codes[name] for query in queries]) for name in stages.codes}
    # More than asked for, because a query that is made of entries finds them.
    k = min(settings.pool + max(1, len(queries[0].ids)), max(1, len(snapshot)))
    result = stages.search(snapshot.table, codes, k=k, threads=threads, mask=mask, weights=weights)
    same = None if settings.threshold is None else decide(result, settings.threshold).same
    orders = [_Order(_others(result, row, query, snapshot)[: settings.pool]) for row, query in enumerate(queries)]
    if settings.reranking is not None:
        rows = codes[stages.stages[-1].code]
        orders = [
            _reranked(settings, result.indices[row], order, snapshot.table, rows[row : row + 1])
            for row, order in enumerate(_counted(orders, progress))
        ]
    ranked = []
    for row, (query, order) in enumerate(zip(queries, orders, strict=True)):
        # The threshold applies to the distance, whatever re-ranking puts first.
        stranger = None if same is None else not bool(same[row, order.columns].any())
        columns = order.columns[: settings.k]
        results = _Results(
            result.indices[row, columns].tolist(),
            result.distances[row, columns].tolist(),
            result.stages[row, columns].tolist(),
            None if same is None else same[row, columns].tolist(),
            order.distances,
        )
        ranked.append(RankedQuery(_hits(settings, query, results, snapshot), stranger))
    return RankedQueries(ranked, passing, compared, result.report)


def _others(result: SearchResult, row: int, query: Resolved, snapshot: Snapshot) -> NDArray[np.int64]:
    """Columns of a query's results; without its own if it is made of entries itself."""
    columns = np.arange(int(result.counts[row]))
    if not query.ids:
        return columns
    of_query = set(query.ids)
    own = [id_ in of_query for id_ in snapshot.ids(result.indices[row, columns].tolist())]
    return np.delete(columns, np.flatnonzero(own))


def _counted(orders: Sequence[_Order], progress: Progress) -> Iterator[_Order]:
    for done, order in enumerate(orders, 1):
        yield order
        progress("re-ranking", done, len(orders))


def _reranked(
    settings: Settings, found: NDArray[np.int64], order: _Order, table: CodeTable, query: NDArray[np.uint8]
) -> _Order:
    """A query's results re-ranked among themselves by the code of the last stage.

    Args:
        settings: with those of re-ranking.
        found: positions that the search found, int64 [k].
        order: which of them count.
        table: what was searched.
        query: its code of the last stage, uint8 [1, row bytes].
    """
    positions = found[order.columns]
    again = rerank_results(table, settings.cascade.stages[-1].code, query, positions[None], settings.reranking)
    by_position = np.argsort(positions)
    places = by_position[np.searchsorted(positions[by_position], again.indices[0])]
    return _Order(order.columns[places], again.distances[0].tolist())


def _hits(settings: Settings, query: Resolved, results: _Results, snapshot: Snapshot) -> tuple[Hit, ...]:
    positions = results.positions
    fits: Sequence[AttributeFit | None] = [None] * len(positions)
    if settings.description is not None:
        fits = settings.description.compared(snapshot.table, positions)
    hits = []
    for place, entry in enumerate(snapshot.entries(positions)):
        with_thumbnail = place < query.query.thumbnails
        known = query.person is not None and entry.person is not None
        hits.append(
            Hit(
                entry=replace(entry, thumbnail=snapshot.thumbnail(positions[place])) if with_thumbnail else entry,
                distance=results.distances[place],
                code=settings.cascade.stages[results.stages[place]].code,
                same_person=None if results.same is None else results.same[place],
                right=query.person == entry.person if known else None,
                reranked=None if results.reranked is None else results.reranked[place],
                fit=fits[place],
            )
        )
    return tuple(hits)
