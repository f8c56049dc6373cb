"""Making a segment part of the gallery in place of others or of the tail's beginning: compare and swap."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from swiftreid.gallery.catalogue import NewSegment, SegmentRow
from swiftreid.gallery.chunks import Chunk
from swiftreid.gallery.columns import Columns
from swiftreid.gallery.digests import filter_digest
from swiftreid.gallery.sqlite.appending import put_chunk
from swiftreid.gallery.sqlite.connection import fetch, get_state, next_token, set_state


def register(
    db: apsw.Connection,
    segment: NewSegment | None,
    columns: Columns,
    *,
    replaces: Sequence[SegmentRow],
    tail: Sequence[Chunk],
    rest: Columns | None,
) -> bool:
    """See `swiftreid.gallery.catalogue.Catalogue.register`; in the caller's transaction."""
    if not _unchanged(db, replaces, tail):
        return False
    token = next_token(db)
    db.executemany("DELETE FROM segment WHERE number = ?", [(row.number,) for row in replaces])
    if segment is not None:
        insert_segment(db, segment, columns, token)
    if tail:
        db.executemany("DELETE FROM chunk WHERE first = ?", [(chunk.first,) for chunk in tail])
        if rest is not None and len(rest):
            put_chunk(db, rest, token, tail[-1].statistics)
        set_state(db, "tail_rows", get_state(db, "tail_rows") - len(columns))
    return True


def _unchanged(db: apsw.Connection, replaces: Sequence[SegmentRow], tail: Sequence[Chunk]) -> bool:
    versions = dict(fetch(db, "SELECT number, version FROM segment"))
    if any(versions.get(row.number) != row.version for row in replaces):
        return False
    query = "SELECT first, last, rows, version, statistics FROM chunk ORDER BY first LIMIT ?"
    return [Chunk(*row) for row in fetch(db, query, (len(tail),))] == list(tail)


def insert_segment(db: apsw.Connection, segment: NewSegment, columns: Columns, token: int) -> None:
    """Make a segment part of the gallery, behind all others; rows of camera 0 are deleted."""
    number = get_state(db, "next_segment")
    db.execute(
        "INSERT INTO segment (number, name, first, last, rows, deleted, bytes, digest, version, encoder, statistics, "
        "checked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number, segment.name, segment.first, segment.last, segment.rows, int((columns.cameras == 0).sum()),
            segment.bytes, segment.digest, token, segment.encoder, segment.statistics, segment.checked,
        ),
    )  # fmt: skip
    _, cameras, times, _ = columns.to_blobs()
    values = (number, filter_digest(number, cameras, times), cameras, times)
    db.execute("INSERT INTO segment_filter (number, digest, cameras, times) VALUES (?, ?, ?, ?)", values)
    set_state(db, "next_segment", number + 1)
