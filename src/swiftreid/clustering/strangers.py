"""How many strangers would lie as close as this: distances that mean the same for every picture, camera and encoder.

A picture's neighbours beyond the first few are strangers. How their number grows with the distance, ``log N = slope log
d + level`` (the local intrinsic dimension; Amsaleg et al., KDD 2015), says how many strangers to expect within any
distance. A pair of which each expects far less than one stranger as close as the other is a match; and because the
expectation over all pictures is known, so is the share of matches that chance would have given. Nothing is learned, and
no threshold depends on how often people were seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.progress import Progress, no_progress

FLOOR: Final = 1e-4
"""Below this expectation pairs are equally certain."""

CAP: Final = 3.0
"""Expectation above which pairs are not kept."""

_BLOCK_BYTES: Final = 64 << 20
_TINY: Final = 1e-6

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Pairs:
    """Pairs of units that lie unexpectedly close.

    Attributes:
        left: int64 [p].
        right: int64 [p].
        expected: strangers expected as close as this, the geometric mean of both sides' expectations, float32 [p].
    """

    left: Ids
    right: Ids
    expected: Floats

    def __len__(self) -> int:
        return len(self.left)

    def of(self, rows: NDArray[np.bool_]) -> Pairs:
        """Some of them."""
        return Pairs(self.left[rows], self.right[rows], self.expected[rows])


NO_PAIRS: Final = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def ranks(count: int) -> tuple[int, int] | None:
    """First and last rank of the neighbours that growth is fitted on, among ``count``; None where these are too few."""
    last = min(200, count // 3)
    first = min(20, last // 3)
    return (first, last) if last - first >= 5 else None


def comparable(left: int, right: int) -> bool:
    """Whether both of two cameras have enough units for `close_pairs` to find any."""
    return ranks(left) is not None and ranks(right) is not None


def closest(queries: Floats, gallery: Floats, count: int, *, skip_self: bool = False) -> tuple[Ids, Floats]:
    """The ``count`` closest of the gallery to each query, in order.

    Args:
        queries: of length 1, float32 [n, d].
        gallery: of length 1, float32 [m, d].
        count: at most m, or m - 1 with ``skip_self``.
        skip_self: whether both are the same, and nobody is their own neighbour.

    Returns:
        Rows int64 [n, count] and distances float32 [n, count].
    """
    found = np.empty((len(queries), count), np.int64)
    distances = np.empty((len(queries), count), np.float32)
    step = max(1, _BLOCK_BYTES // (4 * max(1, len(gallery))))
    for start in range(0, len(queries), step):
        cosines = queries[start : start + step] @ gallery.T
        rows = np.arange(len(cosines))
        if skip_self:
            cosines[rows, start + rows] = -np.inf
        places = np.argpartition(cosines, len(gallery) - count, axis=1)[:, len(gallery) - count :]
        values = np.take_along_axis(cosines, places, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        found[start : start + step] = np.take_along_axis(places, order, axis=1)
        squares = 2 - 2 * np.take_along_axis(values, order, axis=1)
        distances[start : start + step] = np.sqrt(np.maximum(squares, 0))
    return found, distances


@dataclass(frozen=True)
class Growth:
    """How the number of neighbours grows with the distance, of each of n pictures: ``log N = slope log d + level``.

    Attributes:
        slope: float32 [n].
        level: float32 [n].
    """

    slope: Floats
    level: Floats

    def log_expected(self, rows: Ids, distances: Floats) -> Floats:
        """Logarithm of the strangers that pictures ``rows`` expect within ``distances``."""
        value: Floats = self.slope[rows] * np.log(np.maximum(distances, _TINY)) + self.level[rows]
        return value


def fit_growth(distances: Floats, first: int, last: int) -> Growth:
    """Least squares of log rank on log distance.

    Args:
        distances: of each picture's closest, in order, float32 [n, last or more].
        first: ranks up to this one are left out: people whom the picture may show are among them.
        last: the last rank.
    """
    logs = np.log(np.maximum(distances[:, first:last], _TINY))
    numbers = np.log(np.arange(first + 1, last + 1, dtype=np.float32))
    mean = logs.mean(axis=1)
    deviations = logs - mean[:, None]
    slope = (deviations @ (numbers - numbers.mean())) / np.maximum((deviations**2).sum(axis=1), _TINY)
    return Growth(slope.astype(np.float32), (numbers.mean() - slope * mean).astype(np.float32))


def close_pairs(left: Floats, right: Floats | None = None, *, progress: Progress = no_progress) -> Pairs:
    """All pairs of which at most `CAP` strangers are expected as close; ascending by left and right.

    Args:
        left: units of one camera, of length 1, float32 [n, d].
        right: units of another, float32 [m, d]; None for pairs within the camera, each once, the lower number left.
        progress: takes units done and units in all.
    """
    same = right is None
    other = left if right is None else right
    windows = ranks(len(other) - same), ranks(len(left) - same)
    if windows[0] is None or windows[1] is None:
        return NO_PAIRS
    found, distances = closest(left, other, windows[0][1], skip_self=same)
    growth = fit_growth(distances, *windows[0])
    rows = np.repeat(np.arange(len(left)), found.shape[1])
    columns, apart = found.ravel(), distances.ravel()
    if same:
        growth_right = growth
        rows, columns = np.minimum(rows, columns), np.maximum(rows, columns)
    else:
        back, back_distances = closest(other, left, windows[1][1])
        growth_right = fit_growth(back_distances, *windows[1])
        rows = np.concatenate([rows, back.ravel()])
        columns = np.concatenate([columns, np.repeat(np.arange(len(other)), back.shape[1])])
        apart = np.concatenate([apart, back_distances.ravel()])
    _, once = np.unique(rows * len(other) + columns, return_index=True)
    rows, columns, apart = rows[once], columns[once], apart[once]
    log_expected = (growth.log_expected(rows, apart) + growth_right.log_expected(columns, apart)) / 2
    kept = log_expected <= np.log(CAP)
    expected = np.maximum(np.exp(log_expected[kept]), FLOOR).astype(np.float32)
    return Pairs(rows[kept], columns[kept], expected)
