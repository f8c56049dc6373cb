"""Clusters that can be relied on, by how they change with the threshold of DBSCAN.

Ge et al., 'Self-paced contrastive learning with hybrid memory for domain adaptive object re-ID', NeurIPS 2020, section
3.3: a cluster that takes in others as soon as the threshold is a little larger is not independent, and one that loses
pictures as soon as it is a little smaller is not compact. What fails is taken apart into single pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.clustering.dbscan import OUTLIER, dbscan
from swiftreid.clustering.jaccard import jaccard_edges
from swiftreid.clustering.strangers import NO_PAIRS
from swiftreid.clustering.two_stage import PeopleClusters
from swiftreid.errors import UsageError
from swiftreid.progress import Progress, no_progress

Ids = NDArray[np.int64]


_MOST: Final = 1000


@dataclass(frozen=True)
class DensitySettings:
    """DBSCAN on k-reciprocal Jaccard distances; the defaults are the paper's.

    Attributes:
        k1: neighbours that are compared.
        k2: neighbours over which these are averaged.
        eps: largest Jaccard distance of neighbours within a cluster.
        least: pictures that make one among them a core picture, itself included.
        gap: by how much eps is lower and higher in the two tests; 0 for none.
        independent: share of the clusters that pass the test of independence at first.
    """

    k1: int = 30
    k2: int = 6
    eps: float = 0.6
    least: int = 4
    gap: float = 0.02
    independent: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.eps - self.gap <= self.eps + self.gap < 1:
            raise UsageError(f"eps - gap and eps + gap are between 0 and 1; got eps {self.eps} and gap {self.gap}")
        if not 1 <= self.least <= _MOST or not 0 < self.independent <= 1:
            raise UsageError(
                f"least is from 1 to {_MOST:,}, and independent above 0 to 1; got {self.least} and {self.independent}"
            )


@dataclass(frozen=True)
class ReliableClusters:
    """Clusters of n pictures that passed both tests.

    Attributes:
        clusters: of each picture, int64 [n] from 0, without gaps; `OUTLIER` where it is in none.
        found: clusters before the tests.
        independence: the least that a cluster needs, 0 to 1: for later epochs too.
    """

    clusters: Ids
    found: int
    independence: float


def reliable_clusters(
    embeddings: NDArray[np.float32],
    settings: DensitySettings | None = None,
    *,
    independence: float | None = None,
    progress: Progress = no_progress,
) -> ReliableClusters:
    """Clusters by DBSCAN that are independent and compact.

    Of each picture, R_indep (Eq. 5) is the intersection over union of its cluster and of its cluster at eps + gap, and
    R_comp (Eq. 6) that of its cluster and of its cluster at eps - gap. A cluster needs the independence, which is
    the largest among its pictures; of its pictures, those with its largest compactness stay.

    **Decision**: the paper keeps what lies above its threshold; the authors' code, and this, what is equal to it too.

    Args:
        embeddings: float32 [n, d].
        settings: how to cluster.
        independence: that a cluster needs; None for the one that the share ``independent`` of these clusters have.
        progress: takes pictures done and pictures in all.
    """
    how = settings or DensitySettings()
    edges = jaccard_edges(embeddings, k1=how.k1, k2=how.k2, threshold=how.eps + how.gap, progress=progress)
    clusters, loose, tight = (
        dbscan(edges.within(eps), len(embeddings), least=how.least)
        for eps in (how.eps, how.eps + how.gap, how.eps - how.gap)
    )
    count = int(clusters.max(initial=OUTLIER)) + 1
    if not count:
        return ReliableClusters(clusters, 0, 0.0 if independence is None else independence)
    compact, independent = (overlap(clusters, other) for other in (tight, loose))
    of_cluster, compactest = np.zeros(count), np.zeros(count)
    inside = clusters != OUTLIER
    np.maximum.at(of_cluster, clusters[inside], independent[inside])
    np.maximum.at(compactest, clusters[inside], compact[inside])
    if independence is None:
        falling = np.sort(of_cluster)[::-1]
        independence = float(falling[min(count - 1, round(count * how.independent))])  # as the authors' code
    kept = inside.copy()
    kept[inside] = (of_cluster[clusters[inside]] >= independence) & (compact[inside] >= compactest[clusters[inside]])
    return ReliableClusters(_together(np.where(kept, clusters, OUTLIER)), count, independence)


def overlap(clusters: Ids, others: Ids) -> NDArray[np.float64]:
    """Of each picture, intersection over union of its two clusters, float64 [n]; an outlier is a cluster of its own."""
    (ours, sizes), (theirs, other_sizes) = (_sized(labels) for labels in (clusters, others))
    _, pair, shared = np.unique(ours * (len(other_sizes) + 1) + theirs, return_inverse=True, return_counts=True)
    both = shared[pair]
    share: NDArray[np.float64] = both / (sizes[ours] + other_sizes[theirs] - both)
    return share


def density_people(
    embeddings: NDArray[np.float32],
    cameras: Ids,
    settings: DensitySettings | None = None,
    *,
    progress: Progress = no_progress,
) -> PeopleClusters:
    """Clusters by DBSCAN over all cameras, in the form of `swiftreid.clustering.two_stage.cluster_people`.

    Args:
        embeddings: float32 [n, d].
        cameras: int64 [n]; a cluster's pictures by one camera are a tracklet.
        settings: how to cluster; ``gap`` and ``independent`` do not count.
        progress: takes pictures done and pictures in all.
    """
    how = settings or DensitySettings()
    edges = jaccard_edges(embeddings, k1=how.k1, k2=how.k2, threshold=how.eps, progress=progress)
    people = dbscan(edges, len(embeddings), least=how.least)
    own, _ = _sized(people)
    _, camera = np.unique(cameras, return_inverse=True)
    tracklets = np.unique(own * (camera.max(initial=0) + 1) + camera, return_inverse=True)[1].astype(np.int64)
    return PeopleClusters(people, tracklets, NO_PAIRS, 0, 0.0, 0.0)


def _sized(clusters: Ids) -> tuple[Ids, Ids]:
    """Clusters with a number for every outlier, int64 [n], and their sizes."""
    alone = clusters == OUTLIER
    numbers = clusters.copy()
    numbers[alone] = clusters.max(initial=OUTLIER) + 1 + np.arange(int(alone.sum()))
    return numbers, np.bincount(numbers)


def _together(clusters: Ids) -> Ids:
    """Clusters of two pictures or more, numbered without gaps in the same order."""
    numbers, kept = np.full(len(clusters), OUTLIER, np.int64), clusters != OUTLIER
    _, own, sizes = np.unique(clusters[kept], return_inverse=True, return_counts=True)
    places = np.cumsum(sizes > 1) - 1
    numbers[kept] = np.where(sizes[own] > 1, places[own], OUTLIER)
    return numbers
