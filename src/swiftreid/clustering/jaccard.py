"""Pairs of pictures whose k-reciprocal neighbours agree: Jaccard distances below a threshold, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swiftreid.progress import Progress, no_progress
from swiftreid.reranking.neighbours import BLOCK_BYTES, VectorSpace, nearest
from swiftreid.reranking.reciprocal import Ids, Inverted, Reciprocal, average, encode


@dataclass(frozen=True)
class Edges:
    """Pairs of pictures, each once.

    Attributes:
        left: the lower number, int64 [e], ascending.
        right: the higher one, int64 [e].
        distances: Jaccard distances, 0 to 1, float32 [e].
    """

    left: Ids
    right: Ids
    distances: NDArray[np.float32]

    def within(self, threshold: float) -> Edges:
        """Those of a distance of at most ``threshold``."""
        kept = self.distances <= threshold
        return Edges(self.left[kept], self.right[kept], self.distances[kept])


def jaccard_edges(
    embeddings: NDArray[np.float32], *, k1: int, k2: int, threshold: float, progress: Progress = no_progress
) -> Edges:
    """All pairs of pictures with a Jaccard distance of at most ``threshold`` (Zhong et al., CVPR 2017, equation 10).

    The encodings are those of re-ranking (`swiftreid.reranking.reciprocal`), but for their weights: exp(-d) of the
    squared Euclidean distance d of unit vectors, as clustering for re-identification has it (Ge et al., NeurIPS 2020),
    where re-ranking divides d by a query's largest.

    Memory: k1 + 1 neighbours and a few times k1 k2 weights for each picture, the pairs, and blocks of 64 MB. Time: all
    pairs of cosines, once, and all pairs of weights in one column.

    Args:
        embeddings: float32 [n, d].
        k1: neighbours that are compared.
        k2: neighbours over which they are averaged; 1 for no averaging.
        threshold: from 0 to below 1.
        progress: takes pictures done and pictures in all.
    """
    settings, space = Reciprocal(k1=k1, k2=k2, lambda_=0), VectorSpace([embeddings])
    everyone = np.arange(len(space))
    numbers, _, _ = nearest(space, everyone, settings.neighbours)
    encoded = encode(_Lists(numbers), everyone, lambda left, right: 2 * space.pairs(left, right), settings)
    if k2 > 1:
        encoded = average(encoded, numbers[:, :k2].astype(np.int64))
    inverted = Inverted(encoded)
    parts = [Edges(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
    step = max(1, BLOCK_BYTES // (32 * max(1, len(space))))
    for start in range(0, len(space), step):
        rows = everyone[start : start + step]
        left, right, distances = inverted.within(encoded, rows, threshold)
        later = right > rows[left]
        parts.append(Edges(rows[left[later]], right[later], distances[later]))
        progress("comparing neighbours", min(start + step, len(space)), len(space))
    return Edges(
        np.concatenate([part.left for part in parts]),
        np.concatenate([part.right for part in parts]),
        np.concatenate([part.distances for part in parts]),
    )


class _Lists:
    """Neighbours of all pictures."""

    def __init__(self, numbers: NDArray[np.int32]) -> None:
        self._numbers = numbers

    def take(self, rows: Ids, count: int) -> Ids:
        return self._numbers[:, :count][rows].astype(np.int64)
