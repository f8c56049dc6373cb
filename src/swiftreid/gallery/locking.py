"""One writer at a time: a file lock that the system drops when its process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from swiftreid.durable import PRIVATE_FILE
from swiftreid.gallery.errors import GalleryBusy
from swiftreid.gallery.rights import rights_of

FILE_NAME = "lock"
REENCODING = "reencoding.lock"


@contextmanager
def writer_lock(gallery: Path, doing: str, wait: float, *, name: str = FILE_NAME) -> Iterator[None]:
    """Hold the gallery's writer lock, or another one, for one operation.

    Args:
        gallery: the gallery's folder.
        doing: what the lock is held for, shown to whoever waits.
        wait: seconds to wait for another writer.
        name: the lock's file.

    Raises:
        GalleryBusy: another writer kept the lock for longer than ``wait``; names its process and operation.
    """
    descriptor = _open(gallery, name)
    try:
        _acquire(descriptor, gallery, doing, wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, {doing}".encode(), 0)
        yield
    finally:
        os.close(descriptor)  # also drops the lock


def _open(gallery: Path, name: str) -> int:
    """Open the lock's file, or make it: whoever may take the writer lock may take this one too."""
    flags = os.O_RDWR | os.O_CLOEXEC
    with suppress(FileNotFoundError):
        return os.open(gallery / name, flags)
    try:
        descriptor = os.open(gallery / name, flags | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    except FileExistsError:  # another process was quicker
        return os.open(gallery / name, flags)
    try:
        os.fchmod(descriptor, _rights(gallery))  # whatever the umask
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _rights(gallery: Path) -> int:
    try:
        return rights_of(gallery / FILE_NAME)
    except FileNotFoundError:
        return PRIVATE_FILE


def _acquire(descriptor: int, gallery: Path, doing: str, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "unknown process"
                raise GalleryBusy(
                    f"gallery {gallery} is being written by another writer ({holder}), so {doing} was not done after "
                    f"waiting {wait:g} s: wait until it has finished, then run the same command again"
                ) from None
            time.sleep(0.02)
