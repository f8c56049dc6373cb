"""`swiftreid group` and `swiftreid people ...`: sort a gallery's entries into people, and correct the groups."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from swiftreid.adaptation.grouping import group_people
from swiftreid.adaptation.people import PersonGroup, merge_people, name_person, people_in, split_person
from swiftreid.adaptation.people_sheet import MOST, PEOPLE, draw_people
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.outputs import output_file, written
from swiftreid.cli.sources import moment
from swiftreid.clustering.answers import load_answers
from swiftreid.retrieval.local import LocalGallery
from swiftreid.retrieval.opening import open_gallery
from swiftreid.search.stages import EMBEDDING

app = typer.Typer(help="The groups of a gallery's people: list, draw, merge, split, name.", no_args_is_help=True)

GalleryPath = Annotated[Path, typer.Argument(help="The gallery's folder.")]
SheetOption = Annotated[
    Path | None,
    typer.Option("--sheet", help="PNG file for a contact sheet, a row of pictures for each person; it is private."),
]
LimitOption = Annotated[
    int, typer.Option("--limit", min=1, help="How many groups to print and to draw, the largest. --json has them all.")
]


def group(
    gallery: GalleryPath,
    answers: Annotated[
        Path | None, typer.Option(help="CSV with columns one, other (ids) and same (yes or no), of pairs of entries.")
    ] = None,
    sheet: SheetOption = None,
    limit: LimitOption = PEOPLE,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Sort a gallery's entries into people, without labels. `swiftreid people` shows and corrects the groups.

    Entries with a name, and what was merged, split or named by hand, stay as they are, however often this is run.
    """
    report = Report(as_json=as_json, quiet=quiet)
    file = None if sheet is None else output_file("--sheet", sheet, suffixes=(".png",))
    known = load_answers(answers) if answers else []
    with open_gallery(gallery) as opened:
        done = group_people(opened, answers=known, progress=report.progress)
        if done.by != EMBEDDING:
            report.note(f"compared by {done.by}: the gallery keeps no embeddings, which would tell a little more")
        if done.unknown:
            report.warn(f"{done.unknown:,} answers were left out: {gallery} lacks an entry that they are about")
        if done.ignored:
            report.warn(f"{done.ignored:,} answers were left out: they join people who are known to be two")
        _print(report, f"{len(done.people):,} people in {gallery}", done.people, limit)
        report.text(f"{done.alone:,} entries in no group; {done.changed:,} entries changed their group")
        if file is not None and not done.people:
            report.warn(f"no contact sheet was drawn: no two entries of {gallery} are known to show one person")
        drawn = _sheet(report, opened, done.people[:limit], file if done.people else None)
    rest = {"alone": done.alone, "changed": done.changed, "by": done.by}
    left_out = {"ignored": done.ignored, "unknown": done.unknown}
    report.document({"gallery": str(gallery), **rest, **left_out, "people": _documents(done.people), **drawn})


@app.command("list")
def list_people(
    gallery: GalleryPath,
    sheet: SheetOption = None,
    limit: LimitOption = PEOPLE,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the groups, the largest first; `gallery list --label person_group=7` lists the entries of one."""
    report = Report(as_json=as_json, quiet=quiet)
    file = None if sheet is None else output_file("--sheet", sheet, suffixes=(".png",))
    with open_gallery(gallery, read_only=True) as opened:
        people = people_in(opened)
        _print(report, f"{len(people):,} people in {gallery}", people, limit)
        drawn = _sheet(report, opened, people[:limit], file)
    report.document({"gallery": str(gallery), "people": _documents(people), **drawn})


@app.command()
def merge(
    gallery: GalleryPath,
    numbers: Annotated[list[int], typer.Argument(help="Numbers of the groups.")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make one group of several that show one person."""
    report = Report(as_json=as_json, quiet=quiet)
    with open_gallery(gallery) as opened:
        _changed(report, opened, merge_people(opened, numbers))


@app.command()
def split(
    gallery: GalleryPath,
    ids: Annotated[list[str], typer.Argument(help="Ids of the entries to take out, of one group.")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take entries out of their group: they become one of their own. Those that had a name lose it."""
    report = Report(as_json=as_json, quiet=quiet)
    with open_gallery(gallery) as opened:
        _changed(report, opened, split_person(opened, ids))


@app.command()
def name(
    gallery: GalleryPath,
    number: Annotated[int, typer.Argument(help="Number of the group.")],
    person: Annotated[str, typer.Argument(help="Name of the person.")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Name a group: all its entries get this person. Groups of the same name become one."""
    report = Report(as_json=as_json, quiet=quiet)
    with open_gallery(gallery) as opened:
        _changed(report, opened, name_person(opened, number, person))


def _changed(report: Report, gallery: LocalGallery, number: int) -> None:
    own = [person for person in people_in(gallery) if person.number == number]
    _print(report, f"now in {gallery.store.path}", own, 1)
    report.document({"gallery": str(gallery.store.path), "person": _documents(own)[0]})


def _print(report: Report, title: str, people: Sequence[PersonGroup], limit: int) -> None:
    columns = ["group", "person", "entries", "by hand", "cameras", "first seen", "last seen"]
    report.table(title, columns, [_row(person) for person in people[:limit]])
    if len(people) > limit:
        report.note(f"and {len(people) - limit:,} smaller groups: --limit prints more")


def _row(person: PersonGroup) -> list[Any]:
    times = person.times or (None, None)
    cameras = ", ".join(f"{camera}: {count}" for camera, count in person.cameras.items())
    counts = [len(person.entries), person.by_hand]
    return [str(person.number), person.name, *counts, cameras, moment(times[0]), moment(times[1])]


def _documents(people: Sequence[PersonGroup]) -> list[dict[str, Any]]:
    return [
        {
            "group": person.number,
            "person": person.name,
            "ids": person.ids,
            "by_hand": person.by_hand,
            "cameras": person.cameras,
            "times": person.times,
        }
        for person in people
    ]


def _sheet(report: Report, gallery: LocalGallery, people: Sequence[PersonGroup], file: Path | None) -> dict[str, str]:
    """Write a contact sheet where one is asked for; say where it is."""
    if file is None:
        return {}
    if len(people) > MOST:
        report.warn(f"the contact sheet shows the {MOST} largest of {len(people):,} groups")
    content = io.BytesIO()
    draw_people(gallery, people[:MOST]).save(content, "PNG")
    report.text(f"contact sheet: {written(file, content.getvalue(), shows_people=True)}")
    return {"sheet": str(file)}
