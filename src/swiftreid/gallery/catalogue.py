"""What a catalogue does: entries, unsealed codes, filter columns and the list of segments, with transactions.

`swiftreid.gallery.sqlite` is the embedded one. Sealing, compaction, verification and snapshots are written over this
interface and that of `swiftreid.gallery.segment_store`, and know neither SQLite nor files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

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
        """What never changes."""

    def close(self) -> None:
        """Let go of what is not in use by a view."""

    def view(self, doing: str, after: Token = 0) -> CatalogueView:
        """The catalogue now; never waits for a writer.

        Args:
            doing: what it is for, as messages call it.
            after: a write that must show.

        Raises:
            UsageError: there was no such write.
        """

    def lock(self, doing: str, wait: float) -> AbstractContextManager[None]:
        """Be the only writer, of all processes, inside the block.

        Raises:
            GalleryBusy: another writer was there for longer than ``wait`` seconds.
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

    def change(self, changes: Mapping[str, Mapping[str, Any]], places: Places) -> tuple[int, Token]:
        """Set fields of entries, given by their ids, durably.

        Raises:
            EntryNotFound: one of the ids is not there; nothing was changed.
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

    def note_checked(self, states: Mapping[int, str]) -> None:
        """Store in which state of their files the columns of segments, by number, match their checksums."""

    def erase(self) -> None:
        """Overwrite what deleted and changed entries left behind."""

    def settle(self) -> list[str]:
        """Drop logs of older states; returns the files that still hold deleted content because a reader uses it."""
