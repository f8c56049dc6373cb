"""What lies in a folder: its pictures, and which of the pictures that a list names are really there."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from swiftreid.data.pictures import PICTURE_SUFFIXES
from swiftreid.errors import SwiftReIDError


def names_in(folder: Path) -> list[str]:
    """Names of everything in a folder but hidden files, sorted.

    Raises:
        SwiftReIDError: the folder cannot be listed.
    """
    return sorted(_entries(folder))


def is_picture(name: str) -> bool:
    """Whether a file's suffix, in either case, is one of pictures."""
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES  # noqa: PTH122 (a third of the time)


def pictures_in(folder: Path) -> list[Path]:
    """Picture files that lie directly in a folder, sorted by name; hidden files are left out.

    Raises:
        SwiftReIDError: the folder cannot be listed.
    """
    entries = _entries(folder)
    return [entries[name] for name in sorted(filter(is_picture, entries))]


def _entries(folder: Path) -> dict[str, Path]:
    try:
        return {name: path for path in folder.iterdir() if not (name := path.name).startswith(".")}
    except OSError as error:
        raise SwiftReIDError(f"folder {folder} cannot be listed: {error.strerror}; check its permissions") from error


def has_pictures(folder: Path) -> bool:
    """Whether a folder is there and a picture lies directly in it; quick however many there are.

    Raises:
        SwiftReIDError: the folder cannot be listed.
    """
    try:
        return folder.is_dir() and any(
            is_picture(path.name) and not path.name.startswith(".") for path in folder.iterdir()
        )
    except OSError as error:
        raise SwiftReIDError(f"folder {folder} cannot be listed: {error.strerror}; check its permissions") from error


class Present:
    """Finds listed pictures below a folder, and remembers those that are missing.

    Every folder is listed once, which is much quicker than asking for each of 100,000 files. With ``any_suffix``, a
    picture that was saved in another format (``1_001_1_01.jpg`` for a listed ``1_001_1_01.png``) is found by its stem.
    """

    def __init__(self, folder: Path, *, any_suffix: bool = False) -> None:
        self.folder = folder
        self._any_suffix = any_suffix
        self.missing: list[Path] = []
        self._known: dict[Path, dict[str, str]] = {}

    def find(self, listed: str) -> Path | None:
        """The file that a list's entry, relative to the folder, means; None (and remembered) if there is none."""
        path = self.folder / PurePosixPath(listed)
        known = self._names(path.parent)
        name = known.get(path.name) or known.get(path.stem.lower() + "/")
        if name is None:
            self.missing.append(path)
            return None
        return path.parent / name

    def _names(self, folder: Path) -> dict[str, str]:
        if folder not in self._known:
            names = names_in(folder) if folder.is_dir() else []
            known = {name: name for name in names}
            if self._any_suffix:  # a stem ends in a slash here, which no file name holds: stems and names cannot meet
                pictures = (name for name in reversed(names) if is_picture(name))
                known |= {os.path.splitext(name)[0].lower() + "/": name for name in pictures}  # noqa: PTH122
            self._known[folder] = known
        return self._known[folder]


def missing_note(missing: list[Path], lists: str) -> list[str]:
    """A sentence for `ReidData.notes` about pictures that are listed but not there; none if none are missing."""
    if not missing:
        return []
    return [f"pictures that {lists} name but that do not exist are left out: {len(missing):,}, first {missing[0]}"]
