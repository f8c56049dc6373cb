"""Segments as files of a folder."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from swiftreid.durable import flush_folder, write_file
from swiftreid.gallery.rights import rights_of
from swiftreid.gallery.segment_store import RemovedSegments, StoredSegment


class RemovedFiles:
    """Segment files without a name, which the disk keeps as long as a process maps them."""

    def __init__(self) -> None:
        self._open: dict[str, BinaryIO] = {}

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is passed over."""
        with suppress(FileNotFoundError):
            self._open[path.name] = path.open("rb")
            path.unlink()

    def still_mapped(self) -> list[str]:
        """Names of those that a process, this one included, still maps."""
        for name, file in list(self._open.items()):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            except OSError:  # locks are unknown to this file system, and so is who maps the file
                pass
            self._open.pop(name).close()
        return list(self._open)

    def close(self) -> None:
        """Let go of those that are left."""
        while self._open:
            self._open.popitem()[1].close()


class LocalSegments:
    """A folder of segment files. New ones have the rights of a file that is there."""

    def __init__(self, folder: Path, like: Path) -> None:
        self._folder = folder
        self._like = like

    def put(self, name: str, write: Callable[[BinaryIO], object]) -> str:
        """See `SegmentStore.put`."""
        path = self._folder / name
        write_file(path, write, mode=rights_of(self._like))
        return _state(path.stat())

    def map(self, name: str) -> StoredSegment:
        """See `SegmentStore.map`. A mapping holds a shared lock on the file, by which others see it is in use."""
        with (self._folder / name).open("rb") as file:
            state = _state(os.fstat(file.fileno()))
            with suppress(OSError):  # not every file system knows locks
                fcntl.flock(file, fcntl.LOCK_SH)  # kept by the mapping, which has its own copy of the descriptor
            size = os.fstat(file.fileno()).st_size
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        return StoredSegment(memoryview(data), state)

    def remove(self, names: Iterable[str], removed: RemovedSegments | None = None) -> RemovedSegments:
        """See `SegmentStore.remove`."""
        files = removed if isinstance(removed, RemovedFiles) else RemovedFiles()
        gone = list(names)
        for name in gone:
            files.remove(self._folder / name)
        if gone:
            flush_folder(self._folder)
        return files

    def names(self) -> list[str]:
        """See `SegmentStore.names`."""
        return sorted(path.name for path in self._folder.iterdir())

    def describe(self, name: str) -> str:
        """See `SegmentStore.describe`."""
        return f"{self._folder.name}/{name}"


def _state(stat: os.stat_result) -> str:
    """Which file it is, how long, and when its content and itself were last changed.

    Nobody sets the last of these: whoever writes to the file, replaces it or copies it makes another state, with
    whatever date.
    """
    return f"{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"
