"""What the `swiftreid figure` commands share: their options, and the file that each writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swiftreid.cli.console import Report
from swiftreid.cli.datasets import open_data_set
from swiftreid.cli.outputs import output_file, written
from swiftreid.cli.sources import BadPictures
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import UsageError
from swiftreid.experiments.encoded import EncodedData, encode_test_set
from swiftreid.experiments.held_out import NobodyHeldOut, NotHeldOut
from swiftreid.figures import style
from swiftreid.figures.style import SUFFIXES, TEXT_SIZES, TextSize

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CardsArgument = Annotated[list[Path], typer.Argument(help="Result cards, as `swiftreid evaluate --card` writes them.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File to write, .png, .svg or .pdf. Default: the figure's name and .png."),
]
TextOption = Annotated[str, typer.Option("--text", help="Size of the text: normal, or large for slides.")]
RankingOption = Annotated[
    list[str] | None,
    typer.Option("--ranking", help="A ranking of the cards to draw, by its name or a part of it; repeatable."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Draw cards of different pictures or protocols together.")]
FullOption = Annotated[
    bool, typer.Option("--full", help="Time of ranking the whole gallery, as papers report, not of the 100 best.")
]
HeldOutOption = Annotated[
    str | None,
    typer.Option("--held-out", help="Data set of other people to fit on. Default: the train split of DATA."),
]
CostOption = Annotated[
    str,
    typer.Option(
        help="What a query costs: bytes (compared), time (100 best), or full-time (the whole gallery ranked)."
    ),
]


def target(name: str, output: Path | None, text: str, *, suffixes: tuple[str, ...] = SUFFIXES) -> tuple[Path, TextSize]:
    """The file to write and the size of text, checked before any work; matplotlib too, unless pictures do without.

    Raises:
        UsageError: the file cannot be written as a figure, or there is no such size.
        SwiftReIDError: matplotlib is not installed.
    """
    if text not in TEXT_SIZES:
        raise UsageError(f"--text is {' or '.join(TEXT_SIZES)}, not {text!r}")
    path = output_file("--output", output or Path(f"{name}.png"), suffixes=suffixes)
    if suffixes == SUFFIXES:
        style.load()
    return path, text


def finish(report: Report, path: Path, figure: Figure, numbers: Mapping[str, Any]) -> None:
    """Write the figure, say where, and print its numbers with --json."""
    report.text(f"figure: {written(path, style.image_of(figure, path.suffix.lower()))}")
    report.document({"figure": str(path), **numbers})


def encoded_test_set(
    source: str, encoder: Encoder, report: Report, *, kind: str | None = None, folders: str | None = None
) -> EncodedData:
    """The queries and gallery that a command was given, encoded."""
    data = open_data_set(report, source, kind=kind, folders=folders)
    return encode_test_set(data, encoder, on_bad=BadPictures(report), progress=report.progress)


HELD_OUT_ADVICE: Mapping[type[UsageError], str] = dict.fromkeys(
    (NobodyHeldOut, NotHeldOut), "name them with --held-out"
)


def numbers_between(option: str, text: str, lowest: float) -> Sequence[float]:
    """Numbers of an option, with commas between.

    Raises:
        UsageError: one is no finite number above ``lowest``.
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = [float("nan")]
    if not all(lowest < value < float("inf") for value in values):
        raise UsageError(f"{option} takes numbers above {lowest:g} with commas between, not {text!r}")
    return values
