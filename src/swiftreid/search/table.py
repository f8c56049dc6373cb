"""The codes of a gallery, one column per code, in one or several segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.codes import CodeSpec
from swiftreid.search.list_groups import TableLists
from swiftreid.search.segment import Columns, Segment
from swiftreid.search.stages import EMBEDDING


class CodeTable:
    """Packed codes of ``n`` entries: for each code name a uint8 array of shape [n, row bytes].

    Besides codes a table may hold float embeddings, under the name ``embedding``: float16 or float32 [n, size], for a
    cascade's last stage. They are read once when a table is made, to see that they are finite; joining tables with
    `from_segments` does not read them again.

    Arrays are kept as they are, memory maps included; nothing is copied, and they must not change while the table is
    in use (searches keep a bit-sliced copy of the first stage's short code). An entry's *position* is its row, counted
    through all segments. Padding bits must be zero, as `pack_bits` leaves them: they are compared like any others.

    Example:
        >>> table = CodeTable({"id32": np.zeros((3, 4), np.uint8), "id128": np.zeros((3, 16), np.uint8)})
        >>> len(table), table.names, table.nbytes
        (3, ('id32', 'id128'), 60)

    Raises:
        UsageError: a column has the wrong type or width, rows are not contiguous in memory, row counts differ,
            there is no column, or an embedding holds NaN, infinity or a number beyond 1e17.
    """

    def __init__(self, codes: Columns) -> None:
        self._start([codes])

    @classmethod
    def from_segments(cls, tables: Sequence[CodeTable]) -> Self:
        """One table over the entries of several, in order, without copying any of them.

        Raises:
            UsageError: there is no table, or the tables do not hold the same codes.
        """
        if not all(isinstance(part, CodeTable) for part in tables):
            raise UsageError("segments are joined as tables: pass CodeTable(codes) for each")
        if not tables:
            raise UsageError("a code table needs at least one segment; an empty gallery is a segment with zero rows")
        spec = tables[0].spec
        other = next((part for part in tables if part._shape() != tables[0]._shape()), None)
        if other is not None:
            raise UsageError(
                f"these tables hold different codes: code spec {spec}{tables[0]._extra()} and code spec {other.spec}"
                f"{other._extra()}"
            )
        table = cls.__new__(cls)
        table._set(spec, [segment for part in tables for segment in part._segments])
        return table

    def _start(self, segments: list[Columns]) -> None:
        if not segments[0]:
            raise UsageError("a code table needs at least one code column")
        spec = CodeSpec(tuple(name for name in segments[0] if name != EMBEDDING))
        self._set(spec, [Segment(spec, codes) for codes in segments])

    def _set(self, spec: CodeSpec, segments: list[Segment]) -> None:
        self.spec = spec
        self._segments = segments
        self._lengths = [segment.rows for segment in segments]
        self._count = sum(self._lengths)
        self._native: dict[tuple[Any, Any], Any] = {}
        self.lists: TableLists | None = None

    def with_lists(self, lists: TableLists) -> Self:
        """The same table with inverted lists; `InvertedLists.arrange` makes them."""
        table = type(self).__new__(type(self))
        table._set(self.spec, self._segments)
        table.lists = lists
        return table

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments, in order."""
        return tuple(self._segments)

    def _shape(self) -> tuple[frozenset[str], tuple[str, int] | None]:
        rows = self._segments[0].codes.get(EMBEDDING)
        return frozenset(self.spec), None if rows is None else (rows.dtype.str, rows.shape[1])

    def _extra(self) -> str:
        shape = self._shape()[1]
        return f" with embeddings of {shape[1]} numbers ({shape[0]})" if shape else ""

    @property
    def names(self) -> tuple[str, ...]:
        """Code names in the order in which they were given."""
        return self.spec.names

    def __len__(self) -> int:
        return self._count

    @property
    def lengths(self) -> tuple[int, ...]:
        """Number of entries of each segment."""
        return tuple(self._lengths)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns, in memory or mapped."""
        return sum(segment.nbytes for segment in self._segments)

    def column(self, name: str) -> list[NDArray[Any]]:
        """One code's column, or the embeddings', as one array per segment.

        Raises:
            UsageError: the table has no such column.
        """
        if name not in self._segments[0].codes:
            what = "float embeddings" if name == EMBEDDING else f"code {name!r}"
            raise UsageError(f"this table has no {what}; it has: {self.spec}")
        return [segment.codes[name] for segment in self._segments]

    def native(self, name: str, *, planes: bool = False) -> Any:
        """One column as native searches take it; None without native kernels.

        Args:
            name: a code's, or ``embedding``.
            planes: with bit planes, which codes of up to 192 bits may have (see ``native/kernel.hpp``). They are
                made when they are first wanted, and take as much memory as the column.
        """
        key = name, planes
        if key not in self._native:
            made = [segment.planes(name) for segment in self._segments] if planes else None
            self._native[key] = kernels.native_column(self.column(name), made)
        return self._native[key]

    def native_columns(self, names: tuple[str, ...], sliced: int | None) -> list[Any]:
        """The columns of a cascade's stages, that of stage number ``sliced`` with bit planes (see `native`)."""
        key = names, sliced
        columns: list[Any] | None = self._native.get(key)
        if columns is None:
            columns = [self.native(name, planes=number == sliced) for number, name in enumerate(names)]
            self._native[key] = columns
        return columns

    def native_sample(self, name: str) -> tuple[Any, Any]:
        """A code's samples and their rests, as `native` for columns; they take as much memory as the code."""
        key = f"sample of {name}", False
        if key not in self._native:
            parts = zip(*(segment.sample(name) for segment in self._segments), strict=True)
            self._native[key] = tuple(kernels.native_column(list(part), None) for part in parts)
        part, rest = self._native[key]
        return part, rest

    def rows(self, name: str, positions: NDArray[np.integer]) -> NDArray[Any]:
        """A copy of one column's rows at some positions: uint8 [len(positions), row bytes], or of its own type."""
        columns = self.column(name)
        positions = np.asarray(positions)
        if positions.ndim != 1 or (len(positions) and not np.issubdtype(positions.dtype, np.integer)):
            raise UsageError(
                f"positions must be whole numbers [m], got {positions.dtype} of shape {positions.shape}; of a mask "
                "pass numpy.flatnonzero(mask)"
            )
        positions = positions.astype(np.int64, copy=False)
        out = np.empty((len(positions), columns[0].shape[1]), columns[0].dtype)
        starts = np.cumsum([0, *self._lengths])
        if len(positions) and not (int(np.min(positions)) >= 0 and int(np.max(positions)) < len(self)):
            raise UsageError(f"positions must lie in 0..{len(self) - 1}, got {np.min(positions)}..{np.max(positions)}")
        for column, start in zip(columns, starts, strict=False):
            here = (positions >= start) & (positions < start + len(column))
            out[here] = column[positions[here] - start]
        return out

    def __repr__(self) -> str:
        what = f"{self.spec}{self._extra()}"
        return f"CodeTable({len(self)} entries, {what}, {len(self._segments)} segments, {self.nbytes:,} bytes)"
