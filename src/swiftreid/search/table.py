"""The codes of a gallery, one column per code, in one or several segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.certified import split
from swiftreid.search.codes import CodeSpec, check_packed
from swiftreid.search.shelves import Arrangement
from swiftreid.search.stages import EMBEDDING

Columns = Mapping[str, NDArray[Any]]

MAX_EMBEDDING = 16_376
LARGEST = 1e17
"""Number in an embedding: the squares of more could not be added up in float32."""

_BLOCK = 1 << 18  # numbers looked at together, so that a check takes little memory


class Segment:
    """Columns of one segment, and what was made of them for searches; several tables may share one.

    Attributes:
        rows: how many entries.
        codes: columns by name.
        nbytes: bytes of the columns.
        notes: what others worked out about this segment, by whatever key they choose; dropped with it.
    """

    def __init__(self, spec: CodeSpec, codes: Columns) -> None:
        self.rows = spec.check({name: code for name, code in codes.items() if name != EMBEDDING})
        self.codes: dict[str, NDArray[Any]] = {name: _contiguous(name, codes[name]) for name in spec}
        if EMBEDDING in codes:
            self.codes[EMBEDDING] = _embedding(codes[EMBEDDING], self.rows if spec.names else None)
            self.rows = len(codes[EMBEDDING])
        self.nbytes = sum(column.nbytes for column in self.codes.values())
        self.notes: dict[Any, Any] = {}
        self._planes: dict[str, NDArray[np.uint8]] = {}

    def planes(self, name: str) -> NDArray[np.uint8]:
        """A code's bit planes, made when first wanted (see `kernels.slice_planes`)."""
        # Two threads may both make them, to the same end.
        if name not in self._planes:
            self._planes[name] = kernels.slice_planes(self.codes[name])
        return self._planes[name]

    def sample(self, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A code split for certified searches, made when first wanted (see `certified.split`)."""
        known: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = self.notes.get(("sample", name))
        if known is None:
            known = self.notes["sample", name] = split(self.codes[name])
        return known


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
        self.arrangement: Arrangement | None = None

    def with_arrangement(self, arrangement: Arrangement) -> Self:
        """The same table with shelves; `Partition.arrange` makes them."""
        table = type(self).__new__(type(self))
        table._set(self.spec, self._segments)
        table.arrangement = arrangement
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


def _embedding(rows: NDArray[Any], count: int | None) -> NDArray[Any]:
    kind, shape = getattr(rows, "dtype", type(rows).__name__), getattr(rows, "shape", None)
    if not isinstance(rows, np.ndarray) or kind not in (np.float16, np.float32) or rows.ndim != 2 or not rows.shape[1]:
        raise UsageError(f"embeddings must be float16 or float32 of shape [n, size], got {kind} of shape {shape}")
    if rows.shape[1] % 2 or rows.shape[1] > MAX_EMBEDDING:
        raise UsageError(
            f"embeddings must have an even number of dimensions, at most {MAX_EMBEDDING}; got {rows.shape[1]}"
        )
    if count is not None and len(rows) != count:
        raise UsageError(f"there are {len(rows)} embeddings for {count} rows of codes")
    if not rows.flags.c_contiguous:
        raise UsageError("embeddings are not contiguous in memory; pass numpy.ascontiguousarray(...) of them")
    _check_finite(rows)
    return rows


def _check_finite(rows: NDArray[Any]) -> None:
    """Refuse NaN, infinity and what is too large, in blocks: their bits, but for the sign, are the largest numbers."""
    kind, sign = ("u2", 0x7FFF) if rows.dtype == np.float16 else ("u4", 0x7FFFFFFF)
    largest = np.array(min(LARGEST, float(np.finfo(rows.dtype).max)), rows.dtype).view(kind)
    block = max(1, _BLOCK // rows.shape[1])
    for start in range(0, len(rows), block):
        bits: NDArray[np.unsignedinteger[Any]] = rows[start : start + block].view(kind)
        wrong = (bits & bits.dtype.type(sign)) > largest
        if wrong.any():
            row = start + int(np.argmax(wrong.any(axis=1)))
            raise UsageError(
                f"the embedding in row {row} holds NaN, infinity or a number beyond {LARGEST:g}, so it is at no "
                "distance from anything: leave such entries out, and look why the encoder gave it"
            )


def _contiguous(name: str, column: NDArray[np.uint8]) -> NDArray[np.uint8]:
    check_packed(name, column)
    if not column.flags.c_contiguous:
        raise UsageError(f"code {name} is not contiguous in memory; pass numpy.ascontiguousarray(...) of it")
    return column
