"""k-reciprocal encoding of Zhong et al. (CVPR 2017) on lists of nearest neighbours, in sparse form.

Every function works on the rows asked for, vectorised over a block of them, and never on all pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError

_BLOCK = 1024
"""Rows encoded at a time: about 100 MB at k1 = 20."""

_PAIRS = 2**21
"""Pairs of non-zero weights compared at a time."""

Ids = NDArray[np.int64]
Distances = Callable[[Ids, Ids], NDArray[np.float32]]
"""Distances of pairs of pictures, divided by the largest distance of the left one: float32 [p]."""


@dataclass(frozen=True)
class Reciprocal:
    """Settings of k-reciprocal re-ranking; the defaults are the paper's for Market-1501, which most others keep.

    Attributes:
        k1: how many nearest neighbours are compared, at least 1.
        k2: over how many nearest neighbours, itself among them, an encoding is averaged; 1 for no averaging.
        lambda_: share of the original distance in the final one, 0 to 1; the rest is the Jaccard distance.

    Raises:
        UsageError: a value out of range.
    """

    k1: int = 20
    k2: int = 6
    lambda_: float = 0.3

    def __post_init__(self) -> None:
        for name in ("k1", "k2"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value <= 1000:
                raise UsageError(f"{name} must be a whole number from 1 to 1000, got {value!r}")
        if not 0 <= self.lambda_ <= 1:
            raise UsageError(f"lambda must be from 0 to 1, got {self.lambda_!r}")

    @property
    def half(self) -> int:
        """Half of k1 as the released code has it: halves are rounded to the even number, 5 / 2 to 2."""
        return round(self.k1 / 2)

    @property
    def neighbours(self) -> int:
        """Length of the neighbour lists needed, each picture itself included."""
        return max(self.k1 + 1, self.k2)


class Lists(Protocol):
    """Lists of nearest neighbours, by distance, each picture itself first."""

    def take(self, rows: Ids, count: int) -> Ids:
        """The first ``count`` neighbours (fewer where lists are shorter) of some pictures: int64 [..., count]."""
        ...


@dataclass(frozen=True)
class Sparse:
    """Rows of non-negative weights, of which most are zero.

    Attributes:
        starts: int64 [r + 1]; row i has the weights from starts[i] to starts[i + 1].
        columns: int64 [w], ascending within a row.
        weights: float32 [w].
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self, start: int, end: int) -> Sparse:
        """The rows from ``start`` to before ``end``."""
        first, last = self.starts[start], self.starts[end]
        return Sparse(self.starts[start : end + 1] - first, self.columns[first:last], self.weights[first:last])

    def expand(self, rows: Ids) -> tuple[Ids, Ids]:
        """Positions of all weights of some rows, one row after another, and the number in ``rows`` each belongs to."""
        return ranges(self.starts[rows], self.starts[rows + 1])


def ranges(starts: Ids, ends: Ids) -> tuple[Ids, Ids]:
    """All whole numbers of several ranges, one range after another, and the range that each belongs to."""
    lengths = ends - starts
    owner = np.repeat(np.arange(len(lengths)), lengths)
    offsets = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return starts[owner] + offsets, owner


def encode(lists: Lists, rows: Ids, distances: Distances, settings: Reciprocal) -> Sparse:
    """Encode pictures by their k-reciprocal neighbours (equations 3, 5 and 7 of the paper).

    N(p, k) are the k + 1 nearest pictures, p among them. R(p, k) are those of N(p, k) that have p in theirs. R*(p) is
    R(p, k1) with R(c, k1 / 2) for every c in R(p, k1) that shares more than two thirds of R(c, k1 / 2) with R(p, k1)
    (as the authors' code has it; equation 5 says "at least"). p's weight of each picture g in R*(p) is exp(-d(p, g)),
    d divided by p's largest distance; p's weights sum to 1.

    Returns:
        `Sparse` with len(rows) rows; columns are numbers of pictures.
    """
    counts, columns, weights = [np.zeros(1, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        owner, members = _expanded(lists, block, settings)
        weight = np.exp(-distances(block[owner], members).astype(np.float64))  # equation 7
        weight /= np.bincount(owner, weight, len(block))[owner]
        counts.append(np.bincount(owner, minlength=len(block)))
        columns.append(members)
        weights.append(weight.astype(np.float32))
    return Sparse(np.cumsum(np.concatenate(counts)), np.concatenate(columns), np.concatenate(weights))


def _reciprocal(lists: Lists, rows: Ids, k: int) -> tuple[Ids, NDArray[np.bool_]]:
    """N(p, k), int64 [..., k + 1], and which of it are in R(p, k) (equation 3)."""
    neighbours = lists.take(rows, k + 1)
    return neighbours, (lists.take(neighbours, k + 1) == rows[..., None, None]).any(axis=-1)


def _expanded(lists: Lists, rows: Ids, settings: Reciprocal) -> tuple[Ids, Ids]:
    """R*(p) of each row: row numbers ascending, and the members, ascending within a row."""
    neighbours, mutual = _reciprocal(lists, rows, settings.k1)
    owner, place = np.nonzero(mutual)
    candidates = neighbours[owner, place]
    # R(c, k1 / 2) for each different c once, then for each (p, c).
    different, which = np.unique(candidates, return_inverse=True)
    half, half_mutual = _reciprocal(lists, different, settings.half)
    half, half_mutual = half[which], half_mutual[which]
    known = np.where(mutual, neighbours, -1)
    shared = (half[:, :, None] == known[owner][:, None, :]).any(axis=2) & half_mutual
    accepted = 3 * shared.sum(axis=1) > 2 * half_mutual.sum(axis=1)  # equation 5
    added = half_mutual & accepted[:, None]
    keys = np.concatenate([owner, np.broadcast_to(owner[:, None], half.shape)[added]])
    keys <<= 32
    keys |= np.concatenate([candidates, half[added]])
    keys = np.unique(keys)
    return keys >> 32, keys & 0xFFFFFFFF


def average(encoded: Sparse, neighbours: Ids) -> Sparse:
    """Local query expansion (equation 11): the mean of the encodings of each row's neighbours.

    Args:
        encoded: encodings.
        neighbours: row numbers in ``encoded``, int64 [r, k2], k2 at least 1.
    """
    counts, columns, weights = [np.zeros(1, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    share = np.float32(1 / neighbours.shape[1])
    for start in range(0, len(neighbours), _BLOCK):
        block = neighbours[start : start + _BLOCK]
        places, owner = encoded.expand(block.ravel())
        keys = ((owner // block.shape[1]) << 32) | encoded.columns[places]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        counts.append(np.bincount(keys[first] >> 32, minlength=len(block)))
        columns.append(keys[first] & 0xFFFFFFFF)
        weights.append(np.add.reduceat(encoded.weights[places][order], first) * share)  # equation 11
    return Sparse(np.cumsum(np.concatenate(counts)), np.concatenate(columns), np.concatenate(weights))


class Inverted:
    """Encodings of n pictures by column, to be compared with other encodings.

    Args:
        encoded: n rows.
    """

    def __init__(self, encoded: Sparse) -> None:
        self._pictures = len(encoded)
        order = np.argsort(encoded.columns, kind="stable")
        owner = np.repeat(np.arange(len(encoded), dtype=np.int32), np.diff(encoded.starts))
        self._rows, self._weights = owner[order], encoded.weights[order]
        self._columns, starts = np.unique(encoded.columns[order], return_index=True)
        self._starts = np.append(starts, len(order)).astype(np.int64)

    def jaccard(self, encoded: Sparse, rows: Ids) -> NDArray[np.float32]:
        """Jaccard distances (equation 10) of some rows to the n pictures: float32 [len(rows), n]."""
        return _distances(self._shared(encoded, rows)).reshape(len(rows), self._pictures)

    def within(self, encoded: Sparse, rows: Ids, threshold: float) -> tuple[Ids, Ids, NDArray[np.float32]]:
        """Pairs of some rows and the n pictures with a Jaccard distance of at most ``threshold``, which is below 1.

        Returns:
            Places in ``rows``, ascending, and pictures, ascending for each, int64 [p]; distances as `jaccard` has them.
        """
        shared = self._shared(encoded, rows)
        # Few pairs share enough weight, so distances are computed for these alone; a little less, for rounding.
        cells = np.flatnonzero(shared >= 2 * (1 - threshold) / (2 - threshold) - 1e-6)
        distances = _distances(shared[cells])
        kept = distances <= threshold
        owner, pictures = np.divmod(cells[kept], self._pictures)
        return owner, pictures, distances[kept]

    def _shared(self, encoded: Sparse, rows: Ids) -> NDArray[np.float64]:
        """The sum of the smaller weights of some rows and each of the n pictures: float64 [len(rows) * n]."""
        places, owner = encoded.expand(rows)
        column = np.searchsorted(self._columns, encoded.columns[places])
        column[column == len(self._columns)] = 0
        known = self._columns[column] == encoded.columns[places] if len(self._columns) else np.zeros(len(places), bool)
        places, owner, column = places[known], owner[known], column[known]
        shared = np.zeros(len(rows) * self._pictures)
        # As many weights at a time as have _PAIRS partners, but at least one.
        upto = np.cumsum(self._starts[column + 1] - self._starts[column])
        start = 0
        while start < len(places):
            done = upto[start - 1] if start else 0
            end = max(start + 1, int(np.searchsorted(upto, done + _PAIRS, side="right")))
            here = column[start:end]
            partners, which = ranges(self._starts[here], self._starts[here + 1])
            smaller = np.minimum(encoded.weights[places[start:end]][which], self._weights[partners])
            cells = owner[start:end][which] * self._pictures + self._rows[partners]
            low, high = int(cells.min(initial=0)), int(cells.max(initial=-1)) + 1
            shared[low:high] += np.bincount(cells - low, smaller, max(0, high - low))
            start = end
        return shared


def _distances(shared: NDArray[np.float64]) -> NDArray[np.float32]:
    """Jaccard distances by the sums of the smaller weights.

    As the weights of an encoding sum to 1, the sum of the larger ones is 2 less the sum of the smaller ones.
    """
    distances: NDArray[np.float64] = np.maximum(1 - shared / (2 - shared), 0)  # not -1e-7 by rounding
    return distances.astype(np.float32)
