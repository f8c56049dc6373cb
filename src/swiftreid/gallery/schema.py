"""The gallery's database: tables, format version, connections and transactions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from swiftreid.durable import PRIVATE_FILE, open_new
from swiftreid.gallery.errors import GalleryPermission, NewerFormat, NotAGallery, damaged, plain_errors
from swiftreid.search.codes import CodeSpec

DATABASE = "gallery.db"
SEGMENTS = "segments"
ENCODER = "encoder.safetensors"
FORMAT = 1
APPLICATION = 0x53524944  # "SRID": tells the file apart from any other SQLite database
PAGE_BYTES = 8192  # two thumbnails of 3 KB to a page; 4,096 would waste a quarter of each
BUSY_MS = 5000
CHECKPOINT_PAGES = 4096  # 32 MB of log before it is copied into the database

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE camera (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, entries INTEGER NOT NULL) STRICT;
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, camera INTEGER NOT NULL, time REAL,
    person TEXT, source TEXT, labels TEXT, thumbnail_digest BLOB, digest BLOB NOT NULL
) STRICT;
CREATE INDEX entry_person ON entry (person) WHERE person IS NOT NULL;
CREATE TABLE thumbnail (seq INTEGER PRIMARY KEY, picture BLOB NOT NULL) STRICT;
CREATE TABLE chunk (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, rows INTEGER NOT NULL,
    seqs BLOB NOT NULL, cameras BLOB NOT NULL, times BLOB NOT NULL, codes BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE TABLE segment (
    number INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, rows INTEGER NOT NULL,
    deleted INTEGER NOT NULL, bytes INTEGER NOT NULL, digest TEXT NOT NULL
) STRICT;
CREATE TABLE segment_filter (
    number INTEGER PRIMARY KEY REFERENCES segment (number) ON DELETE CASCADE,
    digest BLOB NOT NULL, cameras BLOB NOT NULL, times BLOB NOT NULL
) STRICT;
"""
STATE = {"next_seq": 1, "next_camera": 1, "next_segment": 1, "tail_rows": 0, "removed": 0}


@dataclass(frozen=True)
class Meta:
    """What never changes in a gallery's life."""

    encoder_name: str
    fingerprint: str
    spec: CodeSpec
    segment_size: int
    created: str
    encoder_digest: str
    version: int = FORMAT
    rendered: bool = False

    def rows(self) -> list[tuple[str, str]]:
        """The rows of table ``meta``."""
        return [
            ("encoder_name", self.encoder_name),
            ("fingerprint", self.fingerprint),
            ("spec", str(self.spec)),
            ("segment_size", str(self.segment_size)),
            ("created", self.created),
            ("encoder_digest", self.encoder_digest),
            *([("rendered", "true")] if self.rendered else []),
        ]


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


def create_database(folder: Path, meta: Meta) -> None:
    """Write a new, empty database into ``folder``."""
    open_new(folder / DATABASE, PRIVATE_FILE).close()  # SQLite gives its log and index the rights of the database
    db = connect(folder, read_only=False)
    try:
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}; PRAGMA journal_mode = WAL")
        with transaction(db):
            db.execute(TABLES)
            db.executemany("INSERT INTO meta VALUES (?, ?)", meta.rows())
            db.executemany("INSERT INTO state VALUES (?, ?)", STATE.items())
            db.execute(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}")
    finally:
        db.close()


def open_database(folder: Path, *, read_only: bool) -> tuple[apsw.Connection, Meta]:
    """Open and recognise the database in ``folder``.

    Raises:
        NotAGallery: nothing there, or something else.
        NewerFormat: written by a newer SwiftReID.
        GalleryDamaged: recognised, but not readable.
    """
    with plain_errors(folder, "opening"):
        if not folder.exists():
            raise NotAGallery(f"there is no gallery at {folder}: create one with 'swiftreid gallery create'")
        if not (folder / DATABASE).is_file():
            raise NotAGallery(f"{folder} is not a gallery (it has no file {DATABASE}): check the path")
        if not read_only and not (os.access(folder, os.W_OK) and os.access(folder / DATABASE, os.W_OK)):
            raise GalleryPermission(
                f"gallery {folder} may not be written by this user: get the right to write the folder and every file "
                "in it, or only read it (in Python: read_only=True)"
            )
        db = connect(folder, read_only=read_only)
        try:
            return db, _recognise(db, folder)
        except BaseException:
            db.close()
            raise


def _recognise(db: apsw.Connection, folder: Path) -> Meta:
    if (folder / DATABASE).stat().st_size == 0:
        raise damaged(folder, f"{DATABASE} is empty")
    application, version = db.pragma("application_id"), db.pragma("user_version")
    if application != APPLICATION:
        raise NotAGallery(f"{folder / DATABASE} is a database of another program, not a gallery: check the path")
    if version > FORMAT:
        raise NewerFormat(
            f"gallery {folder} has format {version}, and this SwiftReID reads formats up to {FORMAT}: "
            "upgrade SwiftReID to open it"
        )
    wrong = sorted(name for name, _ in _layout(db) ^ _expected_layout())
    if wrong:
        raise damaged(folder, f"{DATABASE} has a table {wrong[0]} that is missing, wrong or unknown")
    try:
        rows: Mapping[str, str] = dict(fetch(db, "SELECT key, value FROM meta"))
        return Meta(
            encoder_name=rows["encoder_name"],
            fingerprint=rows["fingerprint"],
            spec=CodeSpec.parse(rows["spec"]),
            segment_size=int(rows["segment_size"]),
            created=rows["created"],
            encoder_digest=rows["encoder_digest"],
            version=version,
            rendered=rows.get("rendered") == "true",
        )
    except (apsw.SQLError, KeyError, ValueError) as error:
        raise damaged(folder, f"{DATABASE} lacks its description ({error})") from error


def _layout(db: apsw.Connection) -> set[tuple[str, tuple[Any, ...]]]:
    """Every table with each of its columns; a strict table holds no value of another type than its column's."""
    query = """
    SELECT t.name, t.strict, c.name, c.type, c."notnull", c.pk
    FROM pragma_table_list AS t JOIN pragma_table_xinfo(t.name) AS c
    WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
    """
    return {(table, tuple(column)) for table, *column in fetch(db, query)}


@cache
def _expected_layout() -> set[tuple[str, tuple[Any, ...]]]:
    db = apsw.Connection(":memory:")
    try:
        db.execute(TABLES)
        return _layout(db)
    finally:
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


def get_state(db: apsw.Connection, key: str) -> int:
    """One counter of table ``state``."""
    value = db.execute("SELECT value FROM state WHERE key = ?", (key,)).get
    if value is None:
        raise apsw.CorruptError(f"counter {key} is missing")
    return int(value)


def set_state(db: apsw.Connection, key: str, value: int) -> None:
    """Set one counter; call inside a transaction."""
    db.execute("UPDATE state SET value = ? WHERE key = ?", (value, key))
