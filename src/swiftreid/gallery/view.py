"""One consistent view of all codes: the registered segments and the tail, read in one view of the catalogue."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.catalogue import Catalogue, CatalogueView, SegmentRow, Token
from swiftreid.gallery.columns import empty
from swiftreid.gallery.errors import damaged
from swiftreid.gallery.filter_columns import CameraTimes, decode_filters
from swiftreid.gallery.meta import Layout
from swiftreid.gallery.segment_store import SegmentStore
from swiftreid.gallery.segments import SegmentFile, map_segment
from swiftreid.gallery.tail import Tail, read_tail
from swiftreid.search.table import CodeTable

T = TypeVar("T")
_ATTEMPTS = 5


class Cache:
    """What a process keeps of a gallery between looks: mapped files, filter columns by version, the tail.

    With a file and a part of the tail goes what searches derived from its codes, so that a segment's bit planes are
    made once in the life of a process, and go when the segment is compacted away.

    Segment files never change and their numbers are never used again, so a mapping stays right. Threads share a cache,
    and look at different moments: only the newest one says what is forgotten.
    """

    def __init__(self, store: SegmentStore, gallery: Path, layout: Layout) -> None:
        self.files: dict[int, SegmentFile] = {}
        self.tail: Tail | None = None
        self._store = store
        self._gallery = gallery
        self._layout = layout
        self._filters: dict[int, tuple[Token, CameraTimes]] = {}
        self._newest = -1
        self._lock = threading.Lock()
        self._mapping: dict[int, threading.Lock] = {}

    def file(self, row: SegmentRow, columns: Collection[str] | None = None) -> SegmentFile:
        """The mapped file of a registered segment, with these columns, or all, checked against their checksums.

        Raises:
            FileNotFoundError, NewerFormat, GalleryDamaged: see `map_segment`; or a column was altered.
        """
        file = self._mapped(row)
        file.check(self._gallery, columns)
        return file

    def _mapped(self, row: SegmentRow) -> SegmentFile:
        with self._lock:
            known = self.files.get(row.number)
            alone = self._mapping.setdefault(row.number, threading.Lock())
        if known is not None:
            return known
        with alone:  # two threads must not map it twice, and derive everything twice
            known = self.files.get(row.number)
            if known is None:
                known = map_segment(self._store, self._gallery, self._layout, row)
                with self._lock:
                    self.files[row.number] = known
            return known

    def check_all(self, rows: Collection[SegmentRow]) -> list[SegmentFile]:
        """The mapped files of several segments, all columns checked, by as many threads as there are processors.

        Raises:
            FileNotFoundError, NewerFormat, GalleryDamaged: see `file`.
        """
        files = [self._mapped(row) for row in rows]
        unchecked = [file for file in files if not file.checked]
        if len(unchecked) > 1:
            with ThreadPoolExecutor(min(len(unchecked), os.cpu_count() or 1)) as pool:
                list(pool.map(lambda file: file.check(self._gallery), unchecked))
        elif unchecked:
            unchecked[0].check(self._gallery)
        return files

    def checked_states(self, rows: Collection[SegmentRow]) -> dict[int, str]:
        """States in which columns were checked here and of which the catalogue does not know, by segment number."""
        with self._lock:
            files = [(row, self.files.get(row.number)) for row in rows]
        return {
            row.number: file.state
            for row, file in files
            if file is not None and file.checked and file.state != row.checked
        }

    def filters(self, view: CatalogueView, row: SegmentRow) -> CameraTimes:
        """Camera numbers and times of a segment's rows in a view.

        Raises:
            GalleryDamaged: they are missing or altered.
        """
        kept = self._filters.get(row.number)
        if kept is None or kept[0] != row.version:
            kept = (row.version, decode_filters(self._gallery, row, view.filters(row)))
            with self._lock:
                self._filters[row.number] = kept
        return kept[1]

    def read_tail(self, view: CatalogueView) -> Tail:
        """The tail in a view."""
        tail = read_tail(view, self._gallery, self._layout, self.tail)
        with self._lock:
            if view.token >= self._newest:
                self.tail = tail
        return tail

    def keep_only(self, view: CatalogueView, rows: Collection[SegmentRow]) -> None:
        """Forget segments that a view does not know, unless a newer view was looked at: disk space is returned."""
        with self._lock:
            if view.token < self._newest:
                return
            self._newest = view.token
            numbers = {row.number for row in rows}
            self.files = {number: file for number, file in self.files.items() if number in numbers}
            self._filters = {number: kept for number, kept in self._filters.items() if number in numbers}
            self._mapping = {number: lock for number, lock in self._mapping.items() if number in numbers}


@dataclass(frozen=True)
class GalleryView:
    """Segments in gallery order with their files, and the tail."""

    layout: Layout
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
        return CodeTable.from_segments(tables or [CodeTable(empty(self.layout).codes)])


def read_view(view: CatalogueView, layout: Layout, cache: Cache) -> GalleryView:
    """Read everything that a view of the catalogue names; all columns are checked.

    Raises:
        FileNotFoundError: a registered segment is gone; see `look`.
        NewerFormat, GalleryDamaged: a segment is not as it was registered.
    """
    rows = view.segments()
    cache.keep_only(view, rows)
    tail = cache.read_tail(view)
    return GalleryView(layout, list(zip(rows, cache.check_all(rows), strict=True)), tail)


def look(
    catalogue: Catalogue, gallery: Path, doing: str, read: Callable[[CatalogueView], T], after: Token = 0
) -> tuple[CatalogueView, T]:
    """Take a view of the catalogue, and return it open with what ``read`` made of it.

    A compaction may remove a file between our reading its name and opening it: then a fresh view names its successor.
    A file that is missing again and again is missing indeed.

    Raises:
        GalleryDamaged: a registered segment is missing; no view is left open after any error.
    """
    for attempt in range(_ATTEMPTS):
        view = catalogue.view(doing, after)
        try:
            return view, read(view)
        except FileNotFoundError as error:
            view.close()
            if attempt == _ATTEMPTS - 1:
                raise damaged(gallery, f"segment file {Path(error.filename).name} is missing") from error
        except BaseException:
            view.close()
            raise
    raise AssertionError("unreachable: the last attempt returns or raises")
