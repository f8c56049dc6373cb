"""Files that survive a power cut: write beside, flush, rename, flush the folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from swiftreid.errors import SwiftReIDError


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


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write ``path`` so that it is there whole and durable, or not at all."""
    beside = path.with_name(path.name + ".partial")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            flush(file.fileno())
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def save_bytes(path: Path, content: bytes) -> None:
    """Write a user's output file, its folder included, so that a reader sees the old content or the new, never a part.

    Links are followed. What is there and no file, such as ``/dev/null`` or a pipe, is written to as it is: a rename
    would put a file in its place.

    Raises:
        SwiftReIDError: it could not be written; an old file is still there as it was.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, lambda file: file.write(content))
    except OSError as error:
        raise SwiftReIDError(f"could not write {path}: {error.strerror or error}; nothing was changed") from error
