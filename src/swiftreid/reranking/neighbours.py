"""Spaces in which pictures have distances, and each picture's nearest neighbours, found in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.codes import check_packed, row_bytes_of

BLOCK_BYTES = 2**26
"""About as much memory as any block of distances takes, whatever the size of the gallery."""

_SELF = np.int64(-1) << np.int64(62)
_T = TypeVar("_T", bound=np.generic)


class Space(Protocol):
    """Pictures by number, 0..n-1, and the distances between them."""

    def __len__(self) -> int: ...

    def block(self, rows: NDArray[np.int64]) -> NDArray[np.int32] | NDArray[np.float32]:
        """Distances of some pictures to all: [len(rows), n]."""
        ...

    def pairs(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """Distances of pairs: float32 [p]."""
        ...


class CodeSpace:
    """Hamming distances, in bits, of packed codes that lie in one or several arrays, which are not copied.

    For vectors of +1 and -1 the Hamming distance is a quarter of the squared Euclidean one: what holds for squared
    distances of embeddings holds for it.

    Args:
        name: name of the code, such as ``id2048``.
        columns: uint8 [n_i, row bytes] each, numbered in order.
    """

    def __init__(self, name: str, columns: Sequence[NDArray[np.uint8]]) -> None:
        self.name = name
        for column in columns:
            check_packed(name, column)
        self._columns = [np.ascontiguousarray(column) for column in columns]
        self._rows = _Segments([len(column) for column in self._columns])

    def __len__(self) -> int:
        return self._rows.total

    @property
    def row_bytes(self) -> int:
        """Bytes of one packed code."""
        return row_bytes_of(self.name)

    def block(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """See `Space.block`."""
        return self.between(self.codes(rows))

    def between(self, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Distances of codes from outside to all pictures: uint8 [q, row bytes] -> int32 [q, n]."""
        out = np.empty((len(codes), len(self)), np.int32)
        for column, start in zip(self._columns, self._rows.starts, strict=True):
            out[:, start : start + len(column)] = kernels.hamming(column, codes)
        return out

    def codes(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """A copy of some rows."""
        return self._rows.gather(self._columns, rows, np.empty((len(rows), self.row_bytes), np.uint8))

    def pairs(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Space.pairs`."""
        out = np.empty(len(left), np.float32)
        step = max(1, BLOCK_BYTES // (4 * self.row_bytes))
        for start in range(0, len(left), step):
            here = slice(start, start + step)
            differing = (self.codes(left[here]) ^ self.codes(right[here])).view(np.uint32)
            out[here] = np.bitwise_count(differing).sum(axis=1, dtype=np.int32)
        return out


class VectorSpace:
    """Cosine distances (1 - cosine, half the squared distance of unit vectors) of embeddings, which are not copied.

    A vector of zeros is at distance 1 from everything else.

    Args:
        vectors: float [n_i, d] each, numbered in order; they need not have length 1.

    Raises:
        UsageError: different widths, or values that are not finite.
    """

    def __init__(self, vectors: Sequence[NDArray[np.float32]]) -> None:
        shapes = [part.shape for part in vectors]
        if not shapes or any(len(shape) != 2 for shape in shapes) or len({shape[1] for shape in shapes}) != 1:
            raise UsageError(f"embeddings must be two-dimensional and equally wide, got the shapes {shapes}")
        if not all(bool(np.isfinite(part).all()) for part in vectors):
            raise UsageError("embeddings hold NaN or infinity: the encoder's output is broken")
        self._vectors = [np.asarray(part, np.float32) for part in vectors]
        self._width = int(shapes[0][1])
        self._rows = _Segments([len(part) for part in vectors])
        norms = np.concatenate([np.sqrt(np.einsum("nd,nd->n", part, part)) for part in self._vectors])
        self._inverse = np.divide(np.float32(1), norms, out=np.zeros_like(norms), where=norms > 0)

    def __len__(self) -> int:
        return self._rows.total

    @property
    def row_bytes(self) -> int:
        """Bytes of one vector."""
        return 4 * self._width

    def block(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Space.block`."""
        return self.between(self.units(rows))

    def between(self, units: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distances of vectors of length 1 from outside to all pictures: float32 [q, d] -> float32 [q, n]."""
        out = np.empty((len(units), len(self)), np.float32)
        for part, start in zip(self._vectors, self._rows.starts, strict=True):
            np.matmul(units, part.T, out=out[:, start : start + len(part)])
        out *= -self._inverse
        out += 1
        return np.maximum(out, 0, out=out)

    def units(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """A copy of some vectors, with length 1."""
        found = self._rows.gather(self._vectors, rows, np.empty((len(rows), self._width), np.float32))
        found *= self._inverse[rows][:, None]
        return found

    def pairs(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Space.pairs`."""
        out = np.empty(len(left), np.float32)
        step = max(1, BLOCK_BYTES // (4 * self.row_bytes))
        for start in range(0, len(left), step):
            here = slice(start, start + step)
            out[here] = 1 - np.einsum("pd,pd->p", self.units(left[here]), self.units(right[here]))
        out[left == right] = 0
        return np.maximum(out, 0, out=out)


class _Segments:
    """Rows numbered through several arrays."""

    def __init__(self, lengths: Sequence[int]) -> None:
        edges = np.cumsum([0, *lengths])
        self.starts: list[int] = edges[:-1].tolist()
        self.total = int(edges[-1])

    def gather(self, parts: Sequence[NDArray[_T]], rows: NDArray[np.int64], out: NDArray[_T]) -> NDArray[_T]:
        for part, start in zip(parts, self.starts, strict=True):
            here = (rows >= start) & (rows < start + len(part))
            out[here] = part[rows[here] - start]
        return out


def nearest(
    space: Space, rows: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """The nearest neighbours of some pictures, each picture itself first; time in proportion to rows times pictures.

    Equal distances are ordered by number. Memory: what is returned, and blocks of about `BLOCK_BYTES`.

    Args:
        space: n pictures.
        rows: their numbers, int64 [r].
        count: neighbours wanted, itself included; fewer where there are fewer pictures.

    Returns:
        Numbers int32 [r, min(count, n)], their distances float32 (0 for itself), and for each row the distance of the
        furthest of all pictures, float32 [r].
    """
    count = min(count, len(space))
    numbers, distances = np.empty((len(rows), count), np.int32), np.empty((len(rows), count), np.float32)
    furthest = np.empty(len(rows), np.float32)
    step = max(1, BLOCK_BYTES // (16 * max(1, len(space))))
    for start in range(0, len(rows), step):
        own = rows[start : start + step]
        here = slice(start, start + len(own))
        block = space.block(own)
        furthest[here] = block.max(axis=1)
        numbers[here] = first_by_distance(block, count, own)
        distances[here] = np.take_along_axis(block, numbers[here].astype(np.int64), axis=1)
        distances[here, 0] = 0
    return numbers, distances, furthest


def first_by_distance(
    block: NDArray[np.int32] | NDArray[np.float32], count: int, own: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Columns of the ``count`` smallest distances of each row, by distance and then by number; ``own`` ones first."""
    keys = _rising(block).astype(np.int64)
    keys <<= 32
    keys |= np.arange(block.shape[1], dtype=np.int64)
    if own is not None:
        keys[np.arange(len(own)), own] = _SELF | own
    if count < block.shape[1]:
        keys.partition(count - 1, axis=1)
    best = np.sort(keys[:, :count], axis=1)
    return best & np.int64(0xFFFFFFFF)


def _rising(block: NDArray[np.int32] | NDArray[np.float32]) -> NDArray[np.int32]:
    """Whole numbers in the order of the distances: floats that are not negative are in the order of their bits."""
    if block.dtype == np.int32:
        return block.view(np.int32)
    return (block + np.float32(0)).view(np.int32)  # + 0 turns -0.0 into 0.0
