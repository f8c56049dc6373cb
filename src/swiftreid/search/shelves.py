"""Shelves: entries ordered by cell, as the stages behind a cells stage read them (see `partition`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.search import kernels

if TYPE_CHECKING:
    from swiftreid.search.partition import Partition
    from swiftreid.search.table import Segment


class Shelf:
    """Entries of some neighbouring segments, by cell, then position.

    Attributes:
        segments: whose entries these are.
        cells: uint32 [n], the cell of each entry, in gallery order.
        order: uint32 [n], the entry at each place, counted from the first of these segments.
        starts: uint32 [cells + 1], first place of each cell, and the end.
        native: the same for the native kernels, or None without them.
    """

    def __init__(self, segments: tuple[Segment, ...], cells: NDArray[np.uint32], count: int) -> None:
        self.segments = segments
        self.cells = cells
        kind = np.uint16 if count <= 1 << 16 else np.uint32  # sorted by digits, and so twice as fast
        self.order: NDArray[np.uint32] = np.argsort(cells.astype(kind), kind="stable").astype(np.uint32)
        self.starts: NDArray[np.uint32] = np.searchsorted(cells[self.order], np.arange(count + 1)).astype(np.uint32)
        self.native: Any = kernels.shelf_order(self.starts, self.order)
        self._rows: dict[str, NDArray[np.uint8]] = {}

    def rows(self, code: str) -> NDArray[np.uint8]:
        """A code's rows in the shelf's order, copied when first wanted."""
        if code not in self._rows:
            self._rows[code] = np.concatenate([segment.codes[code] for segment in self.segments])[self.order]
        return self._rows[code]


@dataclass(frozen=True)
class Arrangement:
    """A table's shelves.

    Attributes:
        partition: whose cells they are ordered by.
        shelves: in gallery order.
        segments: how many of the table's first segments they cover.
    """

    partition: Partition
    shelves: tuple[Shelf, ...]
    segments: int
