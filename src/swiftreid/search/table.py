"""The codes of a gallery, one column per code, in one or several segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search.codes import CodeSpec, check_packed

Columns = Mapping[str, NDArray[np.uint8]]


class CodeTable:
    """Packed codes of ``n`` entries: for each code name a uint8 array of shape [n, row bytes].

    Arrays are kept as they are, memory maps included; nothing is copied. An entry's *position* is its row, counted
    through all segments. Padding bits must be zero, as `pack_bits` leaves them: they are compared like any others.

    Example:
        >>> table = CodeTable({"id32": np.zeros((3, 4), np.uint8), "id128": np.zeros((3, 16), np.uint8)})
        >>> len(table), table.names, table.nbytes
        (3, ('id32', 'id128'), 60)

    Raises:
        UsageError: a column has the wrong type or width, rows are not contiguous in memory, row counts differ, or
            there is no column.
    """

    def __init__(self, codes: Columns) -> None:
        self._start([codes])

    @classmethod
    def from_segments(cls, tables: Sequence[CodeTable]) -> Self:
        """One table over the entries of several, in order, without copying any of them.

        Raises:
            UsageError: there is no table, or the tables do not hold the same codes.
        """
        if not tables:
            raise UsageError("a code table needs at least one segment; an empty gallery is a segment with zero rows")
        table = cls.__new__(cls)
        table._start([segment for part in tables for segment in part._segments])
        return table

    def _start(self, segments: list[Columns]) -> None:
        if not segments[0]:
            raise UsageError("a code table needs at least one code column")
        self.spec = CodeSpec(tuple(segments[0]))
        self._segments: list[dict[str, NDArray[np.uint8]]] = []
        self._lengths: list[int] = []
        for codes in segments:
            self._lengths.append(self.spec.check(codes))
            self._segments.append({name: _contiguous(name, codes[name]) for name in self.spec})

    @property
    def names(self) -> tuple[str, ...]:
        """Code names in the order in which they were given."""
        return self.spec.names

    def __len__(self) -> int:
        return sum(self._lengths)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Number of entries of each segment."""
        return tuple(self._lengths)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns, in memory or mapped."""
        return sum(column.nbytes for segment in self._segments for column in segment.values())

    def column(self, name: str) -> list[NDArray[np.uint8]]:
        """One code's column, as one array per segment.

        Raises:
            UsageError: the table has no such code.
        """
        if name not in self.spec.names:
            raise UsageError(f"this table has no code {name!r}; it has: {self.spec}")
        return [segment[name] for segment in self._segments]

    def rows(self, name: str, positions: NDArray[np.integer]) -> NDArray[np.uint8]:
        """A copy of one code's rows at some positions: uint8 [len(positions), row bytes]."""
        columns = self.column(name)
        out = np.empty((len(positions), columns[0].shape[1]), np.uint8)
        starts = np.cumsum([0, *self._lengths])
        if len(positions) and not (int(np.min(positions)) >= 0 and int(np.max(positions)) < len(self)):
            raise UsageError(f"positions must lie in 0..{len(self) - 1}, got {np.min(positions)}..{np.max(positions)}")
        for column, start in zip(columns, starts, strict=False):
            here = (positions >= start) & (positions < start + len(column))
            out[here] = column[positions[here] - start]
        return out

    def __repr__(self) -> str:
        return f"CodeTable({len(self)} entries, {self.spec}, {len(self._segments)} segments, {self.nbytes:,} bytes)"


def _contiguous(name: str, column: NDArray[np.uint8]) -> NDArray[np.uint8]:
    check_packed(name, column)
    if not column.flags.c_contiguous:
        raise UsageError(f"code {name} is not contiguous in memory; pass numpy.ascontiguousarray(...) of it")
    return column
