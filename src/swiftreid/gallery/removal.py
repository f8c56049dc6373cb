"""Deleting entries: rows, thumbnails and unsealed codes are overwritten, sealed codes masked until compaction.

SQLite may keep copies of what it moved (ids, labels, unsealed codes) in unused space of pages, whatever secure_delete
says; compaction rewrites those pages too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.columns import CAMERA, TIME
from swiftreid.gallery.digests import filter_digest
from swiftreid.gallery.errors import damaged
from swiftreid.gallery.schema import BUSY_MS, DATABASE, fetch, get_state, set_state, transaction
from swiftreid.gallery.segments import SegmentFile, SegmentRow
from swiftreid.gallery.tail import chunk_of, drop_chunk, put_chunk
from swiftreid.gallery.view import Cache, read_filters, segment_file, segment_rows
from swiftreid.search.codes import CodeSpec

_NO_CAMERA = bytes(CAMERA.itemsize)
_NO_TIME = np.array(np.nan, TIME).tobytes()
_CHECKPOINT_WAIT_MS = 200


def delete_entries(db: apsw.Connection, gallery: Path, spec: CodeSpec, cache: Cache, ids: Collection[str]) -> int:
    """Delete the entries with these ids in one durable transaction; return how many there were."""
    with transaction(db):
        query = "SELECT seq, camera FROM entry WHERE id IN (SELECT value FROM json_each(?)) ORDER BY seq"
        found: list[tuple[int, int]] = fetch(db, query, (json.dumps(list(ids)),))
        if not found:
            return 0
        seqs = np.array([seq for seq, _ in found], np.int64)
        for row in segment_rows(db):
            inside = seqs[(seqs >= row.first) & (seqs <= row.last)]
            if len(inside):
                _mask_sealed(db, gallery, segment_file(gallery, spec, row, cache, ["seq"]), row, inside)
        _erase_unsealed(db, gallery, spec, seqs)
        _erase_thumbnails(db, seqs)
        db.execute("DELETE FROM entry WHERE seq IN (SELECT value FROM json_each(?))", (json.dumps(seqs.tolist()),))
        counts = Counter(camera for _, camera in found)
        db.executemany(
            "UPDATE camera SET entries = entries - ? WHERE number = ?", [(n, camera) for camera, n in counts.items()]
        )
        db.execute("DELETE FROM camera WHERE entries = 0")
        set_state(db, "removed", get_state(db, "removed") + len(found))
    return len(found)


def _mask_sealed(
    db: apsw.Connection, gallery: Path, file: SegmentFile, row: SegmentRow, seqs: NDArray[np.int64]
) -> None:
    places = np.searchsorted(file.seqs, seqs)
    if not np.array_equal(file.seqs[np.minimum(places, row.rows - 1)], seqs):
        raise damaged(gallery, f"segment {row.name} lacks entries that the database places there")
    # Read past the cache: altered columns must not get a fresh checksum.
    cameras, times = (column.copy() for column in read_filters(db, gallery, row, Cache()))
    cameras[places], times[places] = 0, np.nan
    digest = filter_digest(row.number, cameras.tobytes(), times.tobytes())
    with db.blob_open("main", "segment_filter", "digest", row.number, True) as blob:
        blob.write(digest)
    for column, erased in (("cameras", _NO_CAMERA), ("times", _NO_TIME)):
        with db.blob_open("main", "segment_filter", column, row.number, True) as blob:
            for place in places:
                blob.seek(int(place) * len(erased))
                blob.write(erased)
    db.execute("UPDATE segment SET deleted = deleted + ? WHERE number = ?", (len(seqs), row.number))


def _erase_unsealed(db: apsw.Connection, gallery: Path, spec: CodeSpec, seqs: NDArray[np.int64]) -> None:
    erased = 0
    for first, last in fetch(db, "SELECT first, last FROM chunk"):
        inside = seqs[(seqs >= first) & (seqs <= last)]
        chunk = chunk_of(db, gallery, spec, first) if len(inside) else None
        if chunk is None:
            continue
        kept = chunk.take(~np.isin(chunk.seqs, inside))
        drop_chunk(db, chunk)
        if len(kept):
            put_chunk(db, kept)
        erased += len(chunk) - len(kept)
    set_state(db, "tail_rows", get_state(db, "tail_rows") - erased)


def _erase_thumbnails(db: apsw.Connection, seqs: NDArray[np.int64]) -> None:
    """Overwrite pictures with zeros in place; compaction removes the rows.

    Removing a row makes SQLite move its neighbours between pages, and what it leaves in the pages' unused space
    secure_delete does not clear: a picture deleted later could still be found there. In place nothing ever moves.
    """
    query = "SELECT seq, length(picture) FROM thumbnail WHERE seq IN (SELECT value FROM json_each(?))"
    for seq, length in fetch(db, query, (json.dumps(seqs.tolist()),)):
        with db.blob_open("main", "thumbnail", "picture", seq, True) as blob:
            blob.write(bytes(length))


def empty_log(db: apsw.Connection, gallery: Path) -> bool:
    """Copy SQLite's log into the database and cut it to nothing, so that no deleted byte stays in it.

    Returns:
        False when a reader still looks at an older state: the next delete, compaction or writable open tries again.
    """
    db.set_busy_timeout(_CHECKPOINT_WAIT_MS)
    try:
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.BusyError, apsw.FullError, apsw.IOError):
        return False  # what was committed stays committed in the log
    finally:
        db.set_busy_timeout(BUSY_MS)
    log = gallery / (DATABASE + "-wal")
    return not log.exists() or log.stat().st_size == 0
