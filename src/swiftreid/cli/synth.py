"""`swiftreid synth`: render people who never existed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report


def synth(
    out: Annotated[Path, typer.Argument(help="Folder to write, in Market-1501 layout with an attribute file.")],
    people: Annotated[int, typer.Option(min=2, help="Identities, numbered from 1; at most 9999.")] = 60,
    cameras: Annotated[int, typer.Option(min=1, help="Cameras, each with its own height, lens and colours.")] = 12,
    shots: Annotated[int, typer.Option(min=1, help="Pictures of a person at a camera that sees them.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed renders the same people.")] = 0,
    height: Annotated[int, typer.Option(min=32, max=1024)] = 256,
    width: Annotated[int, typer.Option(min=16, max=1024)] = 128,
    seen_by: Annotated[int, typer.Option(min=1, help="Cameras that see a person, drawn for each person.")] = 6,
    scenes: Annotated[int, typer.Option(min=1, help="Places; every camera hangs in all of them.")] = 24,
    distractors: Annotated[int, typer.Option(min=0, help="People in the gallery whom no query asks for.")] = 0,
    train_share: Annotated[float, typer.Option(min=0, max=1, help="Share of the identities that train.")] = 0.5,
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
    with report.progress("rendering") as advance:
        made = synthesize(
            out,
            people=people,
            cameras=cameras,
            shots=shots,
            seed=seed,
            size=(height, width),
            progress=advance,
            seen_by=seen_by,
            scenes=scenes,
            distractors=distractors,
            train_share=train_share,
            without=without.split(","),
            workers=workers or usable_processors(),
        )
    facts = made.as_dict()
    report.table(f"Rendered into {out}", ["what", "value"], facts.items())
    report.document(facts)
