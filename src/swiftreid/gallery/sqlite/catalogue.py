"""The embedded catalogue: readers with a connection each, one writer with its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.gallery.catalogue import NewSegment, Places, SegmentRow, Token, VersionSegment
from swiftreid.gallery.chunks import Chunk
from swiftreid.gallery.columns import Columns
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.errors import GalleryBusy, GalleryPermission, NotAGallery
from swiftreid.gallery.locking import writer_lock
from swiftreid.gallery.meta import Meta
from swiftreid.gallery.sqlite import changing, deletion, registration, version_rows, versions
from swiftreid.gallery.sqlite.appending import append
from swiftreid.gallery.sqlite.connection import (
    BUSY_MS,
    DATABASE,
    ReadPool,
    check_codes_version,
    connect,
    get_state,
    set_state,
    transaction,
)
from swiftreid.gallery.sqlite.errors import sqlite_errors
from swiftreid.gallery.sqlite.migration import migrate
from swiftreid.gallery.sqlite.schema import read_meta
from swiftreid.gallery.sqlite.view import SqliteView

_CHECKPOINT_WAIT_MS = 200


class SqliteCatalogue:
    """See `swiftreid.gallery.catalogue.Catalogue`.

    Args:
        folder: the gallery's.
        read_only: refuse to be written.
        wait: seconds to wait for another writer where an older format must be brought up to date.

    Raises:
        NotAGallery: nothing there, or something else.
        NewerFormat: written by a newer SwiftReID.
        OlderFormat: written by an older one, and opened only to read.
        GalleryDamaged: recognised, but not readable.
        GalleryPermission: this user may not read it, or not write it while ``read_only`` is False.
    """

    def __init__(self, folder: Path, *, read_only: bool, wait: float) -> None:
        self._folder = folder
        self._doing = "opening"
        self._writing = threading.RLock()
        self._pool = ReadPool(folder)
        with sqlite_errors(folder, "opening"):
            _check_there(folder, read_only=read_only)
            db = connect(folder, read_only=read_only)
            try:
                migrate(db, folder, read_only=read_only, wait=wait)
                self.meta = read_meta(db, folder)
            except BaseException:
                db.close()
                raise
        self._db: apsw.Connection | None = None
        if read_only:
            self._pool.give_back(db)
        else:
            self._db = db

    def close(self) -> None:
        """See `Catalogue.close`."""
        self._pool.close()
        with self._writing:
            db, self._db = self._db, None
            if db is not None:
                db.close()

    def view(self, doing: str, after: Token = 0) -> SqliteView:
        """See `Catalogue.view`."""
        with sqlite_errors(self._folder, doing):
            view = SqliteView(self._pool, self._folder, doing, self.meta)
        if view.token < after:
            view.close()
            raise UsageError(
                f"gallery {self._folder} has {view.token} writes, so there is no write {after}: take the token from a "
                "write to this gallery, not to another or to one that was restored from a backup since"
            )
        return view

    @contextmanager
    def lock(self, doing: str, wait: float) -> Iterator[None]:
        """See `Catalogue.lock`."""
        if not self._writing.acquire(blocking=wait > 0):
            raise GalleryBusy(f"gallery {self._folder} is being written by another thread, so {doing} was not done")
        try:
            with writer_lock(self._folder, doing, wait):
                self._doing = doing
                with self._write() as db:
                    check_codes_version(db, self._folder, self.meta)
                yield
        finally:
            self._writing.release()

    @contextmanager
    def _write(self) -> Iterator[apsw.Connection]:
        with self._writing, sqlite_errors(self._folder, self._doing):
            if self._db is None:
                raise UsageError(f"gallery {self._folder} is closed, or was opened read-only: open it for writing")
            yield self._db

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        with self._write() as db, transaction(db):
            yield db

    def append(
        self,
        entries: Sequence[Entry],
        codes: Mapping[str, NDArray[Any]],
        *,
        statistics: int,
        arrival: float,
        replace: Places | None = None,
    ) -> Token:
        """See `Catalogue.append`."""
        with self._transaction() as db:
            if replace is not None:
                deletion.delete(db, self._folder, self.meta.layout, [entry.id for entry in entries], replace)
            return append(
                db, self._folder, self.meta.layout, entries=entries, codes=codes, statistics=statistics, arrival=arrival
            )

    def delete(self, ids: Collection[str], places: Places) -> tuple[int, Token]:
        """See `Catalogue.delete`."""
        with self._transaction() as db:
            return deletion.delete(db, self._folder, self.meta.layout, ids, places)

    def change(
        self, changes: Mapping[str, Mapping[str, Any]], places: Places, expected: Mapping[str, Entry] | None = None
    ) -> tuple[int, Token]:
        """See `Catalogue.change`."""
        with self._transaction() as db:
            return changing.change(
                db, self._folder, self.meta.layout, changes=changes, places=places, expected=expected or {}
            )

    def hold(self, ids: Collection[str], reason: str | None, placed: float) -> tuple[int, Token]:
        """See `Catalogue.hold`."""
        with self._transaction() as db:
            return changing.hold(db, self._folder, ids, reason, placed)

    def register(
        self,
        segment: NewSegment | None,
        columns: Columns,
        *,
        replaces: Sequence[SegmentRow] = (),
        tail: Sequence[Chunk] = (),
        rest: Columns | None = None,
    ) -> bool:
        """See `Catalogue.register`."""
        with self._transaction() as db:
            return registration.register(db, segment, columns, replaces=replaces, tail=tail, rest=rest)

    def new_version(self, meta: Meta) -> Meta:
        """See `Catalogue.new_version`."""
        with self._transaction() as db:
            return versions.new_version(db, self.meta, meta)

    def set_encoder_digest(self, version: int, digest: str) -> None:
        """See `Catalogue.set_encoder_digest`."""
        with self._transaction() as db:
            versions.set_encoder_digest(db, version, digest)

    def exchange(self, version: int, added: Sequence[VersionSegment], removed: Sequence[VersionSegment] = ()) -> None:
        """See `Catalogue.exchange`."""
        with self._transaction() as db:
            versions.exchange(db, version, added, removed)

    def drop_versions(self, numbers: Collection[int]) -> None:
        """See `Catalogue.drop_versions`."""
        with self._transaction() as db:
            versions.drop_versions(db, numbers)

    def switch(
        self, version: int, segments: Sequence[tuple[NewSegment, Columns]], kept: Sequence[VersionSegment]
    ) -> Token:
        """See `Catalogue.switch`."""
        with self._transaction() as db:
            (new,) = (v.meta for v in version_rows.versions(db, self._folder) if v.meta.codes_version == version)
            return versions.switch(db, self.meta, new, segments, kept)

    def note_checked(self, states: Mapping[int, str]) -> None:
        """See `Catalogue.note_checked`."""
        with self._transaction() as db:
            db.executemany("UPDATE segment SET checked = ? WHERE number = ?", [(s, n) for n, s in states.items()])

    def erase(self) -> None:
        """See `Catalogue.erase`.

        Pages keep stale bytes of rows that once moved; a rewrite is the only thing that surely leaves none behind.
        """
        with self._write() as db:
            if get_state(db, "removed"):
                with transaction(db):
                    db.execute("DELETE FROM thumbnail WHERE seq NOT IN (SELECT seq FROM entry)")
                    set_state(db, "unsettled", 1)
                db.execute("VACUUM")
                with transaction(db):
                    set_state(db, "removed", 0)

    def settle(self) -> list[str]:
        """See `Catalogue.settle`: copies SQLite's log into the database and cuts it to nothing."""
        with self._write() as db:
            if self._empty_log(db) or not get_state(db, "unsettled"):
                return []
        return [f"{DATABASE} and {DATABASE}-wal hold metadata and thumbnails: a reader uses an older state"]

    def _empty_log(self, db: apsw.Connection) -> bool:
        db.set_busy_timeout(_CHECKPOINT_WAIT_MS)
        try:
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (apsw.BusyError, apsw.FullError, apsw.IOError):
            return False  # what was committed stays committed in the log
        finally:
            db.set_busy_timeout(BUSY_MS)
        log = self._folder / (DATABASE + "-wal")
        if log.exists() and log.stat().st_size:
            return False
        if get_state(db, "unsettled"):
            with suppress(apsw.FullError, apsw.IOError), transaction(db):  # then the log is emptied again next time
                set_state(db, "unsettled", 0)
        return True


def _check_there(folder: Path, *, read_only: bool) -> None:
    if not folder.exists():
        raise NotAGallery(
            f"there is no gallery at {folder}: create one with 'swiftreid gallery create' (in Python: create=True)"
        )
    if not (folder / DATABASE).is_file():
        raise NotAGallery(f"{folder} is not a gallery (it has no file {DATABASE}): check the path")
    if not read_only and not (os.access(folder, os.W_OK) and os.access(folder / DATABASE, os.W_OK)):
        raise GalleryPermission(
            f"gallery {folder} may not be written by this user: get the right to write the folder and every file "
            "in it, or only read it (in Python: read_only=True)"
        )
