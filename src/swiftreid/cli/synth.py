"""`swiftreid synth`: render people who never existed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.errors import UsageError

SEEN_BY = 6
"""Cameras that see a person by default; all of them, if there are fewer."""


def synth(
    out: Annotated[Path, typer.Argument(help="Folder to write, in Market-1501 layout with an attribute file.")],
    people: Annotated[int, typer.Option(min=2, help="Identities, numbered from 1; at most 9999.")] = 60,
    cameras: Annotated[int, typer.Option(min=1, help="Cameras, each with its own height, lens and colours.")] = 12,
    shots: Annotated[int, typer.Option(min=1, help="Pictures of a person at a camera that sees them.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed renders the same people.")] = 0,
    height: Annotated[int, typer.Option(min=32, max=1024)] = 256,
    width: Annotated[int, typer.Option(min=16, max=1024)] = 128,
    seen_by: Annotated[int, typer.Option(min=1, help="Cameras that see a person, drawn for each person.")] = SEEN_BY,
    scenes: Annotated[int, typer.Option(min=1, help="Places; every camera is in all of them.")] = 24,
    distractors: Annotated[int, typer.Option(min=0, help="People in the gallery who are in no query.")] = 0,
    train_share: Annotated[float, typer.Option(min=0, max=1, help="Share of the identities for training.")] = 0.5,
    without: Annotated[
        str, typer.Option(help="Ingredients to leave out: backgrounds, light, occlusion, patterns, crops, wear.")
    ] = "",
    workers: Annotated[int, typer.Option(min=0, help="Processes that render; 0: one for each processor.")] = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Render a data set of people who never existed. Needs the extra 'synthetic'."""
    from swiftreid.synthetic import synthesize
    from swiftreid.synthetic.workers import usable_processors

    report = Report(as_json=as_json, quiet=quiet)
    if seen_by > cameras and seen_by != SEEN_BY:
        raise UsageError(f"--seen-by {seen_by} is more than the {cameras} cameras: give --cameras {seen_by} or more")
    if cameras == 1 or seen_by == 1:
        report.warn("every person is seen by only one camera, so nothing can be measured across cameras")
    made = synthesize(
        out,
        people=people,
        cameras=cameras,
        shots=shots,
        seed=seed,
        size=(height, width),
        progress=report.progress,
        seen_by=seen_by,
        scenes=scenes,
        distractors=distractors,
        train_share=train_share,
        without=without.split(","),
        workers=workers or usable_processors(),
    )
    facts = made.as_dict()
    counts = {f"pictures, {split}": count for split, count in made.counts.items()}
    rows = {**{name: value for name, value in facts.items() if name not in ("out", "counts")}, **counts}
    report.table(f"Rendered into {out}", ["what", "value"], rows.items())
    report.document(facts)
