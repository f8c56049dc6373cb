"""Adding entries: all checks, then metadata, thumbnails and codes in one transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.gallery.columns import Columns
from swiftreid.gallery.entries import Entry, check_entries, to_row
from swiftreid.gallery.errors import DuplicateIds
from swiftreid.gallery.schema import fetch, get_state, set_state, transaction
from swiftreid.gallery.tail import append_rows
from swiftreid.search.codes import CodeSpec


def add_entries(
    db: apsw.Connection, gallery: Path, spec: CodeSpec, entries: Sequence[Entry], codes: Mapping[str, NDArray[np.uint8]]
) -> int:
    """See `swiftreid.gallery.store.Gallery.add`; the encoder is checked there."""
    rows = spec.check(codes)
    if rows != len(entries):
        raise UsageError(f"{len(entries)} entries came with {rows} rows of codes: pass one row of each code per entry")
    check_entries(entries)
    if not entries:
        return 0
    with transaction(db):
        there = known_ids(db, [entry.id for entry in entries])
        if there:
            raise DuplicateIds(list(there), gallery)
        first = get_state(db, "next_seq")
        seqs = np.arange(first, first + rows, dtype=np.int64)
        numbers = _camera_numbers(db, entries)
        cameras = np.array([numbers[entry.camera] for entry in entries], np.int32)
        times = np.array([np.nan if entry.time is None else float(entry.time) for entry in entries], np.float64)
        db.executemany(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (to_row(seq, numbers[entry.camera], entry) for seq, entry in enumerate(entries, first)),
        )
        db.executemany(
            "INSERT INTO thumbnail VALUES (?, ?)",
            ((seq, entry.thumbnail) for seq, entry in enumerate(entries, first) if entry.thumbnail is not None),
        )
        append_rows(db, gallery, spec, Columns(seqs, cameras, times, {name: codes[name] for name in spec}))
        set_state(db, "next_seq", first + rows)
    return rows


def known_ids(db: apsw.Connection, ids: Collection[str]) -> set[str]:
    """Which of these ids have an entry."""
    query = "SELECT id FROM entry WHERE id IN (SELECT value FROM json_each(?))"
    return {row[0] for row in db.execute(query, (json.dumps(list(ids)),))}


def _camera_numbers(db: apsw.Connection, entries: Sequence[Entry]) -> dict[str, int]:
    """Number of each entry's camera; new cameras are stored, counts brought up to date."""
    numbers: dict[str, int] = dict(fetch(db, "SELECT name, number FROM camera"))
    following = get_state(db, "next_camera")
    for camera, count in Counter(entry.camera for entry in entries).items():
        if camera in numbers:
            db.execute("UPDATE camera SET entries = entries + ? WHERE number = ?", (count, numbers[camera]))
        else:
            db.execute("INSERT INTO camera VALUES (?, ?, ?)", (following, camera, count))
            numbers[camera], following = following, following + 1
    set_state(db, "next_camera", following)
    return numbers
