"""What lies in a folder: its pictures, and which of the pictures that a list names are really there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from swiftreid.data.pictures import PICTURE_SUFFIXES
from swiftreid.data.samples import Doubt
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


_OTHER_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".raw", ".dng", ".cr2", ".nef", ".arw"})


def unread_in(folder: Path, *, folders: bool = True, name: Callable[[str], object] = lambda _stem: None) -> list[Path]:
    """What lies in a folder and looks like pictures, but is not read as such.

    That is files in formats that are not read, files without an ending but with a picture's name, and pictures one
    folder deeper.

    Args:
        folder: the folder.
        folders: whether pictures in folders below count.
        name: whether a name without an ending is that of a picture.

    Raises:
        SwiftReIDError: a folder cannot be listed.
    """
    found = []
    for each, path in sorted(_entries(folder).items()):
        suffix = path.suffix.lower()
        if suffix in _OTHER_SUFFIXES or (not suffix and not path.is_dir() and name(each)):
            found.append(path)
        elif folders and suffix not in PICTURE_SUFFIXES and path.is_dir():
            found += pictures_in(path)
    return found


def unread_doubts(unread: list[Path], root: Path, advice: str) -> list[Doubt]:
    """The doubt about such files; none if there are none."""
    if not unread:
        return []
    examples = ", ".join(path.relative_to(root).as_posix() for path in unread[:3])
    many = len(unread) > 1
    what = f"{len(unread):,} files that look like pictures are" if many else "1 file that looks like a picture is"
    return [Doubt("unread-files", f"{what} not read ({examples}{', ...' if len(unread) > 3 else ''})", advice)]


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
    return [f"pictures of {lists} that do not exist are left out: {len(missing):,}, first {missing[0]}"]
