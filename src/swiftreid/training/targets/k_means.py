"""K-means over rows of numbers, in bounded memory."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_AT_A_TIME: Final = 4_000_000  # distances in memory at a time


def k_means(
    values: NDArray[np.float32], count: int, rng: np.random.Generator, *, rounds: int = 20
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Lloyd's algorithm from rows drawn at random; it ends when no row changes its cluster, or after so many rounds.

    A cluster that loses all its rows starts again at a row that is far from its centre. Where there are fewer different
    rows than clusters, each different row is a cluster.

    Args:
        values: float32 [n, d].
        count: clusters, at least 1.
        rng: source of all randomness.
        rounds: at most.

    Returns:
        The cluster of each row, int64 [n], and the centres, float32 [clusters, d]; every cluster has a row.
    """
    different = np.unique(values, axis=0)
    centres = different[np.sort(rng.choice(len(different), min(count, len(different)), replace=False))]
    clusters = np.full(len(values), -1)
    for _ in range(rounds):
        nearest, apart = _nearest(values, centres)
        if (nearest == clusters).all():
            break
        clusters = nearest
        centres = means_by(values, clusters, len(centres))
        empty = np.flatnonzero(np.bincount(clusters, minlength=len(centres)) == 0)
        if len(empty):
            centres[empty] = values[np.argsort(-apart, kind="stable")[: len(empty)]]
    used, clusters = np.unique(clusters, return_inverse=True)
    return clusters.astype(np.int64), means_by(values, clusters, len(used))


def means_by(values: NDArray[np.float32], clusters: NDArray[np.integer], count: int) -> NDArray[np.float32]:
    """Mean of the rows of each cluster, float32 [count, d]; 0 of one without rows.

    Args:
        values: float32 [n, d].
        clusters: of each row, int [n], or several of each, int [n, m].
        count: of clusters.
    """
    sums = np.zeros((count, values.shape[1]))
    for own in clusters.reshape(len(values), -1).T:
        np.add.at(sums, own, values)
    sizes = np.bincount(clusters.ravel(), minlength=count)
    return (sums / np.maximum(sizes, 1)[:, None]).astype(np.float32)


def _nearest(
    values: NDArray[np.float32], centres: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest centre of each row, and the squared distance to it."""
    squares = (centres**2).sum(axis=1)
    step = max(1, _AT_A_TIME // len(centres))
    nearest, apart = np.empty(len(values), np.int64), np.empty(len(values), np.float32)
    for start in range(0, len(values), step):
        rows = values[start : start + step]
        distances = squares - 2 * rows @ centres.T
        nearest[start : start + step] = best = distances.argmin(axis=1)
        apart[start : start + step] = distances[np.arange(len(rows)), best] + (rows**2).sum(axis=1)
    return nearest, apart
