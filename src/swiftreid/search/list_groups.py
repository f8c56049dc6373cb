"""The inverted lists of a table, as the stages behind the probing stage read them (see `inverted_lists`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.search import kernels
from swiftreid.search.segment import Segment
from swiftreid.search.stages import Stage


class ListGroup:
    """The inverted lists of some neighbouring segments: entries by list, then position.

    Attributes:
        segments: the segments.
        lists: uint32 [n], the list of each entry, in gallery order.
        order: uint32 [n], the entry at each place, counted from the first of these segments.
        starts: uint32 [nlist + 1], first place of each list, and the end.
        native: the same for the native kernels, or None without them.
    """

    def __init__(self, segments: tuple[Segment, ...], lists: NDArray[np.uint32], nlist: int) -> None:
        self.segments = segments
        self.lists = lists
        kind = np.uint16 if nlist <= 1 << 16 else np.uint32  # sorted by digits, and so twice as fast
        self.order: NDArray[np.uint32] = np.argsort(lists.astype(kind), kind="stable").astype(np.uint32)
        self.starts: NDArray[np.uint32] = np.searchsorted(lists[self.order], np.arange(nlist + 1)).astype(np.uint32)
        self.native: Any = kernels.list_order(self.starts, self.order)
        self._rows: dict[str, NDArray[np.uint8]] = {}

    def rows(self, code: str) -> NDArray[np.uint8]:
        """A code's rows in the lists' order, copied when first wanted."""
        if code not in self._rows:
            self._rows[code] = np.concatenate([segment.codes[code] for segment in self.segments])[self.order]
        return self._rows[code]


@dataclass(frozen=True)
class TableLists:
    """A table's inverted lists.

    Attributes:
        code: the code by which entries are in lists.
        centres: uint8 [nlist, row bytes].
        groups: the lists, in gallery order.
        segments: how many of the table's first segments they cover; the others' entries are in no list.
    """

    code: str
    centres: NDArray[np.uint8]
    groups: tuple[ListGroup, ...]
    segments: int

    def native(self, stages: tuple[Stage, ...]) -> tuple[Any, ...]:
        """As the native kernels take it, with the codes that the two stages behind the probing one compare."""
        fused = len(stages) > 3 and stages[2].keep == "threshold"
        groups = [
            (group.native, group.rows(stages[1].code), group.rows(stages[2].code) if fused else None)
            for group in self.groups
        ]
        return self.centres, self.segments, groups
