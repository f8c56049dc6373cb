"""Bringing a gallery of an older format up to date, in one transaction: a process that is killed leaves the old one."""

from __future__ import annotations

import logging
from pathlib import Path

import apsw

from swiftreid.gallery.errors import OlderFormat
from swiftreid.gallery.locking import writer_lock
from swiftreid.gallery.meta import FORMAT
from swiftreid.gallery.sqlite.connection import transaction
from swiftreid.gallery.sqlite.schema import FROM_1_TO_2, FROM_2_TO_3, check_tables, format_of

_log = logging.getLogger(__name__)


def migrate(db: apsw.Connection, folder: Path, *, read_only: bool, wait: float) -> None:
    """Bring the database up to the current format if it is of an older one. Segment files stay as they are.

    Raises:
        OlderFormat: it is older, and was opened only to read.
        GalleryBusy: another writer was there for longer than ``wait`` seconds.
        GalleryDamaged: its tables are not those of its format.
    """
    version = format_of(db, folder)
    if version >= FORMAT:
        return
    if read_only:
        raise OlderFormat(
            f"gallery {folder} has format {version}, and this SwiftReID reads format {FORMAT}: bring it up to date "
            "with 'swiftreid gallery upgrade', or open it once for writing; nothing in it changes"
        )
    with writer_lock(folder, "bringing it up to date", wait), transaction(db):
        version = format_of(db, folder)
        if version == FORMAT:  # another process was quicker
            return
        check_tables(db, folder, version)
        if version == 1:
            _from_1_to_2(db)
        _from_2_to_3(db)
        db.execute(f"PRAGMA user_version = {FORMAT}")
    _log.info("brought gallery %s from format %s to %s", folder, version, FORMAT)


def _from_1_to_2(db: apsw.Connection) -> None:
    db.execute(FROM_1_TO_2)
    db.execute("UPDATE segment SET name = printf('%06d.seg', number)")
    db.execute("UPDATE segment SET encoder = (SELECT value FROM meta WHERE key = 'fingerprint')")
    db.executemany("INSERT INTO state VALUES (?, 0)", [("token",), ("unsettled",)])
    index_all_labels(db)


def _from_2_to_3(db: apsw.Connection) -> None:
    db.execute(FROM_2_TO_3)
    db.executemany("INSERT INTO state VALUES (?, ?)", [("codes_version", 1), ("next_version", 2)])


def index_all_labels(db: apsw.Connection) -> None:
    """Fill the tables that filters by label use from the entries; they must be empty."""
    db.execute(f"INSERT INTO label (name, value) SELECT DISTINCT pair.key, pair.value {_PAIRS} ORDER BY 1, 2")
    found = "JOIN label ON label.name = pair.key AND label.value = pair.value"
    db.execute(f"INSERT INTO entry_label SELECT label.number, entry.seq {_PAIRS.replace('WHERE', found + ' WHERE')}")


# Entries whose labels were altered stay as they are: reading one says so.
_PAIRS = (
    "FROM entry JOIN json_each(iif(json_valid(entry.labels), entry.labels, '{}')) AS pair "
    "WHERE entry.labels IS NOT NULL AND pair.value IS NOT NULL"
)
