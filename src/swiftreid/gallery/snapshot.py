"""A consistent view of the gallery to search in: code table, mask of searchable positions, and entries by position."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from types import TracebackType

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.gallery.entries import ENTRY_COLUMNS, Entry, check_thumbnail, from_row
from swiftreid.gallery.errors import damaged, plain_errors
from swiftreid.gallery.schema import connect, fetch
from swiftreid.gallery.view import Cache, View, begin_read, read_filters, read_view
from swiftreid.search.codes import CodeSpec

_FEW_CAMERAS = 6
_THUMBNAIL = (
    "SELECT entry.id, thumbnail.picture, entry.thumbnail_digest FROM entry "
    "LEFT JOIN thumbnail ON thumbnail.seq = entry.seq WHERE entry.seq = ?"
)


class Snapshot:
    """The gallery as it was at one moment, in gallery order; use it as a context manager, and for one search or few.

    Entries added, deleted or compacted by anyone afterwards do not change it. It keeps a read transaction open until
    it is closed: as long as it lives, SQLite's log can't be emptied of what was deleted meanwhile.

    Attributes:
        table: the codes of all positions, memory-mapped where sealed.
        mask: bool [n], which positions may be searched; None when all may.
        live: how many positions may be searched.
    """

    def __init__(self, db: apsw.Connection, gallery: Path, view: View, mask: NDArray[np.bool_] | None):
        self._db = db
        self._closed = False
        self._gallery = gallery
        self._seqs = view.seqs
        self._starts = np.cumsum([0] + [len(seqs) for seqs in self._seqs])
        self.table = view.table
        self.mask = mask
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
        self._db.close()

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
        query = (
            f"SELECT {ENTRY_COLUMNS} FROM json_each(?) AS wanted "
            "JOIN entry ON entry.seq = wanted.value JOIN camera ON camera.number = entry.camera"
        )
        with plain_errors(self._gallery, "reading entries"):
            rows = self._db.execute(query, (json.dumps(sorted(set(seqs))),))
            found = {row[0]: from_row(self._gallery, row) for row in rows}
        for position, seq in zip(wanted, seqs, strict=True):
            if seq not in found:
                raise UsageError(f"the entry at position {position} is deleted: pass the snapshot's mask to the search")
        return [found[seq] for seq in seqs]

    def thumbnail(self, position: int) -> bytes | None:
        """The small JPEG of the entry at ``position``, or None if it has none."""
        with plain_errors(self._gallery, "reading a thumbnail"):
            row = self._db.execute(_THUMBNAIL, self._seqs_at([int(position)])).fetchone()
            return None if row is None else check_thumbnail(self._gallery, *row)

    def _seqs_at(self, positions: Sequence[int]) -> list[int]:
        if self._closed:
            raise UsageError("this snapshot is closed: read entries and thumbnails before closing it")
        for position in positions:
            if not 0 <= position < len(self):
                ended = ": a row of results has ended there, cut rows with result.counts" if position == -1 else ""
                raise UsageError(f"position {position} is outside this snapshot of {len(self)} positions{ended}")
        parts = np.searchsorted(self._starts, positions, side="right") - 1
        return [int(self._seqs[part][at - self._starts[part]]) for part, at in zip(parts, positions, strict=True)]


def take_snapshot(
    gallery: Path,
    spec: CodeSpec,
    cache: Cache,
    *,
    cameras: Collection[str] | None = None,
    not_cameras: Collection[str] | None = None,
    after: float | None = None,
    before: float | None = None,
    exclude_ids: Collection[str] | None = None,
) -> Snapshot:
    """See `swiftreid.gallery.store.Gallery.snapshot`."""
    for name, value in (("cameras", cameras), ("not_cameras", not_cameras), ("exclude_ids", exclude_ids)):
        if isinstance(value, str):
            raise UsageError(f"{name} must be a list of names, got the text {value!r}: pass [{value!r}]")
    with plain_errors(gallery, "reading"):
        db = connect(gallery, read_only=True)
        try:
            view = begin_read(db, gallery, lambda: read_view(db, gallery, spec, cache))
            chosen = _camera_choice(db, gallery, cameras, not_cameras)
            filtered = chosen is not None or after is not None or before is not None
            mask = None
            if filtered or view.live < view.rows:
                columns = [read_filters(db, gallery, row, cache) for row, _ in view.segments]
                columns += [(part.columns.cameras, part.columns.times) for part in view.tail.parts]
                try:
                    mask = np.concatenate(
                        [np.empty(0, np.bool_), *(_searchable(chosen, after, before, *column) for column in columns)]
                    )
                except IndexError as error:
                    raise damaged(gallery, "filter columns name cameras that are not known") from error
            if exclude_ids:
                mask = np.ones(view.rows, np.bool_) if mask is None else mask
                mask[_positions_of(db, view, exclude_ids)] = False
            if mask is not None and mask.all():
                mask = None
            return Snapshot(db, gallery, view, mask)
        except BaseException:
            db.close()
            raise


def _camera_choice(
    db: apsw.Connection, gallery: Path, cameras: Collection[str] | None, not_cameras: Collection[str] | None
) -> NDArray[np.bool_] | None:
    """For each camera number whether it is wanted; None when all are."""
    if cameras is None and not not_cameras:
        return None
    numbers: dict[str, int] = dict(fetch(db, "SELECT name, number FROM camera"))
    unknown = sorted(set(cameras or ()) - set(numbers))
    if unknown:
        known = ", ".join(sorted(numbers)[:20]) or "(none: the gallery is empty)"
        raise UsageError(f"gallery {gallery} has no camera {', '.join(map(repr, unknown))}; its cameras are {known}")
    wanted = (set(numbers) if cameras is None else set(cameras)) - set(not_cameras or ())
    choice = np.zeros(max(numbers.values(), default=0) + 1, np.bool_)
    choice[[numbers[name] for name in wanted]] = True
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


def _positions_of(db: apsw.Connection, view: View, ids: Collection[str]) -> list[int]:
    query = "SELECT seq FROM entry WHERE id IN (SELECT value FROM json_each(?)) ORDER BY seq"
    seqs = np.array([row[0] for row in db.execute(query, (json.dumps(list(ids)),))], np.int64)
    positions: list[int] = []
    start = 0
    for part in view.seqs:
        if len(part):
            inside = seqs[(seqs >= part[0]) & (seqs <= part[-1])]
            positions += (start + np.searchsorted(part, inside)).tolist()
        start += len(part)
    return positions
