"""One entry by its id, with codes and thumbnail."""

from __future__ import annotations

from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.columns import empty
from swiftreid.gallery.entries import ENTRY_COLUMNS, StoredEntry, check_thumbnail, from_row
from swiftreid.gallery.errors import EntryNotFound, damaged
from swiftreid.gallery.tail import chunk_of
from swiftreid.gallery.view import Cache, begin_read, segment_file, segment_rows
from swiftreid.search.codes import CodeSpec

_QUERY = (
    f"SELECT thumbnail.picture, {ENTRY_COLUMNS} FROM entry JOIN camera ON camera.number = entry.camera "
    "LEFT JOIN thumbnail ON thumbnail.seq = entry.seq WHERE entry.id = ?"
)


def get_entry(db: apsw.Connection, gallery: Path, spec: CodeSpec, cache: Cache, entry_id: str) -> StoredEntry:
    """See `swiftreid.gallery.store.Gallery.get`."""
    try:
        return begin_read(db, gallery, lambda: _read(db, gallery, spec, cache, entry_id))
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _read(db: apsw.Connection, gallery: Path, spec: CodeSpec, cache: Cache, entry_id: str) -> StoredEntry:
    found = db.execute(_QUERY, (entry_id,)).fetchone()
    if found is None:
        raise EntryNotFound(f"gallery {gallery} has no entry with id {entry_id!r}: check the id")
    picture, *row = found
    entry = from_row(gallery, row, check_thumbnail(gallery, entry_id, picture, row[-2]))
    seq = row[0]
    seqs, codes = _codes_around(db, gallery, spec, cache, seq)
    place = int(np.searchsorted(seqs, seq))
    if place == len(seqs) or seqs[place] != seq:
        raise damaged(gallery, f"the codes of entry {entry_id!r} are missing")
    return StoredEntry(entry, {name: column[place].copy() for name, column in codes.items()})


def _codes_around(
    db: apsw.Connection, gallery: Path, spec: CodeSpec, cache: Cache, seq: int
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.uint8]]]:
    """Sequence numbers and codes of the segment or chunk in whose range ``seq`` lies."""
    for row in segment_rows(db):
        if row.first <= seq <= row.last:
            file = segment_file(gallery, spec, row, cache)
            return file.seqs, file.codes
    chunk = chunk_of(db, gallery, spec, seq) or empty(spec)
    return chunk.seqs, chunk.codes
