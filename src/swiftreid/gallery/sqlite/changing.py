"""Changing what is known of entries, and holding them: in the caller's transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from swiftreid.gallery.catalogue import Places
from swiftreid.gallery.changes import changed_entry
from swiftreid.gallery.chunks import decode_chunk
from swiftreid.gallery.columns import CAMERA, TIME, Columns
from swiftreid.gallery.entries import Entry, changed_row, check_entries, from_row
from swiftreid.gallery.errors import EntriesChanged, EntryNotFound
from swiftreid.gallery.filter_columns import CameraTimes
from swiftreid.gallery.meta import Layout
from swiftreid.gallery.sqlite.appending import by_number, count_cameras, drop_chunk, index_labels, put_chunk
from swiftreid.gallery.sqlite.connection import fetch, get_state, next_token
from swiftreid.gallery.sqlite.deletion import (
    IN,
    chunks_of,
    forget_labels,
    note_erasure,
    segments_of,
    write_filters,
)
from swiftreid.gallery.sqlite.view import ENTRY, last_chunk

_UPDATE = (
    "UPDATE entry SET id = ?2, camera = ?3, time = ?4, person = ?5, source = ?6, labels = ?7, track = ?8, frame = ?9, "
    "start_time = ?10, end_time = ?11, arrival = ?12, picture_sha256 = ?13, thumbnail_digest = ?14, digest = ?15 "
    "WHERE seq = ?1"
)


def change(
    db: apsw.Connection,
    gallery: Path,
    layout: Layout,
    *,
    changes: Mapping[str, Mapping[str, Any]],
    places: Places,
    expected: Mapping[str, Entry],
) -> tuple[int, int]:
    """See `swiftreid.gallery.catalogue.Catalogue.change`."""
    query = f"SELECT {ENTRY} FROM entry JOIN camera ON camera.number = entry.camera WHERE entry.id {IN}"
    rows = {row[0]: row for row in fetch(db, query, (json.dumps(list(changes)),))}
    _check_found(gallery, changes, [row[1] for row in rows.values()])
    if not rows:
        return 0, get_state(db, "token")
    old = {seq: from_row(gallery, row) for seq, row in rows.items()}
    others = [entry.id for entry in old.values() if expected.get(entry.id, entry) != entry]
    if others:
        raise EntriesChanged(
            f"{len(others)} entries of gallery {gallery} were changed by others since they were read, such as "
            f"{min(others)!r}; nothing was changed: try again"
        )
    new = {seq: changed_entry(entry, changes[entry.id]) for seq, entry in old.items()}
    check_entries(list(new.values()))
    token = next_token(db)
    counts = Counter(entry.camera for entry in new.values())
    counts.subtract(entry.camera for entry in old.values())
    numbers = count_cameras(db, {camera: count for camera, count in counts.items() if count})
    forget_labels(db, json.dumps(list(old)))
    values = [by_number(changed_row(seq, entry, rows[seq][-2]), numbers) for seq, entry in new.items()]
    db.executemany(_UPDATE, values)
    index_labels(db, ((seq, entry.labels) for seq, entry in new.items()))
    if any((old[seq].camera, old[seq].time) != (entry.camera, entry.time) for seq, entry in new.items()):
        _change_columns(db, gallery, layout, new=new, numbers=numbers, places=places, token=token)
    note_erasure(db, len(new))
    return len(new), token


def hold(
    db: apsw.Connection, gallery: Path, ids: Collection[str], reason: str | None, placed: float
) -> tuple[int, int]:
    """See `swiftreid.gallery.catalogue.Catalogue.hold`."""
    found = fetch(db, f"SELECT seq, id FROM entry WHERE id {IN}", (json.dumps(list(ids)),))
    _check_found(gallery, ids, [id_ for _, id_ in found])
    token = next_token(db)
    if reason is None:
        db.executemany("DELETE FROM hold WHERE seq = ?", [(seq,) for seq, _ in found])
    else:
        db.executemany("INSERT OR REPLACE INTO hold VALUES (?, ?, ?)", [(seq, reason, placed) for seq, _ in found])
    return len(found), token


def _check_found(gallery: Path, ids: Collection[str], found: Collection[str]) -> None:
    missing = sorted(set(ids) - set(found))
    if missing:
        first = ", ".join(map(repr, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise EntryNotFound(f"gallery {gallery} has no entry with id {first}: check the ids; nothing was changed")


def _change_columns(
    db: apsw.Connection,
    gallery: Path,
    layout: Layout,
    *,
    new: Mapping[int, Entry],
    numbers: Mapping[str, int],
    places: Places,
    token: int,
) -> None:
    """Set camera and time of entries in the columns that filters use."""
    seqs = np.array(sorted(new), np.int64)

    def cameras(some: Any) -> Any:
        return np.array([numbers[new[int(seq)].camera] for seq in some], CAMERA)

    def times(some: Any) -> Any:
        known = (new[int(seq)].time for seq in some)
        return np.array([np.nan if time is None else float(time) + 0.0 for time in known], TIME)

    for row, inside in segments_of(db, seqs):
        new_filters = CameraTimes(cameras(inside), times(inside))
        write_filters(db, gallery, row, places(row, inside), new=new_filters, token=token)
    for chunk, inside in chunks_of(db, seqs):
        stored = last_chunk(db, chunk.first)
        if stored is None:
            continue
        rows = decode_chunk(gallery, layout, stored)
        at = np.searchsorted(rows.seqs, inside)
        changed = Columns(rows.seqs, rows.cameras.copy(), rows.times.copy(), rows.codes)
        changed.cameras[at], changed.times[at] = cameras(inside), times(inside)
        drop_chunk(db, chunk.first)
        put_chunk(db, changed, token, chunk.statistics)
