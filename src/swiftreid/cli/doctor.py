"""`swiftreid doctor`: whether a data set is sound, and what to do if it is not."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.datasets import (
    DataArgument,
    FoldersOption,
    KindOption,
    RootOption,
    TrainOption,
    folders_choice,
    train_choice,
)
from swiftreid.cli.outputs import output_file, written

_COMMANDS: Final[Mapping[str, str]] = {
    "one-camera": "swiftreid evaluate --no-cameras",
    "further-distractors": "swiftreid evaluate --distractors",
}
"""Kind of a finding -> the command that does what is advised."""


def doctor(
    data: DataArgument,
    kind: KindOption = None,
    folders: FoldersOption = None,
    train: TrainOption = "train+val",
    root: RootOption = None,
    no_decode: Annotated[bool, typer.Option("--no-decode", help="Do not decode the pictures.")] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Where to draw a contact sheet of some pictures: .png or .jpg.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check a data set and give advice; exit code 1 if it cannot be evaluated."""
    from swiftreid.data.doctor import examine
    from swiftreid.figures.contact_sheet import draw_contact_sheet

    report = Report(as_json=as_json, quiet=quiet)
    sheet = None if sheet is None else output_file("--sheet", sheet, suffixes=(".png", ".jpg", ".jpeg"))
    examination = examine(
        data,
        kind=kind,
        train=train_choice(train),
        root=root,
        folders=folders_choice(folders),
        decode=not no_decode,
        progress=report.progress,
    )
    diagnosis = examination.diagnosis
    rows = diagnosis.count_rows()
    if any(row[1] for row in rows):
        report.table(f"{data}", ["split", "pictures", "persons", "cameras", "junk", "distractors"], rows)
    for note in diagnosis.notes:
        report.text(f"read as: {note}")
    for finding in diagnosis.findings:
        report.text(f"{finding.severity}: {finding.message}")
        if finding.advice:
            command = f" (`{_COMMANDS[finding.kind]}`)" if finding.kind in _COMMANDS else ""
            report.text(f"    {finding.advice}{command}")
    if not diagnosis.findings:
        report.text("no problems found")
    document = diagnosis.to_dict()
    if sheet is not None and any(row[1] for row in rows):
        picture = io.BytesIO()
        draw_contact_sheet(examination).save(picture, "PNG" if sheet.suffix.lower() == ".png" else "JPEG", quality=90)
        where = written(sheet, picture.getvalue(), shows_people=True)
        report.text(f"contact sheet: {where}. It shows people: protect it like the data set.")
        document |= {"sheet": str(sheet)}
    if not diagnosis.ok:
        report.fail(f"{data} cannot be evaluated as it is; see the findings", document)
    report.document(document)
