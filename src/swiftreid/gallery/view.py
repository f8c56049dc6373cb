"""One consistent look at all codes: the registered segments and the tail, read in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.columns import CAMERA, TIME, empty
from swiftreid.gallery.digests import filter_digest
from swiftreid.gallery.errors import damaged
from swiftreid.gallery.segments import SegmentFile, SegmentRow, map_segment
from swiftreid.gallery.tail import Tail, read_tail
from swiftreid.search.codes import CodeSpec
from swiftreid.search.table import CodeTable

T = TypeVar("T")
_ATTEMPTS = 5


@dataclass
class Cache:
    """What a process keeps of a gallery between looks: mapped files, filter columns by deletion count, the tail.

    With a file and a part of the tail goes what searches derived from its codes, so that a segment's bit planes are
    made once in the life of a process, and go when the segment is compacted away.

    Segment files never change and their numbers are never used again, so a mapping stays right; the filter columns
    of a segment change only by deletions, which are counted.
    """

    files: dict[int, SegmentFile] = field(default_factory=dict)
    filters: dict[int, tuple[int, NDArray[np.int32], NDArray[np.float64]]] = field(default_factory=dict)
    tail: Tail | None = None

    def keep_only(self, numbers: set[int]) -> None:
        """Forget segments that are no longer registered, so that their disk space is returned."""
        self.files = {number: file for number, file in self.files.items() if number in numbers}
        self.filters = {number: kept for number, kept in self.filters.items() if number in numbers}


@dataclass(frozen=True)
class View:
    """Segments in gallery order with their files, and the tail."""

    spec: CodeSpec
    segments: list[tuple[SegmentRow, SegmentFile]]
    tail: Tail

    @property
    def rows(self) -> int:
        """All positions, deleted ones included."""
        return sum(row.rows for row, _ in self.segments) + len(self.tail)

    @property
    def live(self) -> int:
        """Entries that are not deleted."""
        return self.rows - sum(row.deleted for row, _ in self.segments)

    @property
    def seqs(self) -> list[NDArray[np.int64]]:
        """Sequence numbers, for each segment and part of the tail."""
        return [file.seqs for _, file in self.segments] + [part.columns.seqs for part in self.tail.parts]

    @property
    def table(self) -> CodeTable:
        """All codes, cut where `seqs` is."""
        tables = [file.table for _, file in self.segments] + [part.table for part in self.tail.parts]
        return CodeTable.from_segments(tables or [CodeTable(empty(self.spec).codes)])


def segment_rows(db: apsw.Connection) -> list[SegmentRow]:
    """The registered segments, in gallery order."""
    query = "SELECT number, first, last, rows, deleted, bytes, digest FROM segment ORDER BY first"
    return [SegmentRow(*row) for row in db.execute(query)]


def read_view(
    db: apsw.Connection, gallery: Path, spec: CodeSpec, cache: Cache, columns: Collection[str] | None = None
) -> View:
    """Read the view inside the caller's transaction; these columns of its segments, or all, are checked.

    Raises:
        FileNotFoundError: a registered file is gone; see `map_segment`.
        NewerFormat, GalleryDamaged: a file is not as it was registered.
    """
    rows = segment_rows(db)
    cache.keep_only({row.number for row in rows})
    cache.tail = read_tail(db, gallery, spec, cache.tail)
    return View(spec, [(row, segment_file(gallery, spec, row, cache, columns)) for row in rows], cache.tail)


def read_filters(
    db: apsw.Connection, gallery: Path, row: SegmentRow, cache: Cache
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Camera numbers (0 = deleted) and times of one segment's rows, as they are in the caller's transaction."""
    kept = cache.filters.get(row.number)
    if kept is None or kept[0] != row.deleted:
        query = "SELECT cameras, times, digest FROM segment_filter WHERE number = ?"
        found = db.execute(query, (row.number,)).fetchone()
        if found is None or len(found[0]) != row.rows * CAMERA.itemsize or len(found[1]) != row.rows * TIME.itemsize:
            raise damaged(gallery, f"the filter columns of segment {row.name} are missing or too short")
        if filter_digest(row.number, found[0], found[1]) != found[2]:
            raise damaged(gallery, f"the filter columns of segment {row.name} do not match their checksum")
        kept = (row.deleted, np.frombuffer(found[0], CAMERA), np.frombuffer(found[1], TIME))
        cache.filters[row.number] = kept
    return kept[1], kept[2]


def begin_read(db: apsw.Connection, gallery: Path, read: Callable[[], T]) -> T:
    """Begin a read transaction, and leave it open with what ``read`` returned in it.

    A compaction may remove a file between our reading its name and opening it: then a fresh transaction names its
    successor. A file that is missing again and again is missing indeed.

    Raises:
        GalleryDamaged: a registered segment file is missing; no transaction is left open after any error.
    """
    for attempt in range(_ATTEMPTS):
        db.execute("BEGIN")
        try:
            return read()
        except FileNotFoundError as error:
            db.execute("ROLLBACK")
            if attempt == _ATTEMPTS - 1:
                raise damaged(gallery, f"segment file {Path(error.filename).name} is missing") from error
        except BaseException:
            db.execute("ROLLBACK")
            raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def segment_file(
    gallery: Path, spec: CodeSpec, row: SegmentRow, cache: Cache, columns: Collection[str] | None = None
) -> SegmentFile:
    """The mapped file of one registered segment, with these columns, or all, checked against their checksums.

    Raises:
        FileNotFoundError, NewerFormat, GalleryDamaged: see `map_segment`; or a column was altered.
    """
    if row.number not in cache.files:
        cache.files[row.number] = map_segment(gallery, spec, row)
    cache.files[row.number].check(gallery, columns)
    return cache.files[row.number]
