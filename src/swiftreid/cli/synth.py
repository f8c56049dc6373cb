"""`swiftreid synth`: render people who never existed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report


def synth(
    out: Annotated[Path, typer.Argument(help="Folder to write, in Market-1501 layout with an attribute file.")],
    people: Annotated[int, typer.Option(min=2, help="Identities; half of them train, half test.")] = 60,
    cameras: Annotated[int, typer.Option(min=1, help="Cameras, each with its own colour, light and place.")] = 5,
    shots: Annotated[int, typer.Option(min=1, help="Pictures of each person in each camera.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The same seed renders the same people.")] = 0,
    height: Annotated[int, typer.Option(min=32, max=1024)] = 256,
    width: Annotated[int, typer.Option(min=16, max=1024)] = 128,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Render a data set of people who never existed. Needs the extra 'synthetic'."""
    from swiftreid.synthetic import synthesize

    report = Report(as_json=as_json, quiet=quiet)
    with report.progress("rendering") as advance:
        made = synthesize(
            out, people=people, cameras=cameras, shots=shots, seed=seed, size=(height, width), progress=advance
        )
    facts = made.as_dict()
    report.table(f"Rendered into {out}", ["what", "value"], facts.items())
    report.document(facts)
