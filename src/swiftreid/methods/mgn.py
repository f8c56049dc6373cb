"""The multiple granularity network (MGN): a person whole, in two parts and in three, each in a branch of its own.

Wang, Yuan, Chen, Li and Zhou, 'Learning Discriminative Features with Multiple Granularities for Person
Re-Identification', ACM MM 2018. With a relaxation it learns a code: the hashing MGN of the SSR paper (Table 5).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.methods.method import (
    Method,
    NetworkConfig,
    check_smoothing,
    check_weights,
    make_classifier,
    trunk_of,
    with_total,
)
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.triplet import batch_hard_triplet
from swiftreid.nn.pooling import Pooling
from swiftreid.nn.pyramid import Signs, check_length
from swiftreid.nn.reduction import Reduction, activated, check_squashing
from swiftreid.nn.relaxation import Squashing
from swiftreid.nn.stripes import stripes
from swiftreid.nn.trunks import Trunk

PARTS = (0, 2, 3)
"""Stripes of each branch, beside the whole; the first is the global branch."""


@dataclass(frozen=True)
class MgnConfig(NetworkConfig):
    """Settings of the method; the defaults are the paper's where it states a value.

    Attributes:
        last_stride: of the two branches with parts; the global branch's is 2.
        pooling: of whole maps and stripes.
        length: numbers of each of the eight vectors.
        relaxation: ``none``, or for a code ``sigmoid``, ``hardsigmoid``, ``tanh`` or ``hardtanh``.
        smoothing: label smoothing of the cross-entropy; the paper has none.
        margin: of the triplet loss, in Euclidean distances between reduced vectors.
    """

    pooling: Pooling = "max"
    length: int = 256
    relaxation: Squashing = "none"
    smoothing: float = 0.0
    margin: float = 1.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_length("length", self.length)
        check_squashing(self.relaxation)
        check_smoothing(self.smoothing)
        check_weights(self, "margin")


class _Head(nn.Module):
    """Behind the map of one branch: the whole and, where there is more than one, its stripes."""

    def __init__(self, channels: int, parts: int, persons: int, config: MgnConfig) -> None:
        super().__init__()
        self.parts = parts
        self.whole_classifier = make_classifier(channels, persons)
        self.reductions = nn.ModuleList(Reduction(channels, config.length) for _ in range(1 + parts))
        self.classifiers = nn.ModuleList(make_classifier(config.length, persons) for _ in range(parts))

    def forward(self, value: Tensor, pooling: nn.Module) -> tuple[Tensor, list[Tensor]]:
        """The pooled whole, float [n, channels], and the reduced vectors, [n, length] each, the whole first."""
        pooled = [pooling(part) for part in (value, *stripes(value, self.parts))]
        return pooled[0], [reduction(vector) for reduction, vector in zip(self.reductions, pooled, strict=True)]


class Mgn(Method):
    """``L = mean of 8 cross-entropies + mean of 3 triplet losses`` (section 3.3), retrieval by 8 reduced vectors.

    Stem to the first block of layer 3 are shared; the rest exists three times. Globals are classified before they are
    reduced, stripes after; the triplet losses are of the reduced globals. The branch of two parts has the trunk's own
    layers, the others start as copies of them.

    **Decision**: losses of a kind are averaged: the paper does not say how they are added up. With a relaxation, the
    function takes the place of the ReLU behind each reduction, and the code is the signs of what goes into it; globals
    are classified as they are, before.

    Args:
        persons: number of training persons.
        config: settings.

    Raises:
        UsageError: the trunk has no layers of residual blocks.
    """

    config_type = MgnConfig
    trunk_parts = ("trunk.", "tails.")

    def __init__(self, persons: int, config: MgnConfig | None = None) -> None:
        self.config = config or MgnConfig()
        super().__init__(self.config)
        self.embedding_length = sum(1 + parts for parts in PARTS) * self.config.length
        self.unit = self.config.relaxation == "none"
        self.pyramid = None if self.unit else Signs(self.embedding_length)
        own = self._tail(self.trunk)  # first: it refuses what is no ResNet
        strided = trunk_of(self.config, last_stride=2)
        self.tails = nn.ModuleList((nn.Sequential(*self._tail(strided)), nn.Sequential(*copy.deepcopy(own))))
        self._copy_tails()
        self.heads = nn.ModuleList(_Head(self.trunk.channels, parts, persons, self.config) for parts in PARTS)

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Terms ``cross_entropy`` and ``triplet``, and ``total``; see `Method.loss`."""
        config = self.config
        logits, wholes = [], []
        for head, (pooled, reduced) in zip(self.heads, self._vectors(pictures), strict=True):
            assert isinstance(head, _Head)
            values = [activated(vector, config.relaxation) for vector in reduced]
            wholes.append(values[0])
            logits.append(head.whole_classifier(pooled))
            logits += [classifier(vector) for classifier, vector in zip(head.classifiers, values[1:], strict=True)]
        return with_total(
            {
                "cross_entropy": _mean([cross_entropy(z, labels, smoothing=config.smoothing) for z in logits]),
                "triplet": _mean([batch_hard_triplet(vector, labels, margin=config.margin) for vector in wholes]),
            }
        )

    def embed(self, pictures: Tensor) -> Tensor:
        """The eight vectors together, float [n, 8 * length]; each branch's whole, then its stripes, top first."""
        together = torch.cat([vector for _, reduced in self._vectors(pictures) for vector in reduced], dim=1)
        return torch.relu(together) if self.pyramid is None else together

    def weights_loaded(self, fresh: Collection[str]) -> None:
        """The branches start with the trunk's weights, unless they were given their own."""
        if any(name.startswith("tails.") for name in fresh):
            self._copy_tails()

    def _vectors(self, pictures: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Of each branch, what `_Head` gives."""
        shared = pictures
        for step in self.trunk.steps()[:2]:
            shared = step(shared)
        shared = self._layers(self.trunk)[0](shared)
        whole, three = self.tails
        two = shared
        for block in self._tail(self.trunk):
            two = block(two)
        maps = (whole(shared), two, three(shared))
        return [head(value, self.pooling) for head, value in zip(self.heads, maps, strict=True)]

    def _layers(self, trunk: Trunk) -> list[nn.Module]:
        """The blocks of layers 3 and 4."""
        layers = [getattr(trunk, name, None) for name in ("layer3", "layer4")]
        if not all(isinstance(layer, nn.Sequential) for layer in layers):
            raise UsageError(f"trunk {self.config.trunk} has no layers of residual blocks to branch: take a ResNet")
        return [block for layer in layers if layer is not None for block in layer]

    def _tail(self, trunk: Trunk) -> list[nn.Module]:
        """What each branch has of its own: all but the first of these blocks."""
        return self._layers(trunk)[1:]

    def _copy_tails(self) -> None:
        for tail in self.tails:
            assert isinstance(tail, nn.Sequential)
            for copied, block in zip(tail, self._tail(self.trunk), strict=True):
                copied.load_state_dict(block.state_dict())


def _mean(losses: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(losses)).mean()
