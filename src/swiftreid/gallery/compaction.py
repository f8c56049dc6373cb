"""Compaction: rewrite segments without deleted rows, which also erases the codes of deleted entries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from swiftreid.gallery.catalogue import Catalogue, SegmentRow
from swiftreid.gallery.columns import Columns, join
from swiftreid.gallery.errors import GalleryBusy, damaged
from swiftreid.gallery.segment_store import RemovedSegments, SegmentStore
from swiftreid.gallery.segments import write_segment
from swiftreid.gallery.version_changes import compact_versions
from swiftreid.gallery.versions import used_names
from swiftreid.gallery.view import Cache


@dataclass(frozen=True)
class CompactReport:
    """What a compaction did.

    Attributes:
        erased: codes of deleted sealed entries that were erased, of all versions of the gallery's codes.
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
    catalogue: Catalogue, store: SegmentStore, gallery: Path, cache: Cache
) -> tuple[CompactReport, RemovedSegments]:
    """Rewrite every segment with deleted rows, join small neighbours, and rewrite the catalogue without free pages.

    Crash-safe: each group of segments is written to a new file and exchanged in one transaction. Readers that mapped an
    old file keep it until they let go.

    Returns:
        What was done, and the removed segments, which a reader may still map.
    """
    before = _rows(catalogue, cache)
    removed = store.remove([])
    try:
        for group in _groups(before, catalogue.meta.segment_size):
            if len(group) > 1 or group[0].deleted:
                _rewrite(catalogue, store, gallery, cache, group=group)
                kept = {row.name for row in _rows(catalogue, cache)}  # which lets go of this process's own mappings
                # Where only one segment of the group had entries left, the new one has its content, and so its name.
                store.remove([row.name for row in group if row.name not in kept], removed)
                removed.still_mapped()  # lets go of those that nobody maps
        after = _rows(catalogue, cache)
        erased = sum(row.deleted for row in before) + compact_versions(catalogue, store, gallery, removed)
        catalogue.erase()
    except BaseException:
        removed.close()
        raise
    return CompactReport(erased, len(before), len(after)), removed


def _rows(catalogue: Catalogue, cache: Cache) -> list[SegmentRow]:
    """The registered segments now; the mappings of others are dropped."""
    view = catalogue.view("compacting")
    try:
        rows = view.segments()
        cache.keep_only(view, rows)
        return rows
    finally:
        view.close()


def _groups(rows: list[SegmentRow], size: int) -> list[list[SegmentRow]]:
    """Neighbours that fit into one segment together, with codes by the same encoder and camera statistics."""
    groups: list[list[SegmentRow]] = []
    filled = 0
    for row in rows:
        live = row.rows - row.deleted
        one = groups[-1][0] if groups else None
        made_alike = one is not None and (one.encoder, one.statistics) == (row.encoder, row.statistics)
        if made_alike and filled + live <= size:
            groups[-1].append(row)
            filled += live
        else:
            groups.append([row])
            filled = live
    return groups


def _rewrite(
    catalogue: Catalogue, store: SegmentStore, gallery: Path, cache: Cache, *, group: list[SegmentRow]
) -> None:
    parts = []
    view = catalogue.view("compacting")
    try:
        for row in group:
            file = cache.file(row, ())
            if broken := file.broken_columns():  # a new file would give the altered bytes a fresh checksum
                raise damaged(gallery, f"segment {row.name} does not match its checksum ({', '.join(broken)})")
            filters = cache.filters(view, row)
            columns = Columns(file.seqs, filters.cameras, filters.times, file.codes)
            parts.append(columns.take(filters.cameras != 0))
    finally:
        view.close()
    layout = catalogue.meta.layout
    rows = join(layout, parts)
    written = None
    if len(rows):
        one = group[0]
        written = write_segment(store, layout, rows, encoder=one.encoder, statistics=one.statistics)
    if not catalogue.register(written, rows, replaces=group):
        raise GalleryBusy(f"gallery {gallery}: other writers changed segments during compaction; compact again")


def remove_orphans(catalogue: Catalogue, store: SegmentStore) -> list[str]:
    """Remove what a killed seal or compaction left behind; call under the writer lock. Returns the names."""
    view = catalogue.view("opening")
    try:
        registered = used_names(view)
    finally:
        view.close()
    orphans = [name for name in store.names() if name not in registered]
    if orphans:
        store.remove(orphans).close()
    return orphans
