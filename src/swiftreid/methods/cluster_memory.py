"""Cluster memory with camera-aware proxies: learning from clusters of pictures in place of people.

Dai et al., 'Cluster Contrast for unsupervised person re-identification', ACCV 2022: cross-entropy over the cosines to
the clusters' centroids, which follow the pictures with momentum. Wang et al., 'Camera-aware proxies for unsupervised
person re-identification', AAAI 2021: a centroid for every cluster and camera, so that the loss sees what a camera does.
Pairs of proxies that may be one person, though no link was accepted, are no negatives of each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from swiftreid.clustering.self_paced import DensitySettings
from swiftreid.errors import UsageError
from swiftreid.methods.method import Method, NetworkConfig, check_weights, with_total
from swiftreid.nn.trunks.catalogue import trunk_with

MOST: Final = 65_536
_NEVER: Final = float("-inf")


@dataclass(frozen=True)
class ClusterMemoryConfig(NetworkConfig):
    """Settings of the method.

    Attributes:
        length: of the embedding; 0 for the pooled feature behind its BN, without an FC layer.
        temperature: of the softmax over cosines.
        momentum: share of a centroid that stays when a picture of its cluster is seen.
        proxy_weight: of the two losses over proxies, of one cluster and camera each.
        negatives: proxies of other clusters in the loss across cameras, the nearest of all cameras.
        spare_doubtful: whether proxies that may be one person are no negatives of each other.
        clusters: how pictures are clustered: ``two_stage``, within each camera and then between them
            (`swiftreid.clustering.two_stage`), or by ``dbscan`` over all cameras (`swiftreid.clustering.self_paced`).
        eps: of DBSCAN.
    """

    length: int = 256
    temperature: float = 0.05
    momentum: float = 0.2
    proxy_weight: float = 0.5
    negatives: int = 50
    spare_doubtful: bool = True
    clusters: Literal["two_stage", "dbscan"] = "two_stage"
    eps: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(self, "proxy_weight")
        DensitySettings(eps=self.eps, gap=0)  # says what is impossible
        if not (0 <= self.length <= MOST and 1 <= self.negatives <= MOST):
            raise UsageError(
                f"length is from 0 and negatives from 1, to {MOST:,}; got {self.length} and {self.negatives}"
            )
        if self.temperature <= 0 or not 0 <= self.momentum < 1:
            raise UsageError(
                f"temperature is above 0, and momentum from 0 to below 1; got {self.temperature} and {self.momentum}"
            )


class ClusterMemory(Method):
    """Pooled feature, BN and one FC layer to the embedding, as `Distilled` has them and the shipped encoder.

    Args:
        _classes: not needed; clusters change.
        config: settings.
    """

    config_type = ClusterMemoryConfig
    learns_from = "clusters"
    unit = True

    def __init__(self, _classes: int, config: ClusterMemoryConfig | None = None) -> None:
        self.config = config or ClusterMemoryConfig()
        super().__init__(self.config)
        self.neck = nn.BatchNorm1d(self.trunk.channels)
        length = self.config.length
        self.projection = nn.Linear(self.trunk.channels, length) if length else nn.Identity()
        self.embedding_length = length or self.trunk.channels
        self._memory: Mapping[str, Tensor] = {}

    def start_epoch(self, classes: int, memory: Mapping[str, Tensor]) -> None:
        """Take the memory of an epoch.

        Args:
            classes: clusters.
            memory: ``clusters`` float [c, length] and ``proxies`` float [p, length], of length 1; of each proxy
                ``proxy_cluster`` and ``proxy_camera``, int64 [p]; ``doubtful`` int64 [d, 2], pairs of proxies.
        """
        self._memory = memory

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Terms ``cluster``, ``within_camera``, ``across_cameras`` and ``total``; ``labels``: cluster, proxy [n, 2]."""
        config, memory = self.config, self._memory
        vectors = self.embed(pictures).float()
        cluster, proxy = labels[:, 0], labels[:, 1]
        own, camera = memory["proxy_cluster"], memory["proxy_camera"]
        doubtful = self._doubtful(proxy, cluster)
        # Cluster Contrast, Eq. 1. A copy: the memory follows the pictures before the gradient is computed.
        logits = vectors @ memory["clusters"].T.clone() / config.temperature
        spared = torch.zeros_like(logits, dtype=torch.bool)
        spared.index_put_((doubtful[:, 0], own[doubtful[:, 1]]), torch.tensor(True, device=logits.device))
        terms = {"cluster": functional.cross_entropy(logits.masked_fill(spared, _NEVER), cluster)}
        if config.proxy_weight:
            scores = vectors @ memory["proxies"].T.clone() / config.temperature
            elsewhere = camera[None, :] != camera[proxy][:, None]
            within = functional.cross_entropy(scores.masked_fill(elsewhere, _NEVER), proxy)  # CAP, Eq. 4
            same = own[None, :] == cluster[:, None]
            negative = ~same
            negative[doubtful[:, 0], doubtful[:, 1]] = False
            terms["within_camera"] = config.proxy_weight * within
            terms["across_cameras"] = config.proxy_weight * self._across(scores, same & elsewhere, negative)
        self._follow(memory["clusters"], vectors.detach(), cluster)
        self._follow(memory["proxies"], vectors.detach(), proxy)
        return with_total(terms)

    def embed(self, pictures: Tensor) -> Tensor:
        """The embedding, of length 1, float [n, length]."""
        return functional.normalize(self.projection(self.neck(self.pooling(self.trunk(pictures)))))

    def _doubtful(self, proxy: Tensor, cluster: Tensor) -> Tensor:
        """Rows of the batch and proxies that may show the same person as these, int64 [k, 2]."""
        pairs = self._memory["doubtful"]
        if not self.config.spare_doubtful or not len(pairs):
            return pairs.new_zeros((0, 2))
        both = torch.cat([pairs, pairs.flip(1)])
        row, pair = (proxy[:, None] == both[None, :, 0]).nonzero(as_tuple=True)
        other = both[pair, 1]
        apart = self._memory["proxy_cluster"][other] != cluster[row]
        return torch.stack([row[apart], other[apart]], dim=1)

    def _across(self, scores: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Each picture's proxies by other cameras against the nearest proxies of other clusters (CAP, Eq. 5)."""
        has = positive.any(dim=1)
        if not bool(has.any()):
            return scores.sum() * 0
        scores, positive, negative = scores[has], positive[has], negative[has]
        hardest = scores.masked_fill(~negative, _NEVER)
        hardest = hardest.topk(min(self.config.negatives, hardest.shape[1]), dim=1).values
        kept = torch.cat([scores.masked_fill(~positive, _NEVER), hardest], dim=1)
        likelihood = scores - kept.logsumexp(dim=1, keepdim=True)
        return -((likelihood * positive).sum(dim=1) / positive.sum(dim=1)).mean()

    @torch.no_grad()
    def _follow(self, centroids: Tensor, vectors: Tensor, labels: Tensor) -> None:
        """Move the centroids towards the pictures, one after the other (Cluster Contrast, Eq. 2)."""
        keep = self.config.momentum
        for vector, label in zip(vectors, labels.tolist(), strict=True):
            centroids[label] = functional.normalize(keep * centroids[label] + (1 - keep) * vector, dim=0)


def embedding_settings(weights: Mapping[str, Tensor]) -> dict[str, str | int] | None:
    """Settings of a network with these weights, by which `ClusterMemory` gives its embedding; None for other trunks.

    Args:
        weights: as `swiftreid.training.network.initial_weights.read_start` gives them.
    """
    trunk = trunk_with(
        {name.removeprefix("trunk."): tuple(w.shape) for name, w in weights.items() if name.startswith("trunk.")}
    )
    if trunk is None:
        return None
    projection = weights.get("projection.weight")
    return {"trunk": trunk, "length": 0 if projection is None else len(projection)}
