"""Where segments are kept: put once under a name that follows from the content, mapped, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class StoredSegment:
    """A segment's bytes.

    Attributes:
        data: all of them, mapped into memory where the store can.
        state: changes with every change of the bytes that goes through the store's system; the same state, the same
            bytes, except what a disk spoils by itself.
    """

    data: memoryview
    state: str


class RemovedSegments(Protocol):
    """Segments that were removed; readers that map them keep their bytes until they let go."""

    def still_mapped(self) -> list[str]:
        """Names of those that a reader of any process still maps."""

    def close(self) -> None:
        """Forget them."""


class SegmentStore(Protocol):
    """A folder, or a bucket, of segments."""

    def put(self, name: str, write: Callable[[BinaryIO], object]) -> str:
        """Store a segment, whole and durable or not at all; returns its state.

        What is there under this name has the same content, and is replaced.
        """

    def map(self, name: str) -> StoredSegment:
        """A segment's bytes.

        Raises:
            FileNotFoundError: there is none of this name (any more).
        """

    def remove(self, names: Iterable[str], removed: RemovedSegments | None = None) -> RemovedSegments:
        """Remove segments; those that are gone already are passed over. Added to ``removed`` if that is given."""

    def names(self) -> list[str]:
        """Names of everything that is there, also of what was cut short."""

    def describe(self, name: str) -> str:
        """How messages name a segment."""
