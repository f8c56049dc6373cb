"""Filling codes by another encoder beside the active ones, and switching to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.gallery import version_changes, versions
from swiftreid.gallery.catalogue import Catalogue, CatalogueView, LiveColumns, Places, VersionSegment
from swiftreid.gallery.code_checks import check_codes
from swiftreid.gallery.columns import CAMERA, SEQ, TIME, Columns, join
from swiftreid.gallery.creation import EncoderLike
from swiftreid.gallery.entries import Entry, check_thumbnail, from_row
from swiftreid.gallery.errors import plain_errors
from swiftreid.gallery.locking import REENCODING, writer_lock
from swiftreid.gallery.meta import Meta
from swiftreid.gallery.segment_store import SegmentStore
from swiftreid.gallery.view import Cache, look

LAST: Final = 64
"""Entries that may be encoded while other writers wait, so that a gallery that is written all the time is done."""

_WAIT = 60.0  # for other writers, which hold their lock for one operation
_ROWS, _SECONDS = 4096, 5.0  # of work that a killed process loses at most
_UNFILLED = 32  # segments that wait to be joined: a process may map only so many files at once


@dataclass(frozen=True)
class Waiting:
    """An entry without codes by the new encoder.

    Attributes:
        seq: its sequence number.
        camera: its camera's number.
        entry: what is known of it.
    """

    seq: int
    camera: int
    entry: Entry


class Reencoding:
    """Codes by another encoder, filled beside the active ones; `swiftreid.gallery.store.Gallery.reencoding` begins one.

    What was filled is durable: after a kill, the next one with the same encoder goes on. One at a time, of all
    processes; searches and other writers go on meanwhile.

    Attributes:
        meta: what the gallery will be bound to.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        store: SegmentStore,
        gallery: Path,
        cache: Cache,
        encoder: EncoderLike | None,
        *,
        places: Places,
        by_camera: bool,
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._gallery = gallery
        self._cache = cache
        self._places = places
        self._by_camera = by_camera
        self._alone = False
        self._rows: list[Columns] = []
        self._since = time.monotonic()
        with ExitStack() as stack:
            with plain_errors(gallery, "re-encoding"):
                stack.enter_context(writer_lock(gallery, "re-encoding", 0, name=REENCODING))
            with self._lock("re-encoding"):
                self.meta: Meta = (
                    self._before() if encoder is None else version_changes.begin(catalogue, gallery, encoder)
                )
            self._stack = stack.pop_all()

    def _before(self) -> Meta:
        kept = [one.meta for one in versions.listed(self._catalogue) if one.state == "kept"]
        if not kept:
            raise UsageError(f"gallery {self._gallery} keeps no codes of an encoder before {self._name!r}")
        return kept[0]

    @property
    def _name(self) -> str:
        return self._catalogue.meta.encoder_name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or issubclass(kind, Exception | KeyboardInterrupt):
                self.flush()
        finally:
            self._stack.close()

    @contextmanager
    def _lock(self, doing: str) -> Iterator[None]:
        if self._alone:
            yield
            return
        with plain_errors(self._gallery, doing), self._catalogue.lock(doing, _WAIT):
            self._alone = True
            try:
                yield
            finally:
                self._alone = False

    def pending(self) -> NDArray[np.int64]:
        """Sequence numbers of the entries that have no codes by the new encoder yet, int64 [n], in gallery order.

        Where codes depend on the camera, entries that were moved to another camera since count too.
        """

        def read(view: CatalogueView) -> tuple[LiveColumns, NDArray[np.int64], NDArray[np.int32]]:
            rows = view.version_segments(self.meta.codes_version)
            return view.columns(), *versions.latest(self._store, self._gallery, self.meta, rows)

        with plain_errors(self._gallery, "re-encoding"):
            view, (entries, seqs, cameras) = look(self._catalogue, self._gallery, "re-encoding", read)
            view.close()
        left = versions.without_codes(entries, seqs, cameras, by_camera=self._by_camera)
        return left[~np.isin(left, np.concatenate([np.empty(0, SEQ), *(rows.seqs for rows in self._rows)]))]

    def waiting(self, seqs: Collection[int], *, thumbnails: bool = False) -> list[Waiting]:
        """The entries with these sequence numbers, in gallery order; those that are deleted by now are passed over."""
        with plain_errors(self._gallery, "re-encoding"):
            view = self._catalogue.view("re-encoding")
            try:
                numbers = {camera.name: camera.number for camera in view.cameras()}
                found = []
                for row in sorted(view.entries(list(map(int, seqs))), key=lambda row: int(row[0])):
                    picture = view.thumbnail(row[0]) if thumbnails else None
                    small = None if picture is None else check_thumbnail(self._gallery, *picture)
                    found.append(Waiting(row[0], numbers[row[2]], from_row(self._gallery, row, small)))
                return found
            finally:
                view.close()

    def stage(self, waiting: Sequence[Waiting], codes: Mapping[str, NDArray[Any]]) -> None:
        """Take the codes of some entries; durable within seconds, or after `flush`.

        Args:
            waiting: n of them, in gallery order.
            codes: for each code of the new encoder packed uint8 [n, row bytes], and ``embedding``, float [n, d], where
                the gallery keeps that.

        Raises:
            UsageError: codes of a wrong name, width or number.
        """
        check_codes(self.meta.spec, codes, [one.entry for one in waiting], embedding=self.meta.embedding)
        if not waiting:
            return
        layout = self.meta.layout.columns
        self._rows.append(
            Columns(
                np.array([one.seq for one in waiting], SEQ),
                np.array([one.camera for one in waiting], CAMERA),
                np.full(len(waiting), np.nan, TIME),
                {name: np.ascontiguousarray(codes[name], dtype) for name, (dtype, _) in layout.items()},
            )
        )
        if sum(map(len, self._rows)) >= _ROWS or time.monotonic() - self._since >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Make what was staged durable, except for entries that were deleted since."""
        if self._rows:
            with self._lock("re-encoding"):
                rows = join(self.meta.layout, self._rows)
                rows = rows.take(np.argsort(rows.seqs))
                rows = rows.take(self._alive(rows.seqs))  # a compaction may have erased the others
                if len(rows):
                    version_changes.add_rows(self._catalogue, self._store, self.meta, rows)
            self._rows = []
            if sum(row.rows < self.meta.segment_size for row in self._segments()) >= _UNFILLED:
                self._join()
        self._since = time.monotonic()

    def switch(self, encode: Callable[[Sequence[Waiting]], object], *, drop: Collection[int] = ()) -> bool:
        """Make the new codes those that searches compare, if all entries have some; readers see all of it or nothing.

        The codes of before are kept, in place of those that were kept earlier. Every other call of the gallery, and of
        this object, raises `GalleryReencoded` from then on: open the gallery again.

        Args:
            encode: stages the codes of the entries it is given; called at most once, for at most `LAST` entries, while
                other writers wait.
            drop: sequence numbers of entries without codes that are deleted, in place of waiting for their codes.

        Returns:
            False when more entries wait for codes, or ``encode`` left some out; nothing was switched.

        Raises:
            EntriesHeld: entries to be dropped must not be deleted; nothing was done.
        """
        self.flush()
        self._join()
        with self._lock("switching to another encoder"):
            left = self.pending()
            dropped = left[np.isin(left, np.array(sorted(drop), SEQ))]
            left = left[~np.isin(left, dropped)]
            if len(left) > LAST:
                return False
            if len(left):
                encode(self.waiting(left.tolist()))
                self.flush()
                if not np.isin(self.pending(), dropped).all():
                    return False
            if len(dropped):
                ids = [one.entry.id for one in self.waiting(dropped.tolist())]
                self._catalogue.delete(ids, self._places)
            self._join()
            version_changes.switch(self._catalogue, self._store, self._gallery, self._cache, self.meta)
            self._catalogue.settle()
        return True

    def _join(self) -> None:
        """Join small segments, and bring all into gallery order, each group in a turn of its own."""
        for group in version_changes.groups_to_join(self._segments(), self.meta.segment_size):
            with self._lock("re-encoding"):
                there = {row.number for row in self._segments()}
                if all(row.number in there for row in group):  # a compaction may have rewritten one
                    removed = self._store.remove([])
                    version_changes.rewrite(
                        self._catalogue, self._store, self._gallery, self.meta, group=group, removed=removed
                    )
                    removed.close()

    def _alive(self, seqs: NDArray[np.int64]) -> NDArray[np.bool_]:
        view = self._catalogue.view("re-encoding")
        try:
            return np.isin(seqs, np.array([row[0] for row in view.entries(seqs.tolist())], SEQ))
        finally:
            view.close()

    def _segments(self) -> list[VersionSegment]:
        view = self._catalogue.view("re-encoding")
        try:
            return view.version_segments(self.meta.codes_version)
        finally:
            view.close()
