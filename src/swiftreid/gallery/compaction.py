"""Compaction: rewrite segments without deleted rows, which also erases the codes of deleted entries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import apsw

from swiftreid.durable import flush_folder
from swiftreid.gallery.columns import Columns, join
from swiftreid.gallery.errors import damaged
from swiftreid.gallery.removal import empty_log
from swiftreid.gallery.schema import SEGMENTS, get_state, set_state, transaction
from swiftreid.gallery.segments import SegmentRow, unregistered_files, write_segment
from swiftreid.gallery.tail import register_segment
from swiftreid.gallery.view import Cache, read_filters, segment_file, segment_rows
from swiftreid.search.codes import CodeSpec


@dataclass(frozen=True)
class CompactReport:
    """What a compaction did.

    Attributes:
        erased: deleted sealed entries whose codes were erased.
        segments_before: segment files before.
        segments_after: segment files after.
        waiting_for_readers: a reader still holds an older snapshot, so SQLite's log could not be emptied yet; the next
            delete, compaction or writable open tries again.
    """

    erased: int
    segments_before: int
    segments_after: int
    waiting_for_readers: bool


def compact_gallery(db: apsw.Connection, gallery: Path, spec: CodeSpec, cache: Cache, size: int) -> CompactReport:
    """Rewrite every segment with deleted rows, join small neighbours, and rewrite the database without free pages.

    Crash-safe: each group of segments is written to a new file and exchanged in one transaction. Readers that mapped an
    old file keep it until they let go.
    """
    before = segment_rows(db)
    for group in _groups(before, size):
        if len(group) > 1 or group[0].deleted:
            _rewrite(db, gallery, spec, cache, group)
    after = segment_rows(db)
    cache.keep_only({row.number for row in after})
    if get_state(db, "removed"):
        # Pages keep stale bytes of rows that once moved; a rewrite is the only thing that surely leaves none behind.
        with transaction(db):
            db.execute("DELETE FROM thumbnail WHERE seq NOT IN (SELECT seq FROM entry)")
        db.execute("VACUUM")
        with transaction(db):
            set_state(db, "removed", 0)
    emptied = empty_log(db, gallery)
    return CompactReport(sum(row.deleted for row in before), len(before), len(after), not emptied)


def _groups(rows: list[SegmentRow], size: int) -> list[list[SegmentRow]]:
    """Neighbours that fit into one segment together."""
    groups: list[list[SegmentRow]] = []
    filled = 0
    for row in rows:
        live = row.rows - row.deleted
        if groups and filled + live <= size:
            groups[-1].append(row)
            filled += live
        else:
            groups.append([row])
            filled = live
    return groups


def _rewrite(db: apsw.Connection, gallery: Path, spec: CodeSpec, cache: Cache, group: list[SegmentRow]) -> None:
    parts = []
    for row in group:
        file = segment_file(gallery, spec, row, cache)
        broken = file.broken_columns()
        if broken:  # a new file would give the altered bytes a fresh checksum
            raise damaged(gallery, f"segment {row.name} does not match its checksum ({', '.join(broken)})")
        cameras, times = read_filters(db, gallery, row, cache)
        parts.append(Columns(file.seqs, cameras, times, file.codes).take(cameras != 0))
    columns = join(spec, parts)
    written = None
    if len(columns):
        written = write_segment(gallery, get_state(db, "next_segment"), spec, columns)
    with transaction(db):
        db.executemany("DELETE FROM segment WHERE number = ?", [(row.number,) for row in group])
        if written is not None:
            register_segment(db, written, columns)
    for row in group:
        (gallery / SEGMENTS / row.name).unlink(missing_ok=True)
    flush_folder(gallery / SEGMENTS)


def remove_orphans(db: apsw.Connection, gallery: Path) -> list[str]:
    """Remove files that a killed seal or compaction left behind; call under the writer lock. Returns their names."""
    orphans = list(unregistered_files(gallery, {row.name for row in segment_rows(db)}))
    for path in orphans:
        path.unlink(missing_ok=True)
    if orphans:
        flush_folder(gallery / SEGMENTS)
    return [path.name for path in orphans]
