"""Adding entries: metadata, thumbnails, labels and codes in the caller's transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery import chunks
from swiftreid.gallery.chunks import decode_chunk, encode_chunk
from swiftreid.gallery.columns import Columns, join
from swiftreid.gallery.entries import Entry, to_row
from swiftreid.gallery.errors import DuplicateIds
from swiftreid.gallery.meta import Layout
from swiftreid.gallery.sqlite.connection import fetch, get_state, next_token, set_state
from swiftreid.gallery.sqlite.view import last_chunk

_INSERT_ENTRY = (
    "INSERT INTO entry (seq, id, camera, time, person, source, labels, track, frame, start_time, end_time, "
    "arrival, picture_sha256, thumbnail_digest, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def append(
    db: apsw.Connection,
    gallery: Path,
    layout: Layout,
    *,
    entries: Sequence[Entry],
    codes: Mapping[str, NDArray[Any]],
    statistics: int,
    arrival: float,
) -> int:
    """See `swiftreid.gallery.catalogue.Catalogue.append`."""
    there = _known(db, [entry.id for entry in entries])
    if there:
        raise DuplicateIds(there, gallery)
    token = next_token(db)
    first = get_state(db, "next_seq")
    numbers = count_cameras(db, Counter(entry.camera for entry in entries))
    rows = [to_row(seq, entry, arrival) for seq, entry in enumerate(entries, first)]
    db.executemany(_INSERT_ENTRY, (by_number(row, numbers) for row in rows))
    db.executemany(
        "INSERT INTO thumbnail VALUES (?, ?)",
        ((seq, entry.thumbnail) for seq, entry in enumerate(entries, first) if entry.thumbnail is not None),
    )
    index_labels(db, ((seq, entry.labels) for seq, entry in enumerate(entries, first)))
    columns = Columns(
        np.arange(first, first + len(entries), dtype=np.int64),
        np.array([numbers[entry.camera] for entry in entries], np.int32),
        np.array([np.nan if entry.time is None else float(entry.time) for entry in entries], np.float64),
        {name: np.asarray(codes[name], dtype) for name, (dtype, _) in layout.columns.items()},
    )
    _append_rows(db, gallery, layout, columns, token=token, statistics=statistics)
    set_state(db, "next_seq", first + len(entries))
    return token


def _known(db: apsw.Connection, ids: Sequence[str]) -> list[str]:
    query = "SELECT id FROM entry WHERE id IN (SELECT value FROM json_each(?))"
    return [row[0] for row in fetch(db, query, (json.dumps(list(ids)),))]


def by_number(row: tuple[Any, ...], numbers: Mapping[str, int]) -> tuple[Any, ...]:
    """The values of an entry with its camera's number in place of the name."""
    return (*row[:2], numbers[row[2]], *row[3:])


def count_cameras(db: apsw.Connection, changes: Mapping[str, int]) -> dict[str, int]:
    """Bring the numbers of entries per camera up to date; new cameras are stored, those without entries go.

    Returns:
        The number of every camera.
    """
    numbers: dict[str, int] = dict(fetch(db, "SELECT name, number FROM camera"))
    following = get_state(db, "next_camera")
    for camera, change in changes.items():
        if camera in numbers:
            db.execute("UPDATE camera SET entries = entries + ? WHERE number = ?", (change, numbers[camera]))
        elif change > 0:
            db.execute("INSERT INTO camera VALUES (?, ?, ?)", (following, camera, change))
            numbers[camera], following = following, following + 1
    db.execute("DELETE FROM camera WHERE entries = 0")
    set_state(db, "next_camera", following)
    return numbers


def index_labels(db: apsw.Connection, labels: Iterable[tuple[int, Mapping[str, str]]]) -> None:
    """Store the labels of entries, by sequence number, where filters look for them."""
    numbers: dict[tuple[str, str], int] = {}
    pairs: list[tuple[int, int]] = []
    for seq, labelled in labels:
        for pair in labelled.items():
            if pair not in numbers:
                db.execute("INSERT OR IGNORE INTO label (name, value) VALUES (?, ?)", pair)
                numbers[pair] = db.execute("SELECT number FROM label WHERE name = ? AND value = ?", pair).get
            pairs.append((numbers[pair], seq))
    db.executemany("INSERT INTO entry_label VALUES (?, ?)", sorted(pairs))


def _append_rows(
    db: apsw.Connection, gallery: Path, layout: Layout, columns: Columns, *, token: int, statistics: int
) -> None:
    """Put new rows at the end of the tail."""
    set_state(db, "tail_rows", get_state(db, "tail_rows") + len(columns))
    stored = last_chunk(db, int(columns.seqs[0]))
    if (
        stored is not None
        and stored.chunk.rows + len(columns) <= chunks.MERGE_ROWS
        and stored.chunk.statistics == statistics
    ):
        last = decode_chunk(gallery, layout, stored)
        drop_chunk(db, stored.chunk.first)
        columns = join(layout, [last, columns])
    for start in range(0, len(columns), chunks.CHUNK_ROWS):
        put_chunk(db, columns.take(slice(start, start + chunks.CHUNK_ROWS)), token, statistics)


def put_chunk(db: apsw.Connection, columns: Columns, token: int, statistics: int) -> None:
    """Store rows as one chunk."""
    chunk, blobs, digest = encode_chunk(columns, token, statistics)
    db.execute(
        "INSERT INTO chunk (first, last, rows, version, statistics, seqs, cameras, times, codes, digest) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*chunk, *blobs, digest),
    )


def drop_chunk(db: apsw.Connection, first: int) -> None:
    """Remove the chunk with this first number."""
    db.execute("DELETE FROM chunk WHERE first = ?", (first,))
