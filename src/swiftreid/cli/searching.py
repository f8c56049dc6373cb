"""`swiftreid search`: who is this, and where else was this person seen?"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from swiftreid.benchmarks.contender import processors
from swiftreid.cli.calibrations import choose_threshold, note_size, stated
from swiftreid.cli.cascades import choose_cascade
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.filters import Filters
from swiftreid.cli.outputs import output_file, written
from swiftreid.cli.reranking import (
    K1Option,
    K2Option,
    LambdaOption,
    Ranked,
    note_pool,
    pool_of,
    reorder,
    settings_of,
    stated_reranking,
)
from swiftreid.cli.sources import BadPictures, encoder_of, moment, pictures_below
from swiftreid.data.pictures import read_picture
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.stream import encode_paths
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.ranking_picture import Candidate, Ranking, draw_rankings
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.gallery.store import Gallery
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import bits_of
from swiftreid.search.results import Report as StageReports
from swiftreid.search.results import SearchResult
from swiftreid.search.same_person import decide

_PICTURE = Path("search.png")
_DRAWN_QUERIES = 12
_DRAWN_HITS = 8
_DRAWABLE = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}


@dataclass(frozen=True)
class Query:
    """One query: a thumbnail to show, and its codes, one row each."""

    name: str
    entry: str | None
    """Its id, if it is an entry of the gallery itself, which then is no result."""
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


@dataclass(frozen=True)
class Found:
    """What one query found."""

    hits: list[Hit]
    unknown: bool | None
    """Whether no entry is near enough to be the query's person; None without a threshold."""


def search(
    gallery: Annotated[Path, typer.Argument(help="The gallery's folder.")],
    pictures: Annotated[list[Path] | None, typer.Argument(help="Query pictures, or folders of them.")] = None,
    like: Annotated[list[str] | None, typer.Option(help="Id of an entry of the gallery to use as the query.")] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=10_000, help="Results per query.")] = 10,
    camera: Annotated[list[str] | None, typer.Option(help="Only entries of this camera; may be repeated.")] = None,
    not_camera: Annotated[list[str] | None, typer.Option(help="No entries of this camera; may be repeated.")] = None,
    other_cameras: Annotated[
        bool, typer.Option("--other-cameras", help="No entries of the query's own camera, which its name tells.")
    ] = False,
    after: Annotated[
        str | None, typer.Option(help="Only entries from this time on (ISO 8601 or Unix seconds).")
    ] = None,
    before: Annotated[str | None, typer.Option(help="Only entries before this time.")] = None,
    cascade: Annotated[
        str | None, typer.Option(help="Stages, such as 'id32<=11 > id128<=45 > id2048'. Default: the calibrated one.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare the longest code with every entry.")] = False,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder file to use instead of the gallery's copy (its calibration counts).")
    ] = None,
    same_person: Annotated[
        float | None,
        typer.Option("--same-person", help="Largest distance in bits of the same person. Default: the calibrated one."),
    ] = None,
    unknown: Annotated[
        bool, typer.Option("--unknown/--no-unknown", help="Say 'unknown' of a query with no entry that near.")
    ] = True,
    rerank: Annotated[
        bool,
        typer.Option("--rerank", help="Order the first 1,000 results by k-reciprocal neighbours among themselves."),
    ] = False,
    k1: K1Option = None,
    k2: K2Option = None,
    lambda_: LambdaOption = None,
    picture: Annotated[
        Path | None,
        typer.Option(show_default=str(_PICTURE), help="Where to write the picture of the first queries' results."),
    ] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Write no picture.")] = False,
    threads: Annotated[
        int, typer.Option(min=1, max=256, help="Threads that search; no more are used than there are processors.")
    ] = 1,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Search a gallery for the people in some pictures."""
    report = Report(as_json=as_json, quiet=quiet)
    _refuse_both(
        ("--exact", exact, "--cascade", cascade),
        ("--no-picture", no_picture, "--picture", picture),
        ("--no-unknown", not unknown, "--same-person", same_person),
    )
    settings = settings_of(rerank=rerank, k1=k1, k2=k2, lambda_=lambda_)
    drawn = None if no_picture else output_file("--picture", picture or _PICTURE, suffixes=tuple(_DRAWABLE))
    threads = _threads(threads, report)
    bad = BadPictures(report)
    filters = Filters(camera or [], not_camera or [], after, before)
    with Gallery.open(gallery, read_only=True) as opened:
        used = open_encoder(encoder or encoder_of(opened))
        opened.check_encoder(used.fingerprint, used.card.name)
        stages, why = choose_cascade(used, cascade, exact=exact)
        filters.check(opened)
        queries = [_entry_query(opened, id_) for id_ in like or []]
        queries += _picture_queries(used, pictures or [], bad, report)
        if not queries:
            raise UsageError("say whom to search: query pictures, or --like ID")
        threshold = choose_threshold(used, same_person, stages, report) if unknown else None
        pool = pool_of(k, settings)
        reports: list[StageReports] = []
        groups = _by_camera(queries, other_cameras=other_cameras)
        answers: dict[int, Found] = {}
        largest = 0
        for own, members in groups.items():
            with filters.snapshot(opened, own) as snapshot:
                codes = {c: np.concatenate([queries[i].codes[c] for i in members]) for c in used.spec}
                largest = max(largest, snapshot.live)
                if not snapshot.live:
                    report.warn(f"nothing to search in: {filters.why_empty(opened, snapshot, own)}")
                # One more than asked for, because a query that is an entry finds itself.
                result = stages.search(snapshot.table, codes, k=pool + 1, threads=threads, mask=snapshot.mask)
                reports.append(result.report)
                same = None if threshold is None else decide(result, threshold).same
                orders = [
                    Ranked(_others(result, row, queries[i], snapshot)).first(pool) for row, i in enumerate(members)
                ]
                if settings is not None:
                    final = stages.stages[-1].code
                    with report.progress("re-ranking") as advance:
                        orders = reorder(result, orders, snapshot.table, final, codes[final], settings, advance)
                for row, (i, ranked) in enumerate(zip(members, orders, strict=True)):
                    # Whether somebody is near enough is a matter of the distance, whatever re-ranking shows first.
                    nobody = None if same is None else not bool(same[row, ranked.columns].any())
                    shown = 0 if drawn is None or i >= _DRAWN_QUERIES else _DRAWN_HITS
                    hits = _hits(result, row, ranked.first(k), queries[i], snapshot, stages, same, thumbnails=shown)
                    answers[i] = Found(hits, nobody)
        found = [answers[i] for i in range(len(queries))]
    _print(report, queries, found)
    report.text(f"cascade: {stages} ({why})")
    report.note(str(StageReports.total(reports)))
    note_pool(settings, pool, largest, report)
    note_size(threshold, largest, report)
    if drawn is not None:
        report.text(f"picture: {_draw(queries[:_DRAWN_QUERIES], found, drawn)}")
    report.document(
        {
            "gallery": str(gallery),
            "cascade": str(stages),
            "stages": [asdict(stage) for stage in StageReports.total(reports)],
            "picture": None if drawn is None else str(drawn),
            "same_person": stated(threshold, stages),
            "reranking": stated_reranking(settings, pool),
            "queries": [
                {
                    "query": q.name,
                    "person": q.person,
                    "camera": q.camera,
                    "unknown": f.unknown,
                    "results": [_as_json(i, h) for i, h in enumerate(f.hits, 1)],
                }
                for q, f in zip(queries, found, strict=True)
            ],
            **bad.as_dict(),
        }
    )


def _refuse_both(*pairs: tuple[str, bool, str, object]) -> None:
    """Of each pair (flag, whether it is given, option, its value or None) only one may be given."""
    for flag, given, option, value in pairs:
        if given and value is not None:
            raise UsageError(f"{flag} and {option} exclude each other: give one of them")


def _picture_queries(encoder: Encoder, roots: Sequence[Path], bad: BadPictures, report: Report) -> list[Query]:
    """Queries from picture files; one that cannot be read is an error when it is the only one, else a warning."""
    sources = pictures_below(roots)
    on_bad = bad if len(sources) != 1 else None
    queries: list[Query] = []
    with report.progress("encoding") as advance:
        paths = [source.path for source in sources]
        for batch in encode_paths(encoder, paths, thumbnails=True, on_bad=on_bad, progress=advance):
            for row, (i, jpeg) in enumerate(zip(batch.indices, batch.thumbnails, strict=True)):
                source = sources[i]
                codes = {name: code[row : row + 1] for name, code in batch.encoding.codes.items()}
                queries.append(Query(str(source.path), None, jpeg, codes, source.person, source.camera or None))
    if sources and not queries:
        raise SwiftReIDError(f"none of the {len(sources)} query pictures could be read")
    return queries


def _entry_query(opened: Gallery, id_: str) -> Query:
    stored = opened.get(id_)
    codes = {name: np.atleast_2d(code) for name, code in stored.codes.items()}
    return Query(id_, id_, stored.thumbnail, codes, stored.entry.person, stored.entry.camera)


def _by_camera(queries: Sequence[Query], *, other_cameras: bool) -> dict[str | None, list[int]]:
    """Queries grouped by the camera to leave out, so that each group is one search."""
    groups: dict[str | None, list[int]] = {}
    for i, query in enumerate(queries):
        if other_cameras and query.camera is None:
            raise UsageError(f"--other-cameras: the name of {query.name} does not tell its camera; use --not-camera")
        groups.setdefault(query.camera if other_cameras else None, []).append(i)
    return groups


def _hits(
    result: SearchResult,
    row: int,
    ranked: Ranked,
    query: Query,
    snapshot: Snapshot,
    stages: Cascade,
    same: NDArray[np.bool_] | None,
    *,
    thumbnails: int,
) -> list[Hit]:
    """The ranked entries of one query, the first of them with ``thumbnails``."""
    positions = result.indices[row, ranked.columns].tolist()
    return [
        Hit(
            entry=entry,
            distance=int(result.distances[row, column]),
            code=stages.stages[int(result.stages[row, column])].code,
            thumbnail=snapshot.thumbnail(position) if place < thumbnails else None,
            right=None if query.person is None or entry.person is None else query.person == entry.person,
            same_person=None if same is None else bool(same[row, column]),
            reranked=None if ranked.distances is None else ranked.distances[place],
        )
        for place, (column, position, entry) in enumerate(
            zip(ranked.columns.tolist(), positions, snapshot.entries(positions), strict=True)
        )
    ]


def _others(result: SearchResult, row: int, query: Query, snapshot: Snapshot) -> NDArray[np.int64]:
    """Columns of a query's results; without its own if it is an entry itself."""
    columns = np.arange(int(result.counts[row]))
    if query.entry is None:
        return columns
    near = columns[result.distances[row, columns] == 0]
    own = [id_ == query.entry for id_ in snapshot.ids(result.indices[row, near].tolist())]
    return np.delete(columns, near[own])


def _print(report: Report, queries: Sequence[Query], found: Sequence[Found]) -> None:
    marks = {True: "yes", False: "no", None: "-"}
    for query, answer in zip(queries, found, strict=True):
        decided = answer.unknown is not None
        reranked = any(hit.reranked is not None for hit in answer.hits)
        columns = ["rank", "entry", "distance", *(["re-ranked"] if reranked else []), "camera", "time", "person"]
        columns += ["right", *(["same person"] if decided else [])]
        rows = [
            (
                rank,
                h.entry.id,
                h.distance,
                *([f"{h.reranked:.3f}"] if reranked else []),
                h.entry.camera,
                moment(h.entry.time),
                h.entry.person,
                marks[h.right],
                *([marks[h.same_person]] if decided else []),
            )
            for rank, h in enumerate(answer.hits, 1)
        ]
        report.table(f"{query.name}: unknown" if answer.unknown else query.name, columns, rows)


def _as_json(rank: int, hit: Hit) -> dict[str, Any]:
    entry = hit.entry
    return {
        "rank": rank,
        "id": entry.id,
        "distance": hit.distance,
        "code": hit.code,
        "camera": entry.camera,
        "time": entry.time,
        "person": entry.person,
        "labels": dict(entry.labels),
        "right": hit.right,
        "same_person": hit.same_person,
        "reranked": hit.reranked,
    }


def _threads(wanted: int, report: Report) -> int:
    """As many as asked for, up to the processors there are: more only wait for one another."""
    there = processors()
    if wanted > there:
        report.note(f"--threads {wanted}: this process may use {there} processors, so {there} threads search")
    return min(wanted, there)


def _draw(queries: Sequence[Query], found: Sequence[Found], path: Path) -> str:
    """Write a picture of these queries with their best entries; where it is, in words."""
    rankings = [
        Ranking(
            query=_shown(query.thumbnail, query.name),
            caption=Path(query.name).name,
            candidates=[
                Candidate(
                    picture=_shown(hit.thumbnail, hit.entry.id),
                    distance=f"{hit.distance} / {bits_of(hit.code)}",
                    verdict=hit.right,
                    caption=f"camera {hit.entry.camera}",
                )
                for hit in answer.hits[:_DRAWN_HITS]
            ],
        )
        for query, answer in zip(queries, found, strict=False)
    ]
    content = io.BytesIO()
    draw_rankings(rankings).save(content, _DRAWABLE[path.suffix.lower()])
    return written(path, content.getvalue())


def _shown(thumbnail: bytes | None, name: str) -> NDArray[np.uint8]:
    return np.full((128, 64, 3), 200, np.uint8) if thumbnail is None else read_picture(thumbnail, name=name)
