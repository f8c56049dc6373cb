"""What a catalogue does: entries, unsealed codes, filter columns and the list of segments, with transactions.

`swiftreid.gallery.sqlite` is the embedded one. Sealing, compaction, verification and snapshots are written over this
interface and that of `swiftreid.gallery.segment_store`, and know neither SQLite nor files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.chunks import Chunk, StoredChunk
from swiftreid.gallery.columns import Columns
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.meta import Meta

Token = int
"""Number of a write: later writes of a gallery have greater ones."""


@dataclass(frozen=True)
class NewSegment:
    """A segment file that was written, and is not part of the gallery yet.

    Attributes:
        name: its name in the segment store, which follows from its content.
        first: sequence number of its first row.
        last: that of its last row.
        rows: how many rows.
        bytes: the file's size.
        digest: checksum of its description, in hexadecimal.
        encoder: fingerprint of the encoder that made its codes.
        statistics: version of the camera statistics that its codes were made with; 0 without any.
        checked: the state of the file in which its columns are known to match their checksums (see
            `swiftreid.gallery.segment_store.StoredSegment`); None when not known.
    """

    name: str
    first: int
    last: int
    rows: int
    bytes: int
    digest: str
    encoder: str
    statistics: int
    checked: str | None


@dataclass(frozen=True)
class SegmentRow(NewSegment):
    """A segment that is part of the gallery.

    Attributes:
        number: its number, never used again.
        deleted: how many of its rows are deleted.
        version: token of the write that changed its filter columns last.
    """

    number: int
    deleted: int
    version: int


@dataclass(frozen=True, eq=False)
class VersionSegment(NewSegment):
    """A segment of codes that searches do not compare: of another version of the gallery's codes.

    Attributes:
        cameras: int32 [rows], the number of the camera that each row was encoded for.
        number: greater for those that were added later; 0 before it is stored.
    """

    cameras: NDArray[np.int32]
    number: int = 0


VersionState = Literal["filling", "kept"]
"""Not all entries have codes yet; or those that searches compared before, to go back to."""


@dataclass(frozen=True)
class CodesVersion:
    """Codes by another encoder than the active one.

    Attributes:
        state: whether they are being filled, or kept to go back to.
        meta: what the gallery is bound to with them.
    """

    state: VersionState
    meta: Meta


class LiveColumns(NamedTuple):
    """Of all entries, by ascending sequence number: these int64 [n], camera numbers int32 [n], times float64 [n]."""

    seqs: NDArray[np.int64]
    cameras: NDArray[np.int32]
    times: NDArray[np.float64]


class CameraRow(NamedTuple):
    """A camera: number in filter columns (from 1 on), name, and how many entries it has."""

    number: int
    name: str
    entries: int


class FilterColumns(NamedTuple):
    """The filter columns of a segment as they are stored: camera numbers, times, and their checksum."""

    cameras: bytes
    times: bytes
    digest: bytes


EntryRow = Sequence[Any]
"""An entry as it is stored; see `swiftreid.gallery.entries.from_row`."""

Places = Callable[[SegmentRow, NDArray[np.int64]], NDArray[np.int64]]
"""Says in which rows of a segment entries with some sequence numbers are."""


class CatalogueView(Protocol):
    """The catalogue as it was at one moment: later writes do not show in it. Threads may share one.

    As long as it is open, what is deleted meanwhile can't be erased.
    """

    @property
    def token(self) -> Token:
        """The last write that shows."""

    def close(self) -> None:
        """Let go; a second time does nothing."""

    def segments(self) -> list[SegmentRow]:
        """The registered segments, in gallery order."""

    def filters(self, row: SegmentRow) -> FilterColumns | None:
        """The filter columns of a segment; None when they are missing."""

    def tail_rows(self) -> int:
        """How many rows are not sealed yet, by the catalogue's count."""

    def chunks(self) -> list[Chunk]:
        """The chunks of the tail, in gallery order."""

    def read_chunks(self, first: int, last: int) -> Iterator[StoredChunk]:
        """The chunks with a first number in ``first..last``, in gallery order."""

    def cameras(self) -> list[CameraRow]:
        """All cameras with entries, by name."""

    def seqs_of(self, ids: Collection[str]) -> NDArray[np.int64]:
        """Sequence numbers of the entries with these ids, ascending; unknown ids are passed over."""

    def seqs_with(self, chosen: Filters) -> NDArray[np.int64] | None:
        """Sequence numbers of entries by person, track and labels, ascending; None when all entries are meant."""

    def known_ids(self, ids: Collection[str]) -> set[str]:
        """Which of these ids have an entry."""

    def entries(self, seqs: Collection[int]) -> list[EntryRow]:
        """The entries with these sequence numbers, in any order; unknown numbers are passed over."""

    def page(self, chosen: Filters, *, past: int, limit: int, offset: int = 0) -> list[EntryRow]:
        """At most ``limit`` entries in gallery order, past a sequence number and after ``offset`` others."""

    def thumbnail(self, seq: int) -> tuple[str, bytes | None, bytes | None] | None:
        """Id, thumbnail and the thumbnail's checksum of an entry; None without such an entry."""

    def columns(self) -> LiveColumns:
        """What filter columns state, of all entries."""

    def versions(self) -> list[CodesVersion]:
        """Versions of the codes that searches do not compare, the oldest first."""

    def version_segments(self, version: int) -> list[VersionSegment]:
        """The segments of one of these, in the order in which they were added."""

    def held(self) -> dict[str, str]:
        """Ids of entries that must not be deleted, with the reasons."""

    def contents(self) -> Iterator[tuple[EntryRow, bytes | None]]:
        """Every entry with its thumbnail, in gallery order, texts as bytes: they may be damaged."""

    def problems(self) -> Iterator[str]:
        """What is wrong with the catalogue's own files and tables, one sentence each."""


class Catalogue(Protocol):
    """Where a gallery's entries are. Views are taken at any time; writes are made inside `lock`, one at a time."""

    @property
    def meta(self) -> Meta:
        """What the gallery was bound to when this was opened."""

    def close(self) -> None:
        """Let go of what is not in use by a view."""

    def view(self, doing: str, after: Token = 0) -> CatalogueView:
        """The catalogue now; never waits for a writer.

        Args:
            doing: what it is for, as messages call it.
            after: a write that must show.

        Raises:
            UsageError: there was no such write.
            GalleryReencoded: the gallery took another encoder since this was opened.
        """

    def lock(self, doing: str, wait: float) -> AbstractContextManager[None]:
        """Be the only writer, of all processes, inside the block.

        Raises:
            GalleryBusy: another writer was there for longer than ``wait`` seconds.
            GalleryReencoded: the gallery took another encoder since this was opened.
        """

    def append(
        self,
        entries: Sequence[Entry],
        codes: Mapping[str, NDArray[Any]],
        *,
        statistics: int,
        arrival: float,
        replace: Places | None = None,
    ) -> Token:
        """Add entries at the end of the tail, durably; with ``replace`` they take the place of those of the same ids.

        Raises:
            DuplicateIds: ids that are there already, without ``replace``.
        """

    def delete(self, ids: Collection[str], places: Places) -> tuple[int, Token]:
        """Delete entries durably; return how many there were.

        Raises:
            EntriesHeld: some must not be deleted; none was.
        """

    def change(
        self, changes: Mapping[str, Mapping[str, Any]], places: Places, expected: Mapping[str, Entry] | None = None
    ) -> tuple[int, Token]:
        """Set fields of entries, given by their ids, durably.

        Args:
            changes: new values of each entry's fields, by its id.
            places: finds rows of segments.
            expected: the entries as they were read.

        Raises:
            EntryNotFound: one of the ids is not there; nothing was changed.
            EntriesChanged: an entry is not as expected; nothing was changed.
        """

    def hold(self, ids: Collection[str], reason: str | None, placed: float) -> tuple[int, Token]:
        """Keep entries from being deleted, or with None let them be deleted again.

        Raises:
            EntryNotFound: one of the ids is not there; nothing was changed.
        """

    def register(
        self,
        segment: NewSegment | None,
        columns: Columns,
        *,
        replaces: Sequence[SegmentRow] = (),
        tail: Sequence[Chunk] = (),
        rest: Columns | None = None,
    ) -> bool:
        """Make a segment part of the gallery in place of others or of the tail's beginning, if these are unchanged.

        Args:
            segment: the new one; None where nothing is left.
            columns: its rows.
            replaces: segments that it replaces.
            tail: chunks that it replaces, the first of the tail.
            rest: rows of the last of these chunks that stay in the tail.

        Returns:
            False when one of those that it replaces was changed since it was read: nothing was done.
        """

    def new_version(self, meta: Meta) -> Meta:
        """Begin a version of the codes that is bound to this; returned with its number. ``first_fingerprint`` is set.

        Its encoder's file is written once the number is known (`set_encoder_digest`).
        """

    def set_encoder_digest(self, version: int, digest: str) -> None:
        """State the checksum of the copy of a version's encoder."""

    def exchange(self, version: int, added: Sequence[VersionSegment], removed: Sequence[VersionSegment] = ()) -> None:
        """Add segments to a version of the codes in place of others, if any."""

    def drop_versions(self, numbers: Collection[int]) -> None:
        """Forget versions of the codes with their segments."""

    def switch(
        self, version: int, segments: Sequence[tuple[NewSegment, Columns]], kept: Sequence[VersionSegment]
    ) -> Token:
        """Make a version of the codes the one that searches compare, in one transaction, and keep the one before.

        Whatever was kept earlier is forgotten.

        Args:
            version: its number.
            segments: all of its segments in gallery order, with the cameras and times of their rows now.
            kept: the segments of the version before, its tail too.
        """

    def note_checked(self, states: Mapping[int, str]) -> None:
        """Store in which state of their files the columns of segments, by number, match their checksums."""

    def erase(self) -> None:
        """Overwrite what deleted and changed entries left behind."""

    def settle(self) -> list[str]:
        """Drop logs of older states; returns the files that still hold deleted content because a reader uses it."""
