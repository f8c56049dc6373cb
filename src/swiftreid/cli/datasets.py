"""Options that say which data set a command works on."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, cast

import typer

from swiftreid.cli.console import Report
from swiftreid.data.camera_folders import Folders
from swiftreid.data.msmt17 import TrainChoice
from swiftreid.data.published import PUBLISHED_DATA_SETS
from swiftreid.data.readers import READERS
from swiftreid.data.samples import ReidData, SplitName
from swiftreid.data.sources import open_data
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


def open_data_set(
    report: Report,
    source: str,
    *,
    kind: str | None = None,
    folders: str | None = None,
    root: Path | None = None,
    train: str = "train+val",
    need: Collection[SplitName] = ("query", "gallery"),
    attributes: bool = True,
) -> ReidData:
    """The data set that a command was given by these options; warns of what its reader doubts.

    Raises:
        UsageError, SwiftReIDError: as for `swiftreid.data.sources.open_data`.
    """
    data = open_data(
        source,
        kind=kind,
        need=need,
        train=train_choice(train),
        root=root,
        attributes=attributes,
        folders=folders_choice(folders),
    )
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
