"""Files that survive a power cut: write beside, flush, rename, flush the folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from swiftreid.errors import SwiftReIDError, UsageError

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
"""The rights of what shows people: its owner alone may read it, whatever the umask."""


def make_private_folder(path: Path) -> None:
    """Make a folder that its owner alone may enter.

    Raises:
        FileExistsError: something is there already.
    """
    path.mkdir(mode=PRIVATE_FOLDER)
    path.chmod(PRIVATE_FOLDER)  # a umask may have taken the owner's own rights


def open_new(path: Path, mode: int) -> BinaryIO:
    """Open a file for writing from its beginning, with these rights whatever the umask and the rights it had."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode & PRIVATE_FILE)
    try:
        os.fchmod(descriptor, mode)  # before the first byte is in it
        os.ftruncate(descriptor, 0)
        return os.fdopen(descriptor, "wb")
    except BaseException:
        os.close(descriptor)
        raise


def flush(descriptor: int) -> None:
    """Wait until the file or folder is on the disk itself (macOS needs a stronger call than fsync)."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(descriptor, full)
    else:
        os.fsync(descriptor)


def flush_folder(folder: Path) -> None:
    """Make renames and removals in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        flush(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, write: Callable[[BinaryIO], object], *, mode: int | None = None) -> None:
    """Write ``path`` so that it is there whole and durable, or not at all.

    Args:
        path: the file; an old one is replaced.
        write: writes the content into the open file that it is given.
        mode: the file's rights, such as `PRIVATE_FILE`; None leaves them to the umask.
    """
    beside = path.with_name(path.name + ".partial")
    try:
        with beside.open("wb") if mode is None else open_new(beside, mode) as file:
            write(file)
            file.flush()
            flush(file.fileno())
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def save_bytes(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write a user's output file, its folder included, so that a reader sees the old content or the new, never a part.

    Links are followed. What is there and no file, such as ``/dev/null`` or a pipe, is written to as it is: a rename
    would put a file in its place. ``mode`` is the file's rights, such as `PRIVATE_FILE`; None leaves them to the umask.

    Raises:
        SwiftReIDError: it could not be written; an old file is still there as it was.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, lambda file: file.write(content), mode=mode)
    except OSError as error:
        raise SwiftReIDError(f"could not write {path}: {error.strerror or error}; nothing was changed") from error


def path_of(given: object, what: str) -> Path:
    """A path that somebody gave.

    Args:
        given: text or a path.
        what: it is for, for the error message.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(given, (str, Path)):
        return Path(given)
    raise UsageError(f"{what} is given by its path, not by {type(given).__name__}")
