"""DBSCAN on pairs that are close enough (Ester, Kriegel, Sander and Xu, KDD 1996)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.clustering.jaccard import Edges
from swiftreid.reranking.reciprocal import Ids

OUTLIER: Final = -1
"""Cluster of pictures that are in none."""


def dbscan(edges: Edges, pictures: int, *, least: int) -> Ids:
    """The cluster of each picture, int64 [n], `OUTLIER` where it is in none.

    Clusters are numbered in the order of their first core pictures, and a picture at the border of several is in the
    first of them: as in scikit-learn.

    Args:
        edges: pairs within the threshold of DBSCAN (eps).
        pictures: n.
        least: pictures within the threshold, itself among them, that make one a core picture (``min_samples``).
    """
    degrees = np.bincount(edges.left, minlength=pictures) + np.bincount(edges.right, minlength=pictures) + 1
    core = degrees >= least
    both = core[edges.left] & core[edges.right]
    roots = _connected(edges.left[both], edges.right[both], pictures)
    none = np.int64(pictures)
    clusters = np.where(core, roots, none)
    for ends, others in ((edges.left, edges.right), (edges.right, edges.left)):
        border = ~core[ends] & core[others]
        np.minimum.at(clusters, ends[border], roots[others[border]])
    kept = clusters < none
    numbers = np.full(pictures, OUTLIER, np.int64)
    numbers[kept] = np.unique(clusters[kept], return_inverse=True)[1]
    return numbers


def _connected(left: Ids, right: Ids, count: int) -> Ids:
    """The smallest number that each of ``count`` nodes is connected with, int64 [count]."""
    roots = np.arange(count)
    while True:
        low = np.minimum(roots[left], roots[right])
        before: NDArray[np.int64] = roots.copy()
        np.minimum.at(roots, roots[left], low)
        np.minimum.at(roots, roots[right], low)
        while not np.array_equal(roots, jumped := roots[roots]):
            roots = jumped
        if np.array_equal(roots, before):
            return roots
