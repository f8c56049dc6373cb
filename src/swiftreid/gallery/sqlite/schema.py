"""The database's tables and format versions."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import apsw

from swiftreid.durable import PRIVATE_FILE, open_new
from swiftreid.gallery.errors import NewerFormat, NotAGallery, damaged
from swiftreid.gallery.meta import FORMAT, Meta
from swiftreid.gallery.sqlite.connection import DATABASE, connect, fetch, get_codes_version, transaction
from swiftreid.gallery.sqlite.errors import sqlite_errors

APPLICATION = 0x53524944  # "SRID": marks the file among SQLite databases
PAGE_BYTES = 8192  # two thumbnails of 3 KB to a page; 4,096 would waste a quarter of each

FORMAT_1 = """
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
# A chunk's new columns stand before its blobs: those behind could only be read by reading the blobs.
FROM_1_TO_2 = """
ALTER TABLE entry ADD COLUMN track TEXT;
ALTER TABLE entry ADD COLUMN frame INTEGER;
ALTER TABLE entry ADD COLUMN start_time REAL;
ALTER TABLE entry ADD COLUMN end_time REAL;
ALTER TABLE entry ADD COLUMN arrival REAL;
ALTER TABLE entry ADD COLUMN picture_sha256 TEXT;
CREATE INDEX entry_track ON entry (track) WHERE track IS NOT NULL;
CREATE TABLE label (number INTEGER PRIMARY KEY, name TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (name, value)) STRICT;
CREATE TABLE entry_label (label INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (label, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX entry_label_seq ON entry_label (seq);
CREATE TABLE hold (seq INTEGER PRIMARY KEY, reason TEXT NOT NULL, placed REAL NOT NULL) STRICT;
CREATE TABLE chunk_2 (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, rows INTEGER NOT NULL,
    version INTEGER NOT NULL, statistics INTEGER NOT NULL,
    seqs BLOB NOT NULL, cameras BLOB NOT NULL, times BLOB NOT NULL, codes BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;
INSERT INTO chunk_2 SELECT first, last, rows, 0, 0, seqs, cameras, times, codes, digest FROM chunk;
DROP TABLE chunk;
ALTER TABLE chunk_2 RENAME TO chunk;
ALTER TABLE segment ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE segment ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segment ADD COLUMN encoder TEXT NOT NULL DEFAULT '';
ALTER TABLE segment ADD COLUMN statistics INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segment ADD COLUMN checked TEXT;
"""
# Codes by other encoders than the active one: half filled, or those of before, kept to go back to.
FROM_2_TO_3 = """
CREATE TABLE version (number INTEGER PRIMARY KEY, state TEXT NOT NULL, meta TEXT NOT NULL) STRICT;
CREATE TABLE version_segment (
    number INTEGER PRIMARY KEY, version INTEGER NOT NULL REFERENCES version (number) ON DELETE CASCADE,
    name TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
    digest TEXT NOT NULL, encoder TEXT NOT NULL, statistics INTEGER NOT NULL, checked TEXT, cameras BLOB NOT NULL
) STRICT;
CREATE INDEX version_segment_version ON version_segment (version);
"""
STATE = {
    "next_seq": 1,
    "next_camera": 1,
    "next_segment": 1,
    "tail_rows": 0,
    "removed": 0,  # deleted or changed entries with content that a rewrite of the database has not erased yet
    "token": 0,  # of the last write
    "unsettled": 0,  # whether the log may hold content that was deleted
    "codes_version": 1,  # of the codes that searches compare
    "next_version": 2,
}


_TABLES = {1: FORMAT_1, 2: FORMAT_1 + FROM_1_TO_2, 3: FORMAT_1 + FROM_1_TO_2 + FROM_2_TO_3}


def create_database(folder: Path, meta: Meta, gallery: Path) -> None:
    """Write a new, empty database into ``folder``; messages name ``gallery``.

    Raises:
        GalleryFull, GalleryPermission: the disk or the system refused.
    """
    with sqlite_errors(gallery, "creating"):
        _create(folder, meta)


def _create(folder: Path, meta: Meta) -> None:
    open_new(folder / DATABASE, PRIVATE_FILE).close()  # SQLite gives its log and index the rights of the database
    db = connect(folder, read_only=False)
    try:
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}; PRAGMA journal_mode = WAL")
        with transaction(db):
            db.execute(_TABLES[FORMAT])
            db.executemany("INSERT INTO meta VALUES (?, ?)", meta.to_text().items())
            db.executemany("INSERT INTO state VALUES (?, ?)", STATE.items())
            db.execute(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}")
    finally:
        db.close()


def format_of(db: apsw.Connection, folder: Path) -> int:
    """The version of the database's format.

    Raises:
        NotAGallery: a database of another program.
        NewerFormat: written by a newer SwiftReID.
        GalleryDamaged: an empty file.
    """
    if (folder / DATABASE).stat().st_size == 0:
        raise damaged(folder, f"{DATABASE} is empty")
    if db.pragma("application_id") != APPLICATION:
        raise NotAGallery(f"{folder / DATABASE} is a database of another program, not a gallery: check the path")
    version = int(db.pragma("user_version"))
    if version > FORMAT:
        raise NewerFormat(
            f"gallery {folder} has format {version}, and this SwiftReID reads formats up to {FORMAT}: "
            "upgrade SwiftReID to open it"
        )
    return version


def read_meta(db: apsw.Connection, folder: Path) -> Meta:
    """What the gallery is bound to, from a database of the current format.

    Raises:
        GalleryDamaged: a table or a value is missing, or wrong.
    """
    check_tables(db, folder, FORMAT)
    try:
        db.execute("BEGIN")  # both of one moment
        try:
            stored = dict(fetch(db, "SELECT key, value FROM meta"))
            return Meta.from_text(stored, FORMAT, get_codes_version(db))
        finally:
            db.execute("ROLLBACK")
    except (KeyError, ValueError) as error:
        raise damaged(folder, f"{DATABASE} lacks its description ({error})") from error


def check_tables(db: apsw.Connection, folder: Path, version: int) -> None:
    """Compare the tables with those of a format.

    Raises:
        GalleryDamaged: names the first table that differs.
    """
    wrong = sorted(name for name, _ in _layout(db) ^ _expected_layout(version))
    if wrong:
        raise damaged(folder, f"{DATABASE} has a table {wrong[0]} that is missing, wrong or unknown")


def _layout(db: apsw.Connection) -> set[tuple[str, tuple[Any, ...]]]:
    """Every table with each of its columns; a strict table holds no value of another type than its column's."""
    query = """
    SELECT t.name, t.strict, c.name, c.type, c."notnull", c.pk
    FROM pragma_table_list AS t JOIN pragma_table_xinfo(t.name) AS c
    WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
    """
    return {(table, tuple(column)) for table, *column in fetch(db, query)}


@cache
def _expected_layout(version: int) -> set[tuple[str, tuple[Any, ...]]]:
    db = apsw.Connection(":memory:")
    try:
        db.execute(_TABLES[version])
        return _layout(db)
    finally:
        db.close()
