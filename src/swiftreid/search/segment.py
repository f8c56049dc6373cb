"""One segment of a gallery's codes: its columns, and what was made of them for searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.codes import CodeSpec, check_packed
from swiftreid.search.sampling import split
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
        """A code split for certified searches, made when first wanted (see `sampling.split`)."""
        known: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = self.notes.get(("sample", name))
        if known is None:
            known = self.notes["sample", name] = split(self.codes[name])
        return known


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
