"""What the database held at one moment: a read transaction."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.catalogue import (
    CameraRow,
    CodesVersion,
    EntryRow,
    FilterColumns,
    LiveColumns,
    SegmentRow,
    VersionSegment,
)
from swiftreid.gallery.chunks import Chunk, StoredChunk
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.meta import Meta
from swiftreid.gallery.sqlite import version_rows
from swiftreid.gallery.sqlite.connection import ReadPool, check_codes_version, fetch, get_state
from swiftreid.gallery.sqlite.errors import sqlite_errors

ENTRY = (
    "entry.seq, entry.id, camera.name, entry.time, entry.person, entry.source, entry.labels, entry.track, entry.frame, "
    "entry.start_time, entry.end_time, entry.arrival, entry.picture_sha256, entry.thumbnail_digest, entry.digest"
)
"""The values of `swiftreid.gallery.entries.ROW`, in a query that joins entry and camera."""

_TEXTS = {"entry.id", "camera.name", "entry.person", "entry.source", "entry.labels", "entry.track"}
_TEXTS |= {"entry.picture_sha256"}
# Text is read as bytes, so that an altered row with broken Unicode can still be named.
_CONTENTS = (
    f"SELECT {', '.join(f'CAST({c} AS BLOB)' if c in _TEXTS else c for c in ENTRY.split(', '))}, thumbnail.picture "
    "FROM entry LEFT JOIN camera ON camera.number = entry.camera LEFT JOIN thumbnail ON thumbnail.seq = entry.seq "
    "ORDER BY entry.seq"
)
_IN = "IN (SELECT value FROM json_each(?))"
_CHUNK = "first, last, rows, version, statistics, seqs, cameras, times, codes, digest"
_SHOWN = 20


class SqliteView:
    """See `swiftreid.gallery.catalogue.CatalogueView`."""

    def __init__(self, pool: ReadPool, folder: Path, doing: str, meta: Meta) -> None:
        self._pool = pool
        self._folder = folder
        self._doing = doing
        self._lock = threading.RLock()
        self._db: apsw.Connection | None = pool.take()
        try:
            self._db.execute("BEGIN")
            self.token = get_state(self._db, "token")
            check_codes_version(self._db, folder, meta)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See `CatalogueView.close`."""
        with self._lock:
            db, self._db = self._db, None
        if db is not None:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._pool.give_back(db)

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        with self._lock, sqlite_errors(self._folder, self._doing):
            if self._db is None:
                raise AssertionError("a closed view is not read")
            yield self._db

    def _fetch(self, query: str, *values: Any) -> list[Any]:
        with self._reading() as db:
            return fetch(db, query, values)

    def segments(self) -> list[SegmentRow]:
        """See `CatalogueView.segments`."""
        return [SegmentRow(*row) for row in self._fetch(f"SELECT {SEGMENT} FROM segment ORDER BY first")]

    def filters(self, row: SegmentRow) -> FilterColumns | None:
        """See `CatalogueView.filters`."""
        found = self._fetch("SELECT cameras, times, digest FROM segment_filter WHERE number = ?", row.number)
        return FilterColumns(*found[0]) if found else None

    def tail_rows(self) -> int:
        """See `CatalogueView.tail_rows`."""
        with self._reading() as db:
            return get_state(db, "tail_rows")

    def chunks(self) -> list[Chunk]:
        """See `CatalogueView.chunks`."""
        query = "SELECT first, last, rows, version, statistics FROM chunk ORDER BY first"
        return [Chunk(*row) for row in self._fetch(query)]

    def read_chunks(self, first: int, last: int) -> Iterator[StoredChunk]:
        """See `CatalogueView.read_chunks`."""
        query = f"SELECT {_CHUNK} FROM chunk WHERE first BETWEEN ? AND ? ORDER BY first"
        return map(stored_chunk, self._fetch(query, first, last))

    def cameras(self) -> list[CameraRow]:
        """See `CatalogueView.cameras`."""
        return [CameraRow(*row) for row in self._fetch("SELECT number, name, entries FROM camera ORDER BY name")]

    def seqs_of(self, ids: Collection[str]) -> NDArray[np.int64]:
        """See `CatalogueView.seqs_of`."""
        return self._seqs(f"SELECT seq FROM entry WHERE id {_IN} ORDER BY seq", json.dumps(list(ids)))

    def seqs_with(self, chosen: Filters) -> NDArray[np.int64] | None:
        """See `CatalogueView.seqs_with`."""
        queries: list[tuple[str, tuple[str, ...]]] = [
            (f"SELECT seq FROM entry WHERE {column} {_IN} ORDER BY seq", (json.dumps(list(values)),))
            for column, values in (("person", chosen.persons), ("track", chosen.tracks))
            if values is not None
        ]
        queries += [
            (_WITH_LABEL, (json.dumps([name]), json.dumps(list(values)))) for name, values in chosen.labels.items()
        ]
        found: NDArray[np.int64] | None = None
        for query, values in queries:
            seqs = self._seqs(query, *values)
            found = seqs if found is None else np.intersect1d(found, seqs, assume_unique=True)
        return found

    def _seqs(self, query: str, *values: Any) -> NDArray[np.int64]:
        return np.array([row[0] for row in self._fetch(query, *values)], np.int64)

    def known_ids(self, ids: Collection[str]) -> set[str]:
        """See `CatalogueView.known_ids`."""
        return {row[0] for row in self._fetch(f"SELECT id FROM entry WHERE id {_IN}", json.dumps(list(ids)))}

    def entries(self, seqs: Collection[int]) -> list[EntryRow]:
        """See `CatalogueView.entries`."""
        query = (
            f"SELECT {ENTRY} FROM json_each(?) AS wanted "
            "JOIN entry ON entry.seq = wanted.value JOIN camera ON camera.number = entry.camera"
        )
        return self._fetch(query, json.dumps(list(seqs)))

    def page(self, chosen: Filters, *, past: int, limit: int, offset: int = 0) -> list[EntryRow]:
        """See `CatalogueView.page`."""
        where = ["entry.seq > ?"]
        values: list[Any] = [past]
        for column, names in (
            ("camera.name", chosen.cameras), ("entry.person", chosen.persons), ("entry.track", chosen.tracks),
        ):  # fmt: skip
            if names is not None:
                where, values = [*where, f"{column} {_IN}"], [*values, json.dumps(list(names))]
        if chosen.not_cameras:
            where, values = [*where, f"camera.name NOT {_IN}"], [*values, json.dumps(list(chosen.not_cameras))]
        for name, wanted in chosen.labels.items():
            where, values = (
                [*where, f"entry.seq IN ({_WITH_LABEL})"],
                [*values, json.dumps([name]), json.dumps(list(wanted))],
            )
        for sign, time in zip((">=", "<"), chosen.times, strict=True):
            if time is not None:
                where, values = [*where, f"entry.time {sign} ?"], [*values, time]
        query = (
            f"SELECT {ENTRY} FROM entry JOIN camera ON camera.number = entry.camera WHERE {' AND '.join(where)} "
            "ORDER BY entry.seq LIMIT ? OFFSET ?"
        )
        return self._fetch(query, *values, limit, offset)

    def thumbnail(self, seq: int) -> tuple[str, bytes | None, bytes | None] | None:
        """See `CatalogueView.thumbnail`."""
        query = (
            "SELECT entry.id, thumbnail.picture, entry.thumbnail_digest FROM entry "
            "LEFT JOIN thumbnail ON thumbnail.seq = entry.seq WHERE entry.seq = ?"
        )
        found = self._fetch(query, seq)
        return found[0] if found else None

    def columns(self) -> LiveColumns:
        """See `CatalogueView.columns`."""
        with self._reading() as db:
            return version_rows.columns(db)

    def versions(self) -> list[CodesVersion]:
        """See `CatalogueView.versions`."""
        with self._reading() as db:
            return version_rows.versions(db, self._folder)

    def version_segments(self, version: int) -> list[VersionSegment]:
        """See `CatalogueView.version_segments`."""
        with self._reading() as db:
            return version_rows.version_segments(db, self._folder, version)

    def held(self) -> dict[str, str]:
        """See `CatalogueView.held`."""
        query = "SELECT entry.id, hold.reason FROM hold JOIN entry ON entry.seq = hold.seq ORDER BY hold.seq"
        return dict(self._fetch(query))

    def contents(self) -> Iterator[tuple[EntryRow, bytes | None]]:
        """See `CatalogueView.contents`; other threads must not use this view meanwhile."""
        with sqlite_errors(self._folder, self._doing):
            if self._db is None:
                raise AssertionError("a closed view is not read")
            for *row, picture in self._db.execute(_CONTENTS):
                yield row, picture

    def problems(self) -> Iterator[str]:
        """See `CatalogueView.problems`."""
        if self._db is None:
            raise AssertionError("a closed view is not read")
        try:
            with self._lock:
                found = [row[0] for row in self._db.execute(f"PRAGMA integrity_check({_SHOWN})")]
                yield from (f"gallery.db: {line}" for line in found if line != "ok")
                for table, rowid, parent, _ in self._db.execute("PRAGMA foreign_key_check").fetchall():
                    yield f"gallery.db: row {rowid} of table {table} has no row in table {parent}"
                for query, sentence in _STRAYS:
                    count = fetch(self._db, query)[0][0]
                    if count:
                        yield f"{count} {sentence}"
        except (apsw.Error, UnicodeDecodeError) as error:
            yield f"gallery.db: {error}"


SEGMENT = "name, first, last, rows, bytes, digest, encoder, statistics, checked, number, deleted, version"
"""The values of a `SegmentRow`."""

_WITH_LABEL = (
    "SELECT entry_label.seq FROM label JOIN entry_label ON entry_label.label = label.number "
    f"WHERE label.name {_IN} AND label.value {_IN} ORDER BY entry_label.seq"
)
_LABEL_PAIRS = (
    "SELECT label.name, label.value, entry_label.seq FROM entry_label JOIN label ON label.number = entry_label.label"
)
_STATED_PAIRS = (
    "SELECT pair.key, pair.value, entry.seq "
    "FROM entry JOIN json_each(iif(json_valid(entry.labels), entry.labels, '{}')) AS pair WHERE entry.labels NOT NULL"
)
_STRAYS = (
    (
        "SELECT count(*) FROM thumbnail WHERE seq NOT IN (SELECT seq FROM entry) "
        "AND picture <> zeroblob(length(picture))",
        "thumbnails have no entry",
    ),
    (
        f"SELECT (SELECT count(*) FROM ({_LABEL_PAIRS} EXCEPT {_STATED_PAIRS})) + "
        f"(SELECT count(*) FROM ({_STATED_PAIRS} EXCEPT {_LABEL_PAIRS})) + "
        "(SELECT count(*) FROM entry_label WHERE label NOT IN (SELECT number FROM label))",
        "labels of entries differ from those that filters use",
    ),
    ("SELECT count(*) FROM hold WHERE seq NOT IN (SELECT seq FROM entry)", "holds have no entry"),
)


def stored_chunk(row: tuple[Any, ...]) -> StoredChunk:
    """A row of `_CHUNK`."""
    *chunk, seqs, cameras, times, codes, digest = row
    return StoredChunk(Chunk(*chunk), (seqs, cameras, times, codes), digest)


def last_chunk(db: apsw.Connection, seq: int) -> StoredChunk | None:
    """The chunk that would hold a sequence number, if the tail holds it."""
    row = db.execute(f"SELECT {_CHUNK} FROM chunk WHERE first <= ? ORDER BY first DESC LIMIT 1", (seq,)).fetchone()
    return None if row is None else stored_chunk(row)
