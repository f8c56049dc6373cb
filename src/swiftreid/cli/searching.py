"""`swiftreid search`: who is this, and where else was this person seen?"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from swiftreid.bench.contender import processors
from swiftreid.cli.answering import (
    DRAWN_QUERIES,
    Answering,
    Found,
    Hit,
    Query,
    entry_query,
    one_person,
    picture_queries,
)
from swiftreid.cli.calibrations import choose_threshold, note_size, stated
from swiftreid.cli.cascades import choose_cascade
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.describing import Described, HasOption, LowerOption, NotOption, UpperOption, described
from swiftreid.cli.filters import Filters
from swiftreid.cli.outputs import output_file, written
from swiftreid.cli.reranking import (
    K1Option,
    K2Option,
    LambdaOption,
    note_pool,
    pool_of,
    settings_of,
    stated_reranking,
)
from swiftreid.cli.sources import BadPictures, encoder_of, moment
from swiftreid.data.pictures import read_picture
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import UsageError
from swiftreid.figures.ranking_picture import Candidate, Ranking, draw_rankings
from swiftreid.gallery.store import Gallery
from swiftreid.search.codes import bits_of
from swiftreid.search.results import Report as StageReports

_PICTURE = Path("search.png")
_DRAWN_HITS = 8
_DRAWABLE = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}


def search(
    gallery: Annotated[Path, typer.Argument(help="The gallery's folder.")],
    pictures: Annotated[list[Path] | None, typer.Argument(help="Query pictures, or folders of them.")] = None,
    like: Annotated[list[str] | None, typer.Option(help="Id of an entry of the gallery to use as the query.")] = None,
    together: Annotated[
        bool, typer.Option("--together", help="All queries show one person: search once, for all of them together.")
    ] = False,
    has: HasOption = None,
    upper: UpperOption = None,
    lower: LowerOption = None,
    lacks: NotOption = None,
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
    """Search a gallery for the people in some pictures, or for those whom a description fits.

    A description is made of --has, --upper, --lower and --not, for an encoder that has learned attributes; all that it
    says should be so. Alone it finds whom it fits best; with pictures these are searched among those whom it fits, and
    where they are few, among those whom it fits next best: as many as are no more than a tenth of the gallery.
    """
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
        said = described(used, has, upper, lower, lacks)
        by_picture = bool(pictures or like)
        if said is not None and not by_picture:
            stages, why = said.alone(), "the description, of every entry"
            _refuse_alone(rerank=rerank, cascade=cascade, exact=exact, same_person=same_person)
        else:
            stages, why = choose_cascade(used, cascade, exact=exact)
        if said is not None and by_picture:
            why = f"{why}; among those whom the description lets pass"
        filters.check(opened)
        queries = [entry_query(opened, id_) for id_ in like or []]
        queries += picture_queries(used, pictures or [], bad, report)
        if together and not queries:
            raise UsageError("--together searches for several pictures of one person at once: give them, or --like")
        if together:
            queries = [one_person(queries)]
        if said is not None and not by_picture:
            queries = [Query(str(said.description), (), None, {}, None, None)]
        if not queries:
            raise UsageError("say whom to search: query pictures, --like ID, or a description such as --has backpack")
        threshold = choose_threshold(used, same_person, stages, report) if unknown and by_picture else None
        asked = Answering(stages, said, threshold, settings, k, threads, _DRAWN_HITS if drawn else 0)
        found, reports, largest = asked.answers(queries, opened, filters, report, other_cameras=other_cameras)
    pool = pool_of(k, settings)
    _print(report, queries, found)
    report.text(f"cascade: {stages} ({why})")
    report.note(str(StageReports.total(reports)))
    note_pool(settings, pool, largest, report)
    note_size(threshold, largest, report)
    if said is not None:
        _note_description(said, used.card.name, found, report, by_picture=by_picture)
    if drawn is not None:
        words = f", {said.description}" if said and by_picture else ""
        report.text(f"picture: {_draw(queries[:DRAWN_QUERIES], found, drawn, words)}")
        _note_picture(queries, found, report)
    report.document(
        {
            "gallery": str(gallery),
            "cascade": str(stages),
            "description": dict(said.description.bits) if said else None,
            "hardly_told": said.hardly_told if said else None,
            "never_measured": said.never_measured if said else None,
            "right_share": said.right if said else None,
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
                    "passing": f.passing,
                    "results": [_as_json(i, h) for i, h in enumerate(f.hits, 1)],
                }
                for q, f in zip(queries, found, strict=True)
            ],
            **bad.as_dict(),
        }
    )


def _refuse_alone(*, rerank: bool, cascade: str | None, exact: bool, same_person: float | None) -> None:
    if rerank or cascade or exact or same_person is not None:
        raise UsageError(
            "a description alone is one stage, of attributes: leave out --rerank, --cascade, --exact and "
            "--same-person, or add a query picture"
        )


def _note_description(
    said: Described, encoder: str, found: Sequence[Found], report: Report, *, by_picture: bool
) -> None:
    """Say how many fit or pass, where nobody fits, and what the encoder cannot tell."""
    passing = " or ".join(f"{n:,}" for n in sorted({answer.passing or 0 for answer in found}))
    if by_picture:
        right = "" if said.right is None else f", about {100 * said.right:.0f} % or more of those of whom it is true"
        report.note(f"the description lets {passing} entries pass{right}")
    elif passing != "0":
        report.note(f"the description fits {passing} entries, surely or not")
    hits = [hit for answer in found for hit in answer.hits if hit.likeness is not None]
    if hits and all(hit.likeness is not None and hit.likeness.differs for hit in hits):
        report.note(f"nobody here fits all of it: {said.description}")
    where = "(`swiftreid encoder info` has how well each)"
    if said.hardly_told:
        ignored = ", so nobody is left out for it" if by_picture else ""
        names = " and ".join(said.hardly_told)
        report.note(f"{encoder} tells {names} hardly better than by chance{ignored} {where}")
    if said.never_measured:
        names = " and ".join(said.never_measured)
        report.note(f"how well {encoder} tells {names} was never measured {where}")


def _refuse_both(*pairs: tuple[str, bool, str, object]) -> None:
    """Of each pair (flag, whether it is given, option, its value or None) only one may be given."""
    for flag, given, option, value in pairs:
        if given and value is not None:
            raise UsageError(f"{flag} and {option} exclude each other: give one of them")


def _print(report: Report, queries: Sequence[Query], found: Sequence[Found]) -> None:
    marks = {True: "yes", False: "no", None: "-"}
    for query, answer in zip(queries, found, strict=True):
        decided = answer.unknown is not None
        reranked = any(hit.reranked is not None for hit in answer.hits)
        columns = ["rank", "entry", "distance", *(["re-ranked"] if reranked else []), "camera", "time", "person"]
        judged = any(hit.right is not None for hit in answer.hits)
        columns += [*(["right"] if judged else []), *(["same person"] if decided else [])]
        told = any(hit.likeness is not None for hit in answer.hits)
        columns += ["differs in"] if told else []
        rows = [
            (
                rank,
                h.entry.id,
                h.distance,
                *([f"{h.reranked:.3f}"] if reranked else []),
                h.entry.camera,
                moment(h.entry.time),
                h.entry.person,
                *([marks[h.right]] if judged else []),
                *([marks[h.same_person]] if decided else []),
                *([str(h.likeness)] if told else []),
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
        "differs": hit.likeness.differs if hit.likeness else None,
        "unsure": hit.likeness.unsure if hit.likeness else None,
    }


def _threads(wanted: int, report: Report) -> int:
    """As many as asked for, up to the processors there are: more only wait for one another."""
    there = processors()
    if wanted > there:
        report.note(f"--threads {wanted}: this process may use {there} processors, so {there} threads search")
    return min(wanted, there)


def _note_picture(queries: Sequence[Query], found: Sequence[Found], report: Report) -> None:
    """Say what of the results the picture does not show."""
    queries_left, hits_left = len(queries) > DRAWN_QUERIES, any(len(answer.hits) > _DRAWN_HITS for answer in found)
    words = [f"first {_DRAWN_HITS} results"] * hits_left + [f"first {DRAWN_QUERIES} queries"] * queries_left
    if words:
        report.note(f"the picture shows the {' of the '.join(words)}")


def _draw(queries: Sequence[Query], found: Sequence[Found], path: Path, words: str) -> str:
    """Write a picture of these queries with their best entries; where it is, in words.

    Args:
        queries: to be drawn.
        found: what each found.
        path: of the picture.
        words: behind the name of each query.
    """
    rankings = [
        Ranking(
            query=_shown(query.thumbnail, query.name),
            caption=f"{Path(query.name).name}{words}",
            candidates=[
                Candidate(
                    picture=_shown(hit.thumbnail, hit.entry.id),
                    distance=_measure(hit),
                    verdict=hit.right,
                    caption=_caption(hit),
                )
                for hit in answer.hits[:_DRAWN_HITS]
            ],
        )
        for query, answer in zip(queries, found, strict=False)
    ]
    content = io.BytesIO()
    draw_rankings(rankings).save(content, _DRAWABLE[path.suffix.lower()])
    return written(path, content.getvalue(), shows_people=True)


def _measure(hit: Hit) -> str:
    """How far an entry is, in a few words below its picture."""
    return (
        hit.likeness.verdict
        if hit.likeness and hit.code.startswith("attr")
        else f"{hit.distance} / {bits_of(hit.code)}"
    )


def _caption(hit: Hit) -> str:
    """Its camera, and how the description fits where it is not what entries are ordered by."""
    also = f", {hit.likeness.verdict}" if hit.likeness and not hit.code.startswith("attr") else ""
    return f"camera {hit.entry.camera}{also}"


def _shown(thumbnail: bytes | None, name: str) -> NDArray[np.uint8]:
    return np.full((128, 64, 3), 200, np.uint8) if thumbnail is None else read_picture(thumbnail, name=name)
