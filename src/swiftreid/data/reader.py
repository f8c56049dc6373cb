"""What a reader of data sets is: a kind's name, how its folders are recognised, and the function that reads one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from swiftreid.data.camera_folders import Folders
from swiftreid.data.msmt17 import TrainChoice
from swiftreid.data.samples import ReidData, SplitName


@dataclass(frozen=True)
class Wanted:
    """What is asked of a reader; most need only ``need``.

    Attributes:
        need: splits that must hold pictures; a reader raises where one does not.
        train: for MSMT17: "train+val" or "train".
        attributes: whether attributes of people should be read where reading them takes time.
        folders: for plain folders: what the upper ones are; None guesses.
    """

    need: Collection[SplitName] = ("query", "gallery")
    train: TrainChoice = "train+val"
    attributes: bool = True
    folders: Folders | None = None


def _never(_root: Path) -> bool:
    return False


@dataclass(frozen=True)
class DataSetReader:
    """Reads one kind of data set.

    Attributes:
        kind: its name, in lower case, as `open_data` takes it.
        read: lists the pictures of a folder; opens none of them.
        recognises: whether a folder holds this data set, by a sure and quick sign. The default recognises none: such a
            data set is read where its kind is stated.
        layout: what is expected in the folder, in a sentence, for messages.
    """

    kind: str
    read: Callable[[Path, Wanted], ReidData]
    recognises: Callable[[Path], bool] = _never
    layout: str = ""
