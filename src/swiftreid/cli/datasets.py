"""Options that say which data set a command works on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from swiftreid.cli.console import Report
from swiftreid.data.camera_folders import Folders
from swiftreid.data.msmt17 import TrainChoice
from swiftreid.data.published import PUBLISHED_DATA_SETS
from swiftreid.data.readers import READERS
from swiftreid.data.samples import ReidData
from swiftreid.errors import UsageError

DataArgument = Annotated[
    str,
    typer.Argument(
        help=f"Data set: a folder, a manifest (.csv, .parquet) or a published one ({', '.join(PUBLISHED_DATA_SETS)})."
    ),
]
KindOption = Annotated[
    str | None,
    typer.Option(
        help=f"What the data set is, where a folder can be read in several ways: {', '.join(READERS)} or manifest."
    ),
]
FoldersOption = Annotated[
    str | None,
    typer.Option("--folders", help="What plain folders are: people or cameras. Default: guessed by their names."),
]
TrainOption = Annotated[str, typer.Option("--train", help="Of MSMT17: train+val, or train.")]
RootOption = Annotated[
    Path | None, typer.Option("--root", help="Of a manifest: the folder that its paths start from. Default: its own.")
]


def with_doubts(report: Report, data: ReidData) -> ReidData:
    """The data set, once its reader's doubts are told."""
    for doubt in data.doubts:
        report.warn(f"{data.name}: {doubt.message}. {doubt.advice}")
    return data


def folders_choice(text: str | None) -> Folders | None:
    """What plain folders are.

    Raises:
        UsageError: it is neither.
    """
    if text not in (None, "people", "cameras"):
        raise UsageError(f"--folders is people or cameras, not {text!r}")
    return cast(Folders | None, text)


def train_choice(text: str) -> TrainChoice:
    """The choice of MSMT17's training pictures.

    Raises:
        UsageError: it is neither.
    """
    if text not in ("train+val", "train"):
        raise UsageError(f"--train is train+val or train, not {text!r}")
    return cast(TrainChoice, text)
