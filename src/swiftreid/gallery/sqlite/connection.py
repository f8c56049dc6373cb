"""Connections to the database, their durable settings, transactions and counters."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from swiftreid.gallery.errors import GalleryReencoded
from swiftreid.gallery.meta import Meta

DATABASE = "gallery.db"
BUSY_MS = 5000
CHECKPOINT_PAGES = 4096  # 32 MB of log before it is copied into the database
_IDLE = 8


def connect(folder: Path, *, read_only: bool) -> apsw.Connection:
    """Open the database of the gallery in ``folder``; the durable settings hold for every connection."""
    file = folder / DATABASE
    name, flags = str(file), apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
    if read_only and _on_read_only_disk(folder) and not file.with_name(DATABASE + "-wal").exists():
        # WAL needs a writable folder even for reading; on a read-only disk without a log nothing can change.
        name, flags = f"{file.resolve().as_uri()}?immutable=1", flags | apsw.SQLITE_OPEN_URI
    db = apsw.Connection(name, flags=flags)
    db.set_busy_timeout(BUSY_MS)
    for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL", "trusted_schema = OFF"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON")
    db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return db


def _on_read_only_disk(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


class ReadPool:
    """Connections for readers, each lent to one view at a time: readers wait for nobody."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: list[apsw.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def take(self) -> apsw.Connection:
        """A connection that nobody else has."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return connect(self._folder, read_only=True)

    def give_back(self, db: apsw.Connection) -> None:
        """Let others have a connection, which has no transaction open."""
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE:
                self._idle.append(db)
                return
        db.close()

    def close(self) -> None:
        """Close those that are idle now, and the others when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """One durable write transaction: committed and flushed when the block ends, undone when it raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def fetch(db: apsw.Connection, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
    """All rows of a query."""
    return db.execute(query, values).fetchall()


def get_codes_version(db: apsw.Connection) -> int:
    """Number of the codes that searches compare (`swiftreid.gallery.meta.Meta`)."""
    return get_state(db, "codes_version")


def check_codes_version(db: apsw.Connection, gallery: Path, meta: Meta) -> None:
    """Compare the codes that searches compare now with those of when the gallery was opened.

    Raises:
        GalleryReencoded: they are others.
    """
    if get_codes_version(db) != meta.codes_version:
        name = db.execute("SELECT value FROM meta WHERE key = 'encoder_name'").get
        raise GalleryReencoded(
            f"gallery {gallery} holds codes of encoder {name!r} now, no more of {meta.encoder_name!r}, as when it was "
            "opened: open it again"
        )


def get_state(db: apsw.Connection, key: str) -> int:
    """One counter of table ``state``."""
    value = db.execute("SELECT value FROM state WHERE key = ?", (key,)).get
    if value is None:
        raise apsw.CorruptError(f"counter {key} is missing")
    return int(value)


def set_state(db: apsw.Connection, key: str, value: int) -> None:
    """Set one counter; call inside a transaction."""
    db.execute("UPDATE state SET value = ? WHERE key = ?", (value, key))


def next_token(db: apsw.Connection) -> int:
    """Count this write; call inside its transaction."""
    token = get_state(db, "token") + 1
    set_state(db, "token", token)
    return token
