"""The writing side of a gallery: one operation at a time, of all threads and processes."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.gallery.catalogue import Catalogue, SegmentRow, Token, VersionState
from swiftreid.gallery.code_checks import check_codes
from swiftreid.gallery.compaction import CompactReport, compact_gallery, remove_orphans
from swiftreid.gallery.creation import EncoderLike
from swiftreid.gallery.entries import Entry, check_entries
from swiftreid.gallery.errors import GalleryBusy, GalleryError, damaged, plain_errors
from swiftreid.gallery.locking import REENCODING, writer_lock
from swiftreid.gallery.reencoding import Reencoding
from swiftreid.gallery.sealing import seal
from swiftreid.gallery.segment_store import RemovedSegments, SegmentStore
from swiftreid.gallery.version_changes import discard, remove_stray_encoders
from swiftreid.gallery.view import Cache

_log = logging.getLogger(__name__)
_LOOK_AGAIN = 0.05


class Written(int):
    """How many entries a write concerned; a whole number with the write's token.

    Attributes:
        token: number of the write, which `Gallery.snapshot` takes as ``after_token``; later writes have greater ones.
    """

    token: Token

    def __new__(cls, count: int, token: Token) -> Written:
        """So many entries, by this write."""
        made = super().__new__(cls, count)
        made.token = token
        return made

    def __reduce__(self) -> tuple[type[Written], tuple[int, Token]]:
        return Written, (int(self), self.token)


@dataclass(frozen=True)
class Discarded:
    """Codes by other encoders that were removed for good.

    Attributes:
        encoders: names of these encoders.
        remaining: files that still hold some because readers hold older snapshots, one sentence each.
    """

    encoders: tuple[str, ...]
    remaining: tuple[str, ...]


class GalleryWriter:
    """Writes a gallery over its catalogue and segment store; threads may share one, and wait for each other.

    Args:
        catalogue: where the entries are.
        store: where the segments are.
        gallery: the gallery's folder, for messages.
        cache: shared with the reader of the same process.
        wait: seconds to wait for another process that writes.
    """

    def __init__(self, catalogue: Catalogue, store: SegmentStore, gallery: Path, cache: Cache, *, wait: float) -> None:
        self._catalogue = catalogue
        self._store = store
        self._gallery = gallery
        self._cache = cache
        self._wait = wait

    @contextmanager
    def _alone(self, doing: str, wait: float | None = None) -> Iterator[None]:
        lock = self._catalogue.lock(doing, self._wait if wait is None else wait)
        with plain_errors(self._gallery, doing), lock:
            yield

    def tidy(self) -> None:
        """Finish what a killed process left: files that nothing names, and a log that may hold deleted content."""
        try:
            with self._alone("opening", 0):
                for name in remove_orphans(self._catalogue, self._store):
                    _log.info("removed %s, left in gallery %s by a process that was killed", name, self._gallery)
                remove_stray_encoders(self._catalogue, self._gallery)
                self._catalogue.settle()
        except GalleryBusy:
            return  # whoever is writing now has tidied up already

    def add(
        self,
        entries: Sequence[Entry],
        codes: Mapping[str, NDArray[Any]],
        *,
        replacing: bool,
        statistics: int,
    ) -> Written:
        """See `Gallery.add`; the encoder is checked there."""
        meta = self._catalogue.meta
        check_codes(meta.spec, codes, entries, embedding=meta.embedding)
        check_entries(entries)
        if statistics < 0:
            raise UsageError(f"versions of camera statistics count from 1 on, 0 is without: got {statistics}")
        if not entries:
            return Written(0, self._token())
        with self._alone("adding"):
            token = self._catalogue.append(
                entries,
                codes,
                statistics=statistics,
                arrival=time.time(),
                replace=self._places if replacing else None,
            )
            try:
                if replacing:
                    self._catalogue.settle()
                seal(self._catalogue, self._store, self._gallery)
                self._note_checked()
            except (OSError, GalleryError) as error:
                # The entries are durable by their own commit; what failed here is repeated by the next addition.
                _log.warning("gallery %s: sealing a segment failed and is put off: %s", self._gallery, error)
        return Written(len(entries), token)

    def delete(self, ids: Collection[str]) -> Written:
        """See `Gallery.delete`."""
        with self._alone("deleting"):
            count, token = self._catalogue.delete(ids, self._places)
            if count:
                self._catalogue.settle()
            return Written(count, token)

    def update(self, changes: Mapping[str, Mapping[str, Any]], expected: Mapping[str, Entry] | None = None) -> Written:
        """See `Gallery.update` and `Gallery.update_each`."""
        with self._alone("updating"):
            count, token = self._catalogue.change(changes, self._places, expected)
            if count:
                self._catalogue.settle()
            return Written(count, token)

    def hold(self, ids: Collection[str], reason: str | None) -> Written:
        """See `Gallery.hold` and `Gallery.release`."""
        with self._alone("holding"):
            return Written(*self._catalogue.hold(ids, reason, time.time()))

    def compact(self, timeout: float) -> CompactReport:
        """See `Gallery.compact`."""
        with self._alone("compacting"):
            report, removed = compact_gallery(self._catalogue, self._store, self._gallery, self._cache)
        return replace(report, remaining=tuple(self._wait_for(removed, timeout)))

    def _wait_for(self, removed: RemovedSegments, timeout: float) -> list[str]:
        """Wait for readers that use what was removed; returns what they still hold once the time is over."""
        deadline = time.monotonic() + timeout
        try:
            while True:
                left = self._settle()
                left += [
                    f"{self._store.describe(name)}, removed, holds codes: a process still maps it"
                    for name in removed.still_mapped()
                ]
                if not left or time.monotonic() >= deadline:
                    return left
                time.sleep(_LOOK_AGAIN)
        finally:
            removed.close()

    def reencoding(self, encoder: EncoderLike | None, *, by_camera: bool) -> Reencoding:
        """See `Gallery.reencoding`."""
        return Reencoding(
            self._catalogue,
            self._store,
            self._gallery,
            self._cache,
            encoder,
            places=self._places,
            by_camera=by_camera,
        )

    def discard(self, states: Collection[VersionState], timeout: float) -> Discarded:
        """See `Gallery.discard_versions`."""
        with writer_lock(self._gallery, "discarding codes", self._wait, name=REENCODING):
            with self._alone("discarding codes"):
                going, removed = discard(
                    self._catalogue, self._store, self._gallery, lambda version: version.state in states
                )
            left = self._wait_for(removed, timeout)
        return Discarded(tuple(version.meta.encoder_name for version in going), tuple(left))

    def _settle(self) -> list[str]:
        try:
            with self._alone("compacting"):
                return self._catalogue.settle()
        except GalleryBusy as error:  # the compaction itself is done
            return [f"the database's log could not be emptied: {error}"]

    def note_checked(self, states: Mapping[int, str]) -> None:
        """Store in which state segments were found to match their checksums; not worth waiting for, or failing."""
        if states:
            with suppress(GalleryError), self._alone("verifying", 0):
                self._catalogue.note_checked(states)

    def _note_checked(self) -> None:
        """Store what this process checked itself, such as all segments of a gallery that was copied here."""
        view = self._catalogue.view("adding")
        try:
            states = self._cache.checked_states(view.segments())
        finally:
            view.close()
        if states:
            self._catalogue.note_checked(states)

    def _token(self) -> Token:
        view = self._catalogue.view("adding")
        view.close()
        return view.token

    def _places(self, row: SegmentRow, seqs: NDArray[np.int64]) -> NDArray[np.int64]:
        """In which rows of a segment some entries are."""
        file = self._cache.file(row, ["seq"])
        places = np.searchsorted(file.seqs, seqs)
        if not np.array_equal(file.seqs[np.minimum(places, row.rows - 1)], seqs):
            raise damaged(self._gallery, f"segment {row.name} lacks entries that the database places there")
        return places
