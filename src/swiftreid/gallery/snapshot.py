"""A consistent view of the gallery to search in: code table, mask of searchable positions, and entries by position."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.gallery.catalogue import CatalogueView, Token
from swiftreid.gallery.entries import Entry, check_thumbnail, from_row
from swiftreid.gallery.errors import damaged, plain_errors
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.view import Cache, GalleryView
from swiftreid.search.numbers import whole_number

_FEW_CAMERAS = 6


@dataclass(frozen=True)
class SnapshotBatch:
    """Some entries of a snapshot, in gallery order.

    Attributes:
        entries: n entries, without thumbnails.
        codes: for each code uint8 [n, row bytes]; under ``embedding`` float16 or float32 [n, size], where kept.
    """

    entries: list[Entry]
    codes: dict[str, NDArray[Any]]

    @property
    def ids(self) -> list[str]:
        """The entries' ids."""
        return [entry.id for entry in self.entries]


class Snapshot:
    """The gallery as it was at one moment, in gallery order; use it as a context manager, and for one search or few.

    Entries added, deleted or compacted by anyone afterwards do not change it. It keeps a read transaction open until
    it is closed: as long as it lives, SQLite's log can't be emptied of what was deleted meanwhile.

    Attributes:
        table: the codes of all positions, memory-mapped where sealed.
        mask: bool [n], which positions may be searched; None when all may.
        live: how many positions may be searched.
        token: the last write that it shows.
    """

    def __init__(
        self, catalogue: CatalogueView, gallery: Path, view: GalleryView, mask: NDArray[np.bool_] | None
    ) -> None:
        self._catalogue = catalogue
        self._closed = False
        self._gallery = gallery
        self._seqs = view.seqs
        self._starts = np.cumsum([0] + [len(seqs) for seqs in self._seqs])
        self.table = view.table
        self.mask = mask
        self.token: Token = catalogue.token
        self.live = view.rows if mask is None else int(np.count_nonzero(mask))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the read transaction; table and mask stay usable, entries and thumbnails do not."""
        self._closed = True
        self._catalogue.close()

    def ids(self, positions: Iterable[int]) -> list[str]:
        """The ids at ``positions``, in that order."""
        return [entry.id for entry in self.entries(positions)]

    def entries(self, positions: Iterable[int]) -> list[Entry]:
        """The entries at ``positions``, in that order, without thumbnails.

        Raises:
            UsageError: a position is outside the gallery, or its entry is deleted.
        """
        wanted = [int(position) for position in positions]
        seqs = self._seqs_at(wanted)
        with plain_errors(self._gallery, "reading entries"):
            rows = self._catalogue.entries(sorted(set(seqs)))
            found = {row[0]: from_row(self._gallery, row) for row in rows}
        for position, seq in zip(wanted, seqs, strict=True):
            if seq not in found:
                raise UsageError(f"the entry at position {position} is deleted: pass the snapshot's mask to the search")
        return [found[seq] for seq in seqs]

    def thumbnail(self, position: int) -> bytes | None:
        """The small JPEG of the entry at ``position``, or None if it has none."""
        with plain_errors(self._gallery, "reading a thumbnail"):
            row = self._catalogue.thumbnail(*self._seqs_at([int(position)]))
            return None if row is None else check_thumbnail(self._gallery, *row)

    def batches(self, size: int = 4096) -> Iterator[SnapshotBatch]:
        """All entries that may be searched, with copies of their codes, in gallery order, ``size`` at a time."""
        size = whole_number("size", size, 1)
        positions = np.arange(len(self)) if self.mask is None else np.flatnonzero(self.mask)
        names = list(self.table.segments[0].codes)
        for start in range(0, len(positions), size):
            some = positions[start : start + size]
            yield SnapshotBatch(self.entries(some), {name: self.table.rows(name, some) for name in names})

    def _seqs_at(self, positions: Sequence[int]) -> list[int]:
        if self._closed:
            raise UsageError("this snapshot is closed: read entries and thumbnails before closing it")
        for position in positions:
            if not 0 <= position < len(self):
                ended = ": a row of results has ended there, cut rows with result.counts" if position == -1 else ""
                raise UsageError(f"position {position} is outside this snapshot of {len(self)} positions{ended}")
        parts = np.searchsorted(self._starts, positions, side="right") - 1
        return [int(self._seqs[part][at - self._starts[part]]) for part, at in zip(parts, positions, strict=True)]


def make_snapshot(
    catalogue: CatalogueView,
    gallery: Path,
    view: GalleryView,
    cache: Cache,
    *,
    chosen: Filters,
    exclude_ids: Collection[str] = (),
) -> Snapshot:
    """See `swiftreid.gallery.store.Gallery.snapshot`; the snapshot closes the catalogue's view."""
    with plain_errors(gallery, "reading"):
        wanted = _camera_choice(catalogue, chosen)
        after, before = chosen.times
        filtered = wanted is not None or after is not None or before is not None
        mask = None
        if filtered or view.live < view.rows:
            columns = [cache.filters(catalogue, row) for row, _ in view.segments]
            pairs = [(column.cameras, column.times) for column in columns]
            pairs += [(part.columns.cameras, part.columns.times) for part in view.tail.parts]
            try:
                parts = [_searchable(wanted, after, before, *pair) for pair in pairs]
            except IndexError as error:
                raise damaged(gallery, "filter columns name cameras that are not known") from error
            mask = np.concatenate([np.empty(0, np.bool_), *parts])
        only = catalogue.seqs_with(chosen)
        if only is not None:
            allowed = np.zeros(view.rows, np.bool_)
            allowed[_positions_of(gallery, view, only)] = True
            mask = allowed if mask is None else mask & allowed
        if exclude_ids:
            mask = np.ones(view.rows, np.bool_) if mask is None else mask
            mask[_positions_of(gallery, view, catalogue.seqs_of(exclude_ids))] = False
        if mask is not None and mask.all():
            mask = None
        return Snapshot(catalogue, gallery, view, mask)


def _camera_choice(catalogue: CatalogueView, chosen: Filters) -> NDArray[np.bool_] | None:
    """For each camera number whether it is wanted; None when all are."""
    if chosen.cameras is None and not chosen.not_cameras:
        return None
    numbers = {camera.name: camera.number for camera in catalogue.cameras()}
    wanted = (set(numbers) if chosen.cameras is None else set(chosen.cameras)) - set(chosen.not_cameras)
    choice = np.zeros(max(numbers.values(), default=0) + 1, np.bool_)
    choice[[numbers[name] for name in wanted if name in numbers]] = True
    return choice


def _searchable(
    chosen: NDArray[np.bool_] | None,
    after: float | None,
    before: float | None,
    cameras: NDArray[np.int32],
    times: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Searchable rows, bool [n]: not deleted, of a chosen camera, and after <= time < before (NaN never is)."""
    mask = cameras != 0 if chosen is None else _of_cameras(chosen, cameras)
    if after is not None:
        mask &= times >= after
    if before is not None:
        mask &= times < before
    return mask


def _of_cameras(chosen: NDArray[np.bool_], cameras: NDArray[np.int32]) -> NDArray[np.bool_]:
    """The same as ``chosen[cameras]``; comparing with a few numbers is five times as quick as looking them up."""
    if len(cameras) and int(cameras.max()) >= len(chosen):
        raise IndexError
    for kind in (True, False):
        numbers = np.flatnonzero(chosen == kind)
        if len(numbers) <= _FEW_CAMERAS:
            mask = np.full(len(cameras), not kind)
            for number in numbers:
                mask ^= cameras == number
            return mask
    looked_up: NDArray[np.bool_] = chosen[cameras]
    return looked_up


def _positions_of(gallery: Path, view: GalleryView, seqs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the entries with these sequence numbers, which ascend."""
    positions: list[NDArray[np.int64]] = []
    start = 0
    for part in view.seqs:
        if len(part):
            first, last = np.searchsorted(seqs, [part[0], part[-1] + 1])
            places = np.searchsorted(part, seqs[first:last])
            if not np.array_equal(part[places], seqs[first:last]):
                raise damaged(gallery, "the codes of an entry are missing")
            positions.append(start + places)
        start += len(part)
    return np.concatenate([np.empty(0, np.int64), *positions])
