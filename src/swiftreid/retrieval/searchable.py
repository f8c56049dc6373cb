"""The contract of a gallery, on this machine, behind HTTP or on many machines.

Entries are named by their ids, never by positions. A write returns a token; a search that takes the token sees that
write. `tests/retrieval/contract.py` runs the same calls on every implementation and compares the answers bit for bit.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.pictures import BadPicture
from swiftreid.encoding.crops import Colour
from swiftreid.gallery.changes import EntryChanges
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.info import GalleryInfo
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.answer import Answer, Answers, Token
from swiftreid.retrieval.query import Picture, Query

OnExisting: TypeAlias = Literal["refuse", "skip", "replace"]
"""What to do with ids that are there: raise and add nothing, leave them out, or put the new entries in their place."""

OnBad: TypeAlias = Callable[[BadPicture], None]
"""Takes each picture that cannot be used."""


@dataclass(frozen=True)
class Added:
    """What an addition did.

    Attributes:
        token: give it to a search as ``after``.
        ids: of the entries that were added, in their order.
        existing: ids that were there already and were left out.
        unreadable: pictures that could not be used, and why.
    """

    token: Token
    ids: tuple[str, ...]
    existing: tuple[str, ...] = ()
    unreadable: tuple[BadPicture, ...] = ()


@dataclass(frozen=True)
class Deleted:
    """What a deletion did.

    Attributes:
        token: give it to a search as ``after``.
        count: how many entries were deleted.
    """

    token: Token
    count: int


@dataclass(frozen=True)
class Updated:
    """What an update did.

    Attributes:
        token: give it to a search as ``after``.
        count: how many entries were changed.
    """

    token: Token
    count: int


class Searchable(Protocol):
    """A set of entries that can be searched. Several threads may use one at a time."""

    def search(self, query: Query, *, after: Token | None = None, deadline: float | None = None) -> Answer:
        """The answer to one query.

        Args:
            query: what is asked.
            after: a token: the answer sees that write.
            deadline: seconds that the call may take. What was not searched by then is missing from the answer, which
                says that it is partial.

        Raises:
            UsageError: the query cannot be answered here, such as by a code that the entries do not have.
            BadPicture: a picture of the query cannot be used.
            EntryNotFound: an id of the query is not there.
        """

    def search_batch(
        self, queries: Sequence[Query], *, after: Token | None = None, deadline: float | None = None
    ) -> Answers:
        """The answers to several queries, as `search` gives them, with less work for each."""

    def add(
        self,
        pictures: Sequence[Picture] | None = None,
        *,
        entries: Sequence[Entry],
        vectors: NDArray[np.floating[Any]] | None = None,
        codes: Mapping[str, NDArray[np.uint8]] | None = None,
        colour: Colour = "rgb",
        on_existing: OnExisting = "refuse",
        on_bad: OnBad | None = None,
        progress: Progress = no_progress,
    ) -> Added:
        """Add entries, each with a picture, a row of vectors or a row of packed codes: one of the three.

        Once it returns, they survive a kill and a power cut.

        Args:
            pictures: n files, or pixels uint8 [height, width, 3].
            entries: n of them. Those of pictures get a thumbnail where they have none.
            vectors: embeddings as the encoder's network gives them, float [n, d].
            codes: for each code uint8 [n, row bytes].
            colour: order of the channels of pixels.
            on_existing: what to do with ids that are there.
            on_bad: takes pictures that cannot be used, which are left out; without it the first one raises.
            progress: takes entries added and entries in all.

        Raises:
            UsageError: numbers of rows that differ, a bad entry, or ids that are there.
            BadPicture: a picture cannot be used, and there is no ``on_bad``.
        """

    def delete(self, ids: Collection[str]) -> Deleted:
        """Delete entries; ids that are not there are passed over."""

    def update(self, ids: str | Collection[str], **fields: Unpack[EntryChanges]) -> Updated:
        """Set fields of entries; of their labels those that are given, where None removes one.

        Raises:
            EntryNotFound: one of the ids is not there; nothing was changed.
            UsageError: there is no such field, or a value cannot be stored.
        """

    def entries(self, ids: Sequence[str]) -> builtins.list[Entry]:
        """Some entries, with their thumbnails, in that order.

        Raises:
            EntryNotFound: one of them is not there.
        """

    def list(
        self, filters: Filters | None = None, *, limit: int | None = None, after_id: str | None = None
    ) -> builtins.list[Entry]:
        """Entries that pass, in the order in which they were added, without thumbnails.

        Args:
            filters: which entries; by default all.
            limit: at most so many.
            after_id: begin after this entry, the last one of the page before.

        Raises:
            EntryNotFound: there is no entry ``after_id``.
        """

    def ids(self, filters: Filters | None = None) -> builtins.list[str]:
        """The ids of all entries that pass, in the order in which they were added."""

    def info(self) -> GalleryInfo:
        """Figures: entries, cameras, times, codes, encoder."""
