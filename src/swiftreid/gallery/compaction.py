"""Compaction: rewrite segments without deleted rows, which also erases the codes of deleted entries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import apsw

from swiftreid.durable import flush_folder
from swiftreid.gallery.columns import Columns, join
from swiftreid.gallery.errors import damaged
from swiftreid.gallery.removal import empty_log
from swiftreid.gallery.schema import DATABASE, SEGMENTS, get_state, set_state, transaction
from swiftreid.gallery.segments import RemovedFiles, SegmentRow, unregistered_files, write_segment
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
        remaining: files that still hold deleted content because readers hold older snapshots, one sentence each; empty
            when nothing is left. The next delete, compaction or writable open tries to empty the log again; a removed
            segment file goes when the last process that maps it lets go.
    """

    erased: int
    segments_before: int
    segments_after: int
    remaining: tuple[str, ...] = ()

    @property
    def waiting_for_readers(self) -> bool:
        """Whether deleted content is still on the disk because a reader holds an older snapshot."""
        return bool(self.remaining)


def compact_gallery(
    db: apsw.Connection, gallery: Path, spec: CodeSpec, cache: Cache, *, size: int, removed: RemovedFiles
) -> CompactReport:
    """Rewrite every segment with deleted rows, join small neighbours, and rewrite the database without free pages.

    Crash-safe: each group of segments is written to a new file and exchanged in one transaction. Readers that mapped an
    old file keep it until they let go.
    """
    before = segment_rows(db)
    for group in _groups(before, size):
        if len(group) > 1 or group[0].deleted:
            _rewrite(db, gallery, spec, cache, group=group, removed=removed)
            cache.keep_only({row.number for row in segment_rows(db)})
            removed.mapped()  # closes those that nobody maps
    after = segment_rows(db)
    if get_state(db, "removed"):
        # Pages keep stale bytes of rows that once moved; a rewrite is the only thing that surely leaves none behind.
        with transaction(db):
            db.execute("DELETE FROM thumbnail WHERE seq NOT IN (SELECT seq FROM entry)")
        db.execute("VACUUM")
        with transaction(db):
            set_state(db, "removed", 0)
    return CompactReport(sum(row.deleted for row in before), len(before), len(after))


def remaining_content(db: apsw.Connection, gallery: Path, removed: RemovedFiles) -> tuple[str, ...]:
    """Empty the log, and say which files still hold what was deleted."""
    left = []
    if not empty_log(db, gallery):
        left.append(
            f"{DATABASE} and {DATABASE}-wal hold metadata and thumbnails: a reader still looks at an older state"
        )
    left += [f"{SEGMENTS}/{name}, removed, holds codes: a process still maps it" for name in removed.mapped()]
    return tuple(left)


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


def _rewrite(
    db: apsw.Connection,
    gallery: Path,
    spec: CodeSpec,
    cache: Cache,
    *,
    group: list[SegmentRow],
    removed: RemovedFiles,
) -> None:
    parts = []
    for row in group:
        file = segment_file(gallery, spec, row, cache)
        if broken := file.broken_columns():  # since they were mapped: a new file would give them a fresh checksum
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
        removed.remove(gallery / SEGMENTS / row.name)
    flush_folder(gallery / SEGMENTS)


def remove_orphans(db: apsw.Connection, gallery: Path) -> list[str]:
    """Remove files that a killed seal or compaction left behind; call under the writer lock. Returns their names."""
    orphans = list(unregistered_files(gallery, {row.name for row in segment_rows(db)}))
    for path in orphans:
        path.unlink(missing_ok=True)
    if orphans:
        flush_folder(gallery / SEGMENTS)
    return [path.name for path in orphans]
