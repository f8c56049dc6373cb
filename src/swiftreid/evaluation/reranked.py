"""Measuring k-reciprocal re-ranking: of whole rankings, as the papers do, and of a search's first results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import Measured
from swiftreid.evaluation.protocol import Protocol
from swiftreid.evaluation.ranking_metrics import metrics_of_rankings
from swiftreid.reranking.gallery_graph import GalleryGraph, Reordered
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.reranking.rerank import POOL, rerank_codes, rerank_embeddings, rerank_results
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.stages import EMBEDDING
from swiftreid.search.table import CodeTable

FIRST = 100
"""Results of a search that are re-ranked when each query is by itself."""

_BLOCK = 64


def measure_reranking(
    query: LabelledCodes,
    gallery: LabelledCodes,
    code: str | None,
    settings: Reciprocal,
    *,
    timed: bool = True,
    protocol: Protocol | None = None,
) -> Measured:
    """Whole rankings, re-ranked with all queries known at once: the figure that papers print.

    Its time is that of everything, neighbour lists included, divided by the number of queries.

    Args:
        query: the queries.
        gallery: the entries.
        code: which code to compare; None for the float embedding.
        settings: k1, k2 and lambda.
        timed: whether to measure the time.
        protocol: how to evaluate.

    Raises:
        UsageError: there is no such code, or no float embedding.
    """
    if code is not None:
        rankings = rerank_codes(code, _code("query", query, code), _code("gallery", gallery, code), settings)
        width = int(gallery.codes[code].shape[1])
    elif query.embedding is None or gallery.embedding is None:
        raise UsageError("the encodings hold no float embedding to re-rank by")
    else:
        rankings = rerank_embeddings(query.embedding, gallery.embedding, settings)
        width = 4 * int(gallery.embedding.shape[1])
    clock = _Clock()
    metrics = metrics_of_rankings(clock.taken_by(rankings), query, gallery, protocol or Protocol())
    return Measured(
        label=f"{code or 'float embedding'} re-ranked",
        metrics=metrics,
        bytes_per_entry=_bytes_per_entry(width, settings),
        bytes_per_query=float(width * len(gallery)),
        microseconds=clock.of(query) if timed else None,
        stages=[{"rule": _rule(settings), "in": len(gallery), "kept": len(gallery)}],
        codes=(code or EMBEDDING,),
    )


def measure_reranked_search(
    query: LabelledCodes,
    gallery: LabelledCodes,
    code: str,
    settings: Reciprocal,
    *,
    timed: bool = True,
    protocol: Protocol | None = None,
) -> Measured:
    """Exhaustive search whose first `FIRST` results are re-ranked, each query by itself, as a gallery would serve it.

    What follows keeps its order. Time is that of the re-ranking, with the gallery's graph made ahead.

    Raises:
        UsageError: there is no such code.
    """
    table = CodeTable(dict(gallery.codes))
    graph = GalleryGraph.of_codes(table, code, settings)
    graph.build()
    return _first_results(
        f"{code} first {FIRST} re-ranked",
        (query, gallery, code, settings),
        FIRST,
        graph.rerank,
        bytes_per_entry=_bytes_per_entry(int(gallery.codes[code].shape[1]), settings),
        bytes_again=int(gallery.codes[code].shape[1]) * len(gallery),  # for the query's own neighbours
        timed=timed,
        protocol=protocol or Protocol(),
    )


def measure_reranked_results(
    query: LabelledCodes,
    gallery: LabelledCodes,
    code: str,
    settings: Reciprocal,
    *,
    timed: bool = True,
    protocol: Protocol | None = None,
) -> Measured:
    """Exhaustive search whose first `POOL` results are re-ranked among themselves: `swiftreid search --rerank`.

    What follows keeps its order. Time is that of the re-ranking.

    Raises:
        UsageError: there is no such code.
    """
    table = CodeTable(dict(gallery.codes))
    width, pool = int(table.column(code)[0].shape[1]), min(POOL, len(gallery))
    return _first_results(
        f"{code} first {POOL:,} among themselves",
        (query, gallery, code, settings),
        POOL,
        lambda found, queries: rerank_results(table, code, queries, found, settings),
        bytes_per_entry=width,
        bytes_again=width * pool * (pool + 1),
        timed=timed,
        protocol=protocol or Protocol(),
    )


def _first_results(
    label: str,
    what: tuple[LabelledCodes, LabelledCodes, str, Reciprocal],
    first: int,
    rerank: Callable[[NDArray[np.int64], NDArray[np.uint8]], Reordered],
    *,
    bytes_per_entry: int,
    bytes_again: int,
    timed: bool,
    protocol: Protocol,
) -> Measured:
    query, gallery, code, settings = what
    table, codes = CodeTable(dict(gallery.codes)), _code("query", query, code)
    cascade, clock = Cascade([Stage(code)]), _Clock()

    def rankings() -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(query), _BLOCK):
            block = codes[start : start + _BLOCK]
            found = cascade.rank(table, {code: block}).indices
            with clock:
                best = rerank(found[:, :first], block).indices
            yield from np.concatenate([best, found[:, first:]], axis=1)

    metrics = metrics_of_rankings(rankings(), query, gallery, protocol)
    kept = min(first, len(gallery))
    return Measured(
        label=label,
        metrics=metrics,
        bytes_per_entry=bytes_per_entry,
        bytes_per_query=float(codes.shape[1] * len(gallery) + bytes_again),
        microseconds=clock.of(query) if timed else None,
        stages=[
            {"rule": code, "in": len(gallery), "kept": kept},
            {"rule": _rule(settings), "in": kept, "kept": kept},
        ],
        codes=(code,),
    )


def pictures_per_person(gallery: LabelledCodes) -> float:
    """Mean gallery pictures of a person, junk and distractors left out: re-ranking relies on there being several."""
    known = gallery.persons[gallery.persons > 0]
    return len(known) / max(1, len(np.unique(known)))


class _Clock:
    """Adds up the time of what is done under it."""

    def __init__(self) -> None:
        self._seconds = self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds += time.perf_counter() - self._started

    def taken_by(self, rankings: Iterator[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
        """The same, with the time taken to make each, and not that of its use."""
        while True:
            with self:
                ranking = next(rankings, None)
            if ranking is None:
                return
            yield ranking

    def of(self, query: LabelledCodes) -> float:
        """Microseconds for each query."""
        return 1e6 * self._seconds / max(1, len(query))


def _code(which: str, codes: LabelledCodes, name: str) -> NDArray[np.uint8]:
    if name not in codes.codes:
        raise UsageError(f"the {which} has no code {name!r} to re-rank by; it has: {', '.join(codes.codes)}")
    return codes.codes[name]


def _bytes_per_entry(width: int, settings: Reciprocal) -> int:
    """A code or vector, and the entry's list of neighbours with their distances."""
    return width + 8 * settings.neighbours


def _rule(settings: Reciprocal) -> str:
    return f"k-reciprocal k1={settings.k1} k2={settings.k2} lambda={settings.lambda_:g}"
