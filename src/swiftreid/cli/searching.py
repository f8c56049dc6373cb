"""`swiftreid search`: who is this, and where else was this person seen?"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli import answers as printed
from swiftreid.cli.cascades import read_cascade
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.devices import CPU, DeviceOption, EncoderThreadsOption
from swiftreid.cli.filters import (
    AfterOption,
    BeforeOption,
    CameraOption,
    FilterOptions,
    LabelOption,
    NotCameraOption,
    PersonOption,
    TrackOption,
)
from swiftreid.cli.outputs import output_file, written
from swiftreid.cli.reranking import K1Option, K2Option, LambdaOption, settings_of, stated_reranking
from swiftreid.cli.sources import BadPictures
from swiftreid.encoding.runtimes.contract import processors
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.figures.ranking_picture import draw_rankings
from swiftreid.retrieval.answer import Answer
from swiftreid.retrieval.cascades import codes_of
from swiftreid.retrieval.drawing import HITS, rankings_of
from swiftreid.retrieval.opening import open_gallery
from swiftreid.retrieval.query import PersonDescription, Query
from swiftreid.retrieval.ranking import pool_of
from swiftreid.retrieval.samples import samples_below
from swiftreid.search.results import SearchReport

_PICTURE = Path("search.png")
_DRAWN_QUERIES = 12
_WITH_THUMBNAILS = 64  # more queries than are drawn, for some may be unreadable
_DRAWABLE = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}

HasOption = Annotated[
    list[str] | None,
    typer.Option("--has", help="An attribute that the person has, such as backpack; may be repeated."),
]
UpperOption = Annotated[
    list[str] | None, typer.Option("--upper", help="Colour or pattern of the upper garment; may be repeated.")
]
LowerOption = Annotated[
    list[str] | None, typer.Option("--lower", help="Colour or pattern of the lower garment; may be repeated.")
]
NotOption = Annotated[
    list[str] | None, typer.Option("--not", help="An attribute that the person does not have; may be repeated.")
]


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
    camera: CameraOption = None,
    not_camera: NotCameraOption = None,
    other_cameras: Annotated[
        bool,
        typer.Option(
            "--other-cameras", help="No entries of the query's own camera: --query-camera, or by its file's name."
        ),
    ] = False,
    query_camera: Annotated[
        str | None, typer.Option(help="Camera of the query pictures. Default: what their files' names state.")
    ] = None,
    person: PersonOption = None,
    track: TrackOption = None,
    label: LabelOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    cascade: Annotated[
        str | None, typer.Option(help="Stages, such as 'id32<=11 > id128<=45 > id2048'. Default: the calibrated one.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare the longest code with every entry.")] = False,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder file to use instead of the gallery's copy, with its calibration.")
    ] = None,
    same_person: Annotated[
        float | None,
        typer.Option("--same-person", help="Largest distance in bits of the same person. Default: the calibrated one."),
    ] = None,
    unknown: Annotated[
        bool, typer.Option("--unknown/--no-unknown", help="Decide whether the person is there, or 'unknown'.")
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
        int, typer.Option(min=1, max=256, help="Threads that search, at most one for each processor.")
    ] = 1,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Search a gallery for the people in some pictures, or for people who fit a description.

    Give a description with --has, --upper, --lower and --not; the encoder must have learned attributes. All conditions
    must hold. A description alone ranks the entries by how well they fit. With pictures, only entries that fit are
    searched; if they are few, those that fit next best are added, up to a tenth of the gallery.
    """
    report = Report(as_json=as_json, quiet=quiet)
    _refuse_both(
        ("--exact", exact, "--cascade", cascade),
        ("--no-picture", no_picture, "--picture", picture),
        ("--no-unknown", not unknown, "--same-person", same_person),
    )
    settings = settings_of(rerank=rerank, k1=k1, k2=k2, lambda_=lambda_)
    drawn = None if no_picture else output_file("--picture", picture or _PICTURE, suffixes=tuple(_DRAWABLE))
    options = FilterOptions(camera, not_camera, person, track, label, after, before, other_cameras)
    with open_gallery(
        gallery,
        encoder=encoder,
        read_only=True,
        threads=_threads(threads, report),
        device=device,
        encoder_threads=encoder_threads,
    ) as people:
        asking = partial(
            Query,
            description=_description(has, upper, lower, lacks),
            k=k,
            cascade=None if cascade is None else read_cascade(cascade, codes_of(people.store)),
            exact=exact,
            filters=options.filters(people.store),
            threshold=(same_person if same_person is not None else "calibrated") if unknown else None,
            reranking=settings,
            camera=query_camera,
        )
        files = [sample.path for sample in samples_below(pictures or [])]
        queries = _queries(asking, like or [], files, together=together)
        if drawn is not None:
            queries[:_WITH_THUMBNAILS] = [replace(query, thumbnails=HITS) for query in queries[:_WITH_THUMBNAILS]]
        bad = BadPictures(report)
        answers = people.search_batch(queries, on_bad=None if len(files) == 1 else bad, progress=report.progress)
        card = people.card
    if files and len(bad.found) == len(set(files)):
        raise SwiftReIDError(f"none of the {len(files)} query pictures could be read")
    found = [answer for answer in answers if not answer.noted("unreadable")]
    first, stages = found[0], answers.report or SearchReport([])
    printed.warn(report, found, options)
    printed.tables(report, found)
    printed.cascade(report, first, card)
    report.note(str(stages))
    printed.notes(report, found, card)
    if drawn is not None:
        report.text(f"picture: {_draw(found[:_DRAWN_QUERIES], drawn)}")
        _note_picture(found, report)
    report.document(
        {
            "gallery": str(gallery),
            "cascade": str(first.cascade),
            **printed.description_document(first),
            "stages": [asdict(stage) for stage in stages],
            "picture": None if drawn is None else str(drawn),
            "same_person": printed.threshold_document(first),
            "reranking": stated_reranking(settings, pool_of(k, settings)),
            "queries": [printed.answer_document(answer) for answer in found],
            **bad.as_dict(),
        }
    )


def _description(
    has: Sequence[str] | None, upper: Sequence[str] | None, lower: Sequence[str] | None, lacks: Sequence[str] | None
) -> PersonDescription | None:
    words = [tuple(given or ()) for given in (has, upper, lower, lacks)]
    return PersonDescription(*words) if any(words) else None


def _queries(asking: partial[Query], like: Sequence[str], files: Sequence[Path], *, together: bool) -> list[Query]:
    """One query for each entry and picture, or one for all of them together, or one that only describes."""
    if together:
        if not like and not files:
            raise UsageError("--together searches for several pictures of one person at once: give them, or --like")
        return [asking(ids=like, pictures=files)]
    if like or files:
        return [asking(ids=id_) for id_ in like] + [asking(pictures=file) for file in files]
    if asking.keywords["description"] is None:
        raise UsageError("give a query: pictures, --like ID, or a description such as --has backpack")
    return [asking()]


def _refuse_both(*pairs: tuple[str, bool, str, object]) -> None:
    """Of each pair (flag, whether it is given, option, its value or None) only one may be given."""
    for flag, given, option, value in pairs:
        if given and value is not None:
            raise UsageError(f"{flag} and {option} exclude each other: give one of them")


def _threads(wanted: int, report: Report) -> int:
    """As many as asked for, up to the processors there are: more only wait for one another."""
    there = processors()
    if wanted > there:
        report.note(f"--threads {wanted}: this process may use {there} processors, so {there} threads search")
    return min(wanted, there)


def _note_picture(answers: Sequence[Answer], report: Report) -> None:
    """Print which results the picture leaves out."""
    words = [f"first {HITS} results"] * any(len(answer.hits) > HITS for answer in answers)
    words += [f"first {_DRAWN_QUERIES} queries"] * (len(answers) > _DRAWN_QUERIES)
    if words:
        report.note(f"the picture shows the {' of the '.join(words)}")


def _draw(answers: Sequence[Answer], path: Path) -> str:
    """Write a picture of these answers; where it is, in words."""
    content = io.BytesIO()
    draw_rankings(rankings_of(answers)).save(content, _DRAWABLE[path.suffix.lower()])
    return written(path, content.getvalue(), shows_people=True)
