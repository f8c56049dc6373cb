"""Deleting entries: rows, thumbnails and unsealed codes are overwritten, sealed codes masked until compaction.

SQLite may keep copies of what it moved (ids, labels, unsealed codes) in unused space of pages, whatever secure_delete
says; compaction rewrites those pages too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.catalogue import FilterColumns, Places, SegmentRow
from swiftreid.gallery.chunks import Chunk, decode_chunk
from swiftreid.gallery.columns import CAMERA, TIME
from swiftreid.gallery.digests import filter_digest
from swiftreid.gallery.errors import EntriesHeld
from swiftreid.gallery.filter_columns import CameraTimes, decode_filters
from swiftreid.gallery.meta import Layout
from swiftreid.gallery.sqlite.appending import count_cameras, drop_chunk, put_chunk
from swiftreid.gallery.sqlite.connection import fetch, get_state, next_token, set_state
from swiftreid.gallery.sqlite.view import SEGMENT, last_chunk

IN = "IN (SELECT value FROM json_each(?))"


def delete(db: apsw.Connection, gallery: Path, layout: Layout, ids: Collection[str], places: Places) -> tuple[int, int]:
    """See `swiftreid.gallery.catalogue.Catalogue.delete`; in the caller's transaction."""
    query = (
        "SELECT entry.seq, camera.name, entry.id, hold.reason FROM entry JOIN camera ON camera.number = entry.camera "
        f"LEFT JOIN hold ON hold.seq = entry.seq WHERE entry.id {IN} ORDER BY entry.seq"
    )
    found: list[tuple[int, str, str, str | None]] = fetch(db, query, (json.dumps(list(ids)),))
    held = {id_: reason for *_, id_, reason in found if reason is not None}
    if held:
        raise EntriesHeld(held, gallery)
    if not found:
        return 0, get_state(db, "token")
    token = next_token(db)
    seqs = np.array([seq for seq, *_ in found], np.int64)
    listed = json.dumps(seqs.tolist())
    mask_sealed(db, gallery, seqs, places, token=token)
    _erase_unsealed(db, gallery, layout, seqs, token)
    _erase_thumbnails(db, listed)
    forget_labels(db, listed)
    db.execute(f"DELETE FROM entry WHERE seq {IN}", (listed,))
    count_cameras(db, {camera: -count for camera, count in Counter(camera for _, camera, *_ in found).items()})
    note_erasure(db, len(found))
    return len(found), token


def note_erasure(db: apsw.Connection, count: int) -> None:
    """Remember that the content of so many entries was overwritten: a rewrite must erase what is left of it."""
    set_state(db, "removed", get_state(db, "removed") + count)
    set_state(db, "unsettled", 1)


def segments_of(db: apsw.Connection, seqs: NDArray[np.int64]) -> list[tuple[SegmentRow, NDArray[np.int64]]]:
    """The segments that have some of these entries, with their part of them."""
    rows = [SegmentRow(*row) for row in fetch(db, f"SELECT {SEGMENT} FROM segment ORDER BY first")]
    parts = [(row, seqs[(seqs >= row.first) & (seqs <= row.last)]) for row in rows]
    return [(row, inside) for row, inside in parts if len(inside)]


def mask_sealed(db: apsw.Connection, gallery: Path, seqs: NDArray[np.int64], places: Places, *, token: int) -> None:
    """Mark entries of segments as deleted, and overwrite their times."""
    for row, inside in segments_of(db, seqs):
        at = places(row, inside)
        erased = CameraTimes(np.zeros(len(at), CAMERA), np.full(len(at), np.nan, TIME))
        write_filters(db, gallery, row, at, new=erased, token=token)
        db.execute("UPDATE segment SET deleted = deleted + ? WHERE number = ?", (len(inside), row.number))


def write_filters(
    db: apsw.Connection,
    gallery: Path,
    row: SegmentRow,
    places: NDArray[np.int64],
    *,
    new: CameraTimes,
    token: int,
) -> None:
    """Set camera numbers and times of some rows of a segment, in place."""
    cameras, times = new.cameras, new.times
    # Read from the database itself: altered columns must not get a fresh checksum.
    query = "SELECT cameras, times, digest FROM segment_filter WHERE number = ?"
    stored = db.execute(query, (row.number,)).fetchone()
    kept = decode_filters(gallery, row, None if stored is None else FilterColumns(*stored))
    columns: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "cameras": (kept.cameras.copy(), cameras),
        "times": (kept.times.copy(), times),
    }
    for column, values in columns.values():
        column[places] = values
    digest = filter_digest(row.number, *(column.tobytes() for column, _ in columns.values()))
    with db.blob_open("main", "segment_filter", "digest", row.number, True) as blob:
        blob.write(digest)
    for name, (column, values) in columns.items():
        with db.blob_open("main", "segment_filter", name, row.number, True) as blob:
            for place, value in zip(places, values.astype(column.dtype), strict=True):
                blob.seek(int(place) * column.itemsize)
                blob.write(value.tobytes())
    db.execute("UPDATE segment SET version = ? WHERE number = ?", (token, row.number))


def chunks_of(db: apsw.Connection, seqs: NDArray[np.int64]) -> list[tuple[Chunk, NDArray[np.int64]]]:
    """The chunks that have some of these entries, with their part of them."""
    rows = [Chunk(*row) for row in fetch(db, "SELECT first, last, rows, version, statistics FROM chunk ORDER BY first")]
    parts = [(chunk, seqs[(seqs >= chunk.first) & (seqs <= chunk.last)]) for chunk in rows]
    return [(chunk, inside) for chunk, inside in parts if len(inside)]


def _erase_unsealed(db: apsw.Connection, gallery: Path, layout: Layout, seqs: NDArray[np.int64], token: int) -> None:
    erased = 0
    for chunk, inside in chunks_of(db, seqs):
        stored = last_chunk(db, chunk.first)
        if stored is None:
            continue
        rows = decode_chunk(gallery, layout, stored)
        kept = rows.take(~np.isin(rows.seqs, inside))
        drop_chunk(db, chunk.first)
        if len(kept):
            put_chunk(db, kept, token, chunk.statistics)
        erased += len(rows) - len(kept)
    set_state(db, "tail_rows", get_state(db, "tail_rows") - erased)


def _erase_thumbnails(db: apsw.Connection, listed: str) -> None:
    """Overwrite pictures with zeros in place; compaction removes the rows.

    Removing a row makes SQLite move its neighbours between pages, and what it leaves in the pages' unused space
    secure_delete does not clear: a picture deleted later could still be found there. In place nothing ever moves.
    """
    for seq, length in fetch(db, f"SELECT seq, length(picture) FROM thumbnail WHERE seq {IN}", (listed,)):
        with db.blob_open("main", "thumbnail", "picture", seq, True) as blob:
            blob.write(bytes(length))


def forget_labels(db: apsw.Connection, listed: str) -> None:
    """Remove the labels of entries from where filters look, and labels that no entry has any more."""
    numbers = fetch(db, f"SELECT DISTINCT label FROM entry_label WHERE seq {IN}", (listed,))
    db.execute(f"DELETE FROM entry_label WHERE seq {IN}", (listed,))
    unused = "DELETE FROM label WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM entry_label WHERE label = ?1)"
    db.executemany(unused, numbers)
