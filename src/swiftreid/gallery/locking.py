"""One writer at a time: a file lock that the system drops when its process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swiftreid.durable import PRIVATE_FILE
from swiftreid.gallery.errors import GalleryBusy

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
    descriptor = os.open(gallery / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        _acquire(descriptor, gallery, doing, wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, {doing}".encode(), 0)
        yield
    finally:
        os.close(descriptor)  # also drops the lock


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
