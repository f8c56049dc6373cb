"""Folders named like cameras: what is one, and whether the folders of a data set are its cameras or its people."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, get_args

from swiftreid.data.listing import is_picture, names_in
from swiftreid.data.market import parse_name
from swiftreid.data.samples import Doubt
from swiftreid.errors import UsageError

Folders = Literal["people", "cameras"]
"""What the folders of a data set without a published layout are."""

_CAMERA = re.compile(r"(?:c|cam|camera)[-_ ]?(\d{1,9})|(?:c|cam|camera)[-_ ]([a-z])", re.ASCII | re.IGNORECASE)
_CAMEL_CASE = re.compile(r"[Cc]am(?:era)?([A-Z])", re.ASCII)
_PLACES = frozenset(
    name
    for names in (
        "left right front back rear side top north south east west",
        "entrance entry exit door gate inside outside indoor outdoor",
    )
    for name in names.split()
)
_SHOWN = 4


class AmbiguousFolders(UsageError):
    """Folders may be cameras or people, and which they are changes every figure."""


def camera_name(folder: str) -> str | None:
    """The camera that a folder's name looks like: its number, its letter or its place; None if it looks like none.

    Example:
        >>> [camera_name(name) for name in ("cam01", "Camera_2", "c3", "cam-A", "camB", "left", "anna")]
        ['1', '2', '3', 'a', 'b', 'left', None]
    """
    if found := _CAMERA.fullmatch(folder) or _CAMEL_CASE.fullmatch(folder):
        [name] = [group for group in found.groups() if group]
        return str(int(name)) if name.isdigit() else name.lower()
    return folder.lower() if folder.lower() in _PLACES else None


def check_folders(folders: str | None) -> None:
    """Refuse what folders cannot be.

    Raises:
        UsageError: it is neither None, "people" nor "cameras".
    """
    if folders is not None and folders not in get_args(Folders):
        raise UsageError(f"folders are 'people' or 'cameras', not {folders!r}")


def cameras_or_people(folders: Sequence[Path], root: Path) -> tuple[Folders, list[Doubt]]:
    """Whether folders are a data set's cameras or its people, by their names and by what lies in them.

    Args:
        folders: the folders that pictures lie in, directly or in folders below.
        root: the data set's folder, for messages.

    Returns:
        What they are; with doubts where that is a guess.

    Raises:
        AmbiguousFolders: some are named like cameras, and others or their pictures do not fit that.
    """
    cameras = [folder for folder in folders if camera_name(folder.name)]
    if not cameras:
        return "people", []
    names = _named(cameras)
    others = [folder for folder in folders if not camera_name(folder.name)]
    if others:
        raise AmbiguousFolders(
            f"{root}: the folders {names} are named like cameras, and {_named(others)} are not; say what they all are: "
            "give folders 'people', or folders 'cameras'"
        )
    below = {name for folder in cameras for name in _folders_below(folder)}
    if any(camera_name(name) for name in below):
        message = f"the folders {names} are named like cameras, but are read as people: camera folders lie in them"
        return "people", [Doubt("folders-as-people", message, "If they are cameras, give folders 'cameras'.")]
    if below:
        return "cameras", [_guess(names, "the folders in them are people")]
    if any(parse_name(Path(name).stem) for folder in cameras for name in names_in(folder) if is_picture(name)):
        return "cameras", [_guess(names, "their pictures' names state people")]
    raise AmbiguousFolders(
        f"{root}: the folders {names} are named like cameras, and nothing in them says who is on a picture. If they "
        "are people, give folders 'people'. If they are cameras, sort each one's pictures by person "
        "(cam1/anna/1.jpg), or list the pictures with their persons in a manifest"
    )


def _guess(names: str, why: str) -> Doubt:
    message = f"the folders {names} are named like cameras and are read as cameras: {why}"
    return Doubt("folders-as-cameras", message, "If they are people, give folders 'people'.")


def _folders_below(folder: Path) -> list[str]:
    return [name for name in names_in(folder) if not is_picture(name) and _holds_pictures(folder / name)]


def _holds_pictures(folder: Path) -> bool:
    return folder.is_dir() and any(map(is_picture, names_in(folder)))


def _named(folders: Collection[Path]) -> str:
    names = list(dict.fromkeys(folder.name for folder in folders))
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
