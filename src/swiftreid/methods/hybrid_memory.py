"""Hybrid memory: source people, clusters and single pictures are classes side by side.

Ge et al., 'Self-paced contrastive learning with hybrid memory for domain adaptive object re-ID' (SpCL), NeurIPS 2020;
the fourth paper adapts to other data with it (its Table VIII). The memory has one vector for every person of the source
and one for every target picture. A cluster's centroid is the mean of its pictures' vectors; a picture in no cluster is
a class by itself. Without a source this is the paper's unsupervised form.

The clusters are made, and those that cannot be relied on taken apart, in `swiftreid.training.targets.hybrid`.

**Decisions**: what follows the pictures is the mean of an entry's pictures in the batch (Eq. 3 and 4), then has length
1, as in the authors' code, which takes the pictures one after the other. The losses of both domains are means over
their own pictures, and are added, as there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from swiftreid.clustering.self_paced import DensitySettings
from swiftreid.errors import UsageError
from swiftreid.methods.method import Method, NetworkConfig, with_total
from swiftreid.nn.domain_norms import DomainNorms
from swiftreid.nn.losses.precision import in_full_precision

MOST: Final = 65_536


@dataclass(frozen=True)
class HybridMemoryConfig(NetworkConfig):
    """Settings of the method and of its clusters (`swiftreid.clustering.self_paced.DensitySettings`).

    Attributes:
        length: of the embedding; 0 for the pooled feature behind its BN, without an FC layer, as in the paper.
        temperature: tau, of the softmax over inner products.
        momentum: share of a vector in the memory that stays when its pictures are seen.
        k1: neighbours that are compared for Jaccard distances.
        k2: neighbours over which these are averaged.
        eps: largest Jaccard distance of neighbours within a cluster.
        least: pictures that make one among them a core picture of DBSCAN, itself included.
        gap: by how much eps is lower and higher in the tests of compactness and independence.
        independent: share of the first epoch's clusters that pass the test of independence.
        cameras: whether target vectors are normalised by camera before they are clustered; the paper's are not.
    """

    length: int = 0
    temperature: float = 0.05
    momentum: float = 0.2
    k1: int = 30
    k2: int = 6
    eps: float = 0.6
    least: int = 4
    gap: float = 0.02
    independent: float = 0.9
    cameras: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.length <= MOST:
            raise UsageError(f"length is from 0 to {MOST:,}, got {self.length}")
        if self.temperature <= 0 or not 0 <= self.momentum < 1:
            raise UsageError(
                f"temperature is above 0, and momentum from 0 to below 1; got {self.temperature} and {self.momentum}"
            )
        if min(self.k1, self.k2) < 1 or max(self.k1, self.k2) > 1000:
            raise UsageError(f"k1 and k2 are from 1 to 1,000; got {self.k1} and {self.k2}")
        _ = self.clustering  # says what is impossible

    @property
    def clustering(self) -> DensitySettings:
        """How target pictures are clustered."""
        return DensitySettings(self.k1, self.k2, self.eps, self.least, self.gap, self.independent)


class HybridMemory(Method):
    """Pooled feature, BN and, if asked for, one FC layer to the embedding; source pictures have norms of their own.

    Args:
        _classes: not needed; clusters change.
        config: settings.
    """

    config_type = HybridMemoryConfig
    learns_from = "hybrid"
    unit = True
    trunk_parts = ("trunk.", "source_norms.")

    def __init__(self, _classes: int, config: HybridMemoryConfig | None = None) -> None:
        self.config = config or HybridMemoryConfig()
        super().__init__(self.config)
        self.neck = nn.BatchNorm1d(self.trunk.channels)
        self.source_norms = DomainNorms(self.trunk)
        self.source_neck = nn.BatchNorm1d(self.trunk.channels)
        length = self.config.length
        self.projection = nn.Linear(self.trunk.channels, length) if length else nn.Identity()
        self.embedding_length = length or self.trunk.channels
        self._memory: Mapping[str, Tensor] = {}
        self._groups = 0

    def weights_loaded(self, fresh: Collection[str]) -> None:
        """The source's normalisations start as the target's do, unless they were given."""
        if any(name.startswith("source_norms.") for name in fresh):
            self.source_norms.copy_from(self.trunk)
            self.source_neck.load_state_dict(self.neck.state_dict())

    def start_epoch(self, classes: int, memory: Mapping[str, Tensor]) -> None:
        """Take the memory of an epoch.

        Args:
            classes: groups: people of the source, clusters, and pictures that are in none.
            memory: ``entries`` float [e, length], of length 1: people of the source, then target pictures; the
                ``group`` of each, int64 [e]; ``sources``, the number of source people.
        """
        self._memory, self._groups = memory, classes

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Terms ``target``, ``source`` where there is one, and ``total``; ``labels``: entry in memory, int64 [n]."""
        entries, group = self._memory["entries"], self._memory["group"]
        source = labels < self._memory["sources"]
        centroids = group_means(entries, group, self._groups)
        terms: dict[str, Tensor] = {}
        for name, own in (("target", ~source), ("source", source)):
            if not bool(own.any()):
                continue
            vectors = self._embedded(pictures[own], source=name == "source").float()
            terms[name] = _contrast(vectors, centroids, group[labels[own]], self.config.temperature)
            self._follow(entries, vectors.detach(), labels[own])
        return with_total(terms)

    def embed(self, pictures: Tensor) -> Tensor:
        """The embedding, of length 1, float [n, length]."""
        return self._embedded(pictures, source=False)

    def _embedded(self, pictures: Tensor, *, source: bool) -> Tensor:
        maps = self.source_norms(self.trunk, pictures) if source else self.trunk(pictures)
        neck = self.source_neck if source else self.neck
        return functional.normalize(self.projection(neck(self.pooling(maps))))

    @torch.no_grad()
    def _follow(self, entries: Tensor, vectors: Tensor, labels: Tensor) -> None:
        """Move the memory towards the pictures (Eq. 3 and 4)."""
        own, which = torch.unique(labels, return_inverse=True)
        means, keep = group_means(vectors, which, len(own)), self.config.momentum
        entries[own] = functional.normalize(keep * entries[own] + (1 - keep) * means)


def group_means(values: Tensor, groups: Tensor, count: int) -> Tensor:
    """The mean of the values of each of ``count`` groups, none of them empty, float [count, d]."""
    sums = values.new_zeros(count, values.shape[1]).index_add_(0, groups, values)
    return sums / torch.bincount(groups, minlength=count)[:, None]


@in_full_precision
def _contrast(vectors: Tensor, centroids: Tensor, own: Tensor, temperature: float) -> Tensor:
    """The unified contrastive loss (Eq. 1): softmax over source people, clusters and single pictures together."""
    return functional.cross_entropy(vectors @ centroids.T / temperature, own)
