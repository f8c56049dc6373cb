"""Answering queries in a gallery: pictures, entries or a description in, ranked entries out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.calibration.same_person import SamePerson, decide
from swiftreid.cli.console import Report
from swiftreid.cli.describing import Described, Likeness
from swiftreid.cli.filters import SHOWN_CAMERAS, Filters
from swiftreid.cli.reranking import Ranked, pool_of, reorder
from swiftreid.cli.sources import BadPictures, pictures_below
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.stream import encode_paths
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.gallery.store import Gallery
from swiftreid.reranking.multi_query import fuse_codes
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.search.cascade import Cascade
from swiftreid.search.results import Report as StageReports
from swiftreid.search.results import SearchResult

DRAWN_QUERIES = 12
"""Queries that a picture of results can show."""


@dataclass(frozen=True)
class Query:
    """One query: a thumbnail to show, and its codes, one row each; a description has none."""

    name: str
    entries: tuple[str, ...]
    """Ids of entries of the gallery that it is made of, which then are no results."""
    thumbnail: bytes | None
    codes: Mapping[str, NDArray[np.uint8]]
    person: str | None
    camera: str | None


@dataclass(frozen=True)
class Hit:
    """One ranked entry."""

    entry: Entry
    distance: int
    code: str
    thumbnail: bytes | None
    right: bool | None
    same_person: bool | None
    """Whether the distance says that it is the query's person; None without a threshold."""
    reranked: float | None
    """The distance that re-ranking orders by, 0 to 1; None without it."""
    likeness: Likeness | None
    """How it compares with the description; None without one."""


@dataclass(frozen=True)
class Found:
    """What one query found."""

    hits: list[Hit]
    unknown: bool | None
    """Whether no entry is near enough to be the query's person; None without a threshold."""
    passing: int | None
    """How many entries the description fits or, beside a picture, lets pass; None without one."""


@dataclass(frozen=True)
class Answering:
    """How queries are answered.

    Attributes:
        stages: the cascade.
        said: the description; None without one. Alone it is the query, and pictures are searched among those whom it
            lets pass.
        threshold: up to which distance an entry is the query's person; None decides nothing.
        settings: of re-ranking; None without it.
        k: results of a query.
        threads: that search.
        thumbnails: how many results of the first queries have theirs.
    """

    stages: Cascade
    said: Described | None
    threshold: float | SamePerson | None
    settings: Reciprocal | None
    k: int
    threads: int
    thumbnails: int

    def answers(
        self, queries: Sequence[Query], opened: Gallery, filters: Filters, report: Report, *, other_cameras: bool
    ) -> tuple[list[Found], list[StageReports], int]:
        """What each query found, the reports of the searches, and how many entries the largest looked among."""
        reports: list[StageReports] = []
        answers: dict[int, Found] = {}
        largest = 0
        cameras = opened.cameras() if other_cameras else []
        if other_cameras and (strange := sorted({q.camera for q in queries if q.camera} - set(cameras))):
            report.warn(
                f"--other-cameras leaves nobody out for camera {', '.join(strange)}: the gallery's cameras are "
                f"{', '.join(cameras[:SHOWN_CAMERAS])}; if it is one of these by another name, use --not-camera"
            )
        for own, members in _by_camera(queries, other_cameras=other_cameras).items():
            with filters.snapshot(opened, own) as snapshot:
                largest = max(largest, snapshot.live)
                if not snapshot.live:
                    report.warn(f"nothing to search in: {filters.why_empty(opened, snapshot, own)}")
                found, told = self._group([queries[i] for i in members], members, snapshot, report)
                answers |= dict(zip(members, found, strict=True))
                reports.append(told)
        return [answers[i] for i in range(len(queries))], reports, largest

    def _group(
        self, queries: Sequence[Query], numbers: Sequence[int], snapshot: Snapshot, report: Report
    ) -> tuple[list[Found], StageReports]:
        """The answers to queries that search among the same entries."""
        codes, weights, mask, passing = self._asked(queries, snapshot)
        pool = pool_of(self.k, self.settings)
        # More than asked for, because a query that is made of entries finds them.
        k = pool + max(1, *(len(query.entries) for query in queries))
        result = self.stages.search(snapshot.table, codes, k=k, threads=self.threads, mask=mask, weights=weights)
        same = None if self.threshold is None else decide(result, self.threshold).same
        orders = [Ranked(_others(result, row, query, snapshot)).first(pool) for row, query in enumerate(queries)]
        if self.settings is not None:
            final = self.stages.stages[-1].code
            orders = reorder(result, orders, snapshot.table, final, codes[final], self.settings, report.progress)
        found = []
        for row, (number, ranked) in enumerate(zip(numbers, orders, strict=True)):
            # Whether somebody is near enough is a matter of the distance, whatever re-ranking shows first.
            nobody = None if same is None else not bool(same[row, ranked.columns].any())
            shown = self.thumbnails if number < DRAWN_QUERIES else 0
            hits = self._hits(result, row, ranked.first(self.k), queries[row], snapshot, same, thumbnails=shown)
            found.append(Found(hits, nobody, passing))
        return found, result.report

    def _asked(
        self, queries: Sequence[Query], snapshot: Snapshot
    ) -> tuple[dict[str, NDArray[np.uint8]], dict[str, NDArray[np.uint8]], NDArray[np.bool_] | None, int | None]:
        """Codes and weights of the queries, the mask of the entries to search among, and `Found.passing`."""
        said, mask, passing = self.said, snapshot.mask, None
        if said is not None and not queries[0].codes:
            passing = int(np.count_nonzero(said.fitting(snapshot.table, mask)))
            return {said.code: said.row}, {said.code: said.weights}, mask, passing
        if said is not None:
            mask = said.passing(snapshot.table, mask)
            passing = int(np.count_nonzero(mask))
        return {c: np.concatenate([query.codes[c] for query in queries]) for c in self.stages.codes}, {}, mask, passing

    def _hits(
        self,
        result: SearchResult,
        row: int,
        ranked: Ranked,
        query: Query,
        snapshot: Snapshot,
        same: NDArray[np.bool_] | None,
        *,
        thumbnails: int,
    ) -> list[Hit]:
        """The ranked entries of one query, the first of them with ``thumbnails``."""
        positions = result.indices[row, ranked.columns].tolist()
        likeness = self.said.compared(snapshot.table, positions) if self.said else [None] * len(positions)
        return [
            Hit(
                entry=entry,
                distance=int(result.distances[row, column]),
                code=self.stages.stages[int(result.stages[row, column])].code,
                thumbnail=snapshot.thumbnail(position) if place < thumbnails else None,
                right=None if query.person is None or entry.person is None else query.person == entry.person,
                same_person=None if same is None else bool(same[row, column]),
                reranked=None if ranked.distances is None else ranked.distances[place],
                likeness=likeness[place],
            )
            for place, (column, position, entry) in enumerate(
                zip(ranked.columns.tolist(), positions, snapshot.entries(positions), strict=True)
            )
        ]


def picture_queries(encoder: Encoder, roots: Sequence[Path], bad: BadPictures, report: Report) -> list[Query]:
    """Queries from picture files; one that cannot be read is an error when it is the only one, else a warning."""
    sources = pictures_below(roots)
    on_bad = bad if len(sources) != 1 else None
    queries: list[Query] = []
    paths = [source.path for source in sources]
    for batch in encode_paths(encoder, paths, thumbnails=True, on_bad=on_bad, progress=report.progress):
        for row, (i, jpeg) in enumerate(zip(batch.indices, batch.thumbnails, strict=True)):
            source = sources[i]
            codes = {name: code[row : row + 1] for name, code in batch.encoding.codes.items()}
            queries.append(Query(str(source.path), (), jpeg, codes, source.person, source.camera or None))
    if sources and not queries:
        raise SwiftReIDError(f"none of the {len(sources)} query pictures could be read")
    return queries


def entry_query(opened: Gallery, id_: str) -> Query:
    """A query that is an entry of the gallery."""
    stored = opened.get(id_)
    codes = {name: np.atleast_2d(code) for name, code in stored.codes.items()}
    return Query(id_, (id_,), stored.thumbnail, codes, stored.entry.person, stored.entry.camera)


def one_person(queries: Sequence[Query]) -> Query:
    """One query made of several that show one person: of each bit of their codes, what most have."""
    codes = fuse_codes(
        {name: np.concatenate([query.codes[name] for query in queries]) for name in queries[0].codes},
        np.zeros(len(queries), int),
    )
    persons, cameras = {query.person for query in queries}, {query.camera for query in queries}
    return Query(
        f"{queries[0].name} and {len(queries) - 1} more" if len(queries) > 1 else queries[0].name,
        tuple(id_ for query in queries for id_ in query.entries),
        queries[0].thumbnail,
        codes,
        persons.pop() if len(persons) == 1 else None,
        cameras.pop() if len(cameras) == 1 else None,
    )


def _by_camera(queries: Sequence[Query], *, other_cameras: bool) -> dict[str | None, list[int]]:
    """Queries grouped by the camera to leave out, so that each group is one search."""
    groups: dict[str | None, list[int]] = {}
    for i, query in enumerate(queries):
        if other_cameras and query.camera is None:
            raise UsageError(f"--other-cameras: {query.name} has no known camera, or several; use --not-camera")
        groups.setdefault(query.camera if other_cameras else None, []).append(i)
    return groups


def _others(result: SearchResult, row: int, query: Query, snapshot: Snapshot) -> NDArray[np.int64]:
    """Columns of a query's results; without its own if it is made of entries itself."""
    columns = np.arange(int(result.counts[row]))
    if not query.entries:
        return columns
    own = [id_ in query.entries for id_ in snapshot.ids(result.indices[row, columns].tolist())]
    return np.delete(columns, np.flatnonzero(own))
