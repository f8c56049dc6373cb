"""ABD-Net: attention to channels and places, and diversity of what is attended to.

Chen, Ding, Xie, Yuan, Chen, Yang, Ren and Wang, 'ABD-Net: Attentive but Diverse Person Re-Identification', ICCV 2019.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
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
    with_total,
)
from swiftreid.nn.dual_attention import ChannelAttention, PositionAttention
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.orthogonality import orthogonality
from swiftreid.nn.losses.triplet import batch_hard_triplet
from swiftreid.nn.pyramid import check_length


@dataclass(frozen=True)
class AbdNetConfig(NetworkConfig):
    """Settings of the method; the defaults are the paper's where it states a value.

    Attributes:
        length: numbers of each branch's vector.
        dropout: share of the global vector's values dropped in training.
        smoothing: label smoothing of the cross-entropy.
        margin: of the triplet loss, in Euclidean distances between the branches' vectors.
        triplet_weight: of the triplet loss.
        feature_weight: of the orthogonality of maps; 0 switches it off.
        filter_weight: of the orthogonality of convolutions; 0 switches it off.
    """

    length: int = 1024
    dropout: float = 0.5
    smoothing: float = 0.1
    margin: float = 1.2
    triplet_weight: float = 0.1
    feature_weight: float = 1e-6
    filter_weight: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_length("length", self.length)
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout must be from 0 to below 1, got {self.dropout}")
        check_smoothing(self.smoothing)
        check_weights(self, "margin", "triplet_weight", "feature_weight", "filter_weight")


class AbdNet(Method):
    """``L = L_xent + beta_tr L_tri + beta_OF L_OF + beta_OW L_OW``, retrieval by the vectors of both branches.

    Stem to layer 3 are shared, with a channel attention behind layer 1. The global branch pools the trunk's own layer 4
    and reduces the vector; the attentive branch has a copy of layer 4, reduces the map, and attends to it by channels
    and by places. ``L_OF`` is the orthogonality of four maps: behind the first attention, of the reduced map, and
    behind each of its attentions. ``L_OW`` is that of all convolutions of the trunk and of the copied layer.

    **Decision**: the reduced map and its two refined ones are added, which keeps the vector at 1024 numbers and the
    embedding at the 2048 that the SSR paper states; the attentive branch has no parts and no further convolutions about
    its attentions, which only the authors' code has. Cross-entropies and triplet losses are summed over the branches,
    ``L_OF`` over the maps, ``L_OW`` over the layers. ``L_OF`` counts from the start; that code starts it at epoch 23.

    Args:
        persons: number of training persons.
        config: settings.

    Raises:
        UsageError: the trunk's last layer cannot be doubled.
    """

    config_type = AbdNetConfig
    unit = True
    trunk_parts = ("trunk.", "doubled.")

    def __init__(self, persons: int, config: AbdNetConfig | None = None) -> None:
        self.config = config or AbdNetConfig()
        super().__init__(self.config)
        channels, length = self.trunk.channels, self.config.length
        self.embedding_length = 2 * length
        self.early = ChannelAttention()
        self.reduction = nn.Sequential(
            nn.Linear(channels, length), nn.BatchNorm1d(length), nn.ReLU(), nn.Dropout(self.config.dropout)
        )
        self.doubled = copy.deepcopy(self._last())
        self.map_reduction = nn.Sequential(
            nn.Conv2d(channels, length, 1, bias=False), nn.BatchNorm2d(length), nn.ReLU()
        )
        self.channels, self.places = ChannelAttention(), PositionAttention(length)
        self.classifiers = nn.ModuleList(make_classifier(length, persons) for _ in range(2))

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Terms ``cross_entropy``, ``triplet``, ``features`` and ``filters``, and ``total``; see `Method.loss`."""
        config = self.config
        vectors, maps = self._branches(pictures)
        logits = [classifier(vector) for classifier, vector in zip(self.classifiers, vectors, strict=True)]
        terms = {
            "cross_entropy": _sum([cross_entropy(z, labels, smoothing=config.smoothing) for z in logits]),
            "triplet": config.triplet_weight
            * _sum([batch_hard_triplet(vector, labels, margin=config.margin) for vector in vectors]),
        }
        if config.feature_weight:
            terms["features"] = config.feature_weight * _sum([orthogonality(value.flatten(2)) for value in maps])
        if config.filter_weight:
            layers = [*self.trunk.modules(), *self.doubled.modules()]
            filters = [layer.weight.flatten(1) for layer in layers if isinstance(layer, nn.Conv2d)]
            terms["filters"] = config.filter_weight * _sum([orthogonality(rows) for rows in filters])
        return with_total(terms)

    def embed(self, pictures: Tensor) -> Tensor:
        """The vectors of the global and of the attentive branch together, float [n, 2 * length]."""
        return torch.cat(self._branches(pictures)[0], dim=1)

    def weights_loaded(self, fresh: Collection[str]) -> None:
        """The attentive branch's layer starts with the trunk's weights, unless it was given its own."""
        if any(name.startswith("doubled.") for name in fresh):
            self.doubled.load_state_dict(self._last().state_dict())

    def _branches(self, pictures: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The vectors of both branches, [n, length] each, and the maps that are to be diverse, [n, c, h, w]."""
        first, *between, last = self.trunk.steps()
        early = value = self.early(first(pictures))
        for step in between:
            value = step(value)
        whole = self.reduction(self.pooling(last(value)))
        reduced = self.map_reduction(self.doubled(value))
        by_channel, by_place = self.channels(reduced), self.places(reduced)
        attentive = self.pooling(reduced + by_channel + by_place)
        return [whole, attentive], [early, reduced, by_channel, by_place]

    def _last(self) -> nn.Module:
        last = self.trunk.steps()[-1]
        if not isinstance(last, nn.Module) or len(self.trunk.steps()) < 2:
            raise UsageError(f"trunk {self.config.trunk} has no last layer that can be doubled: take a ResNet")
        return last


def _sum(losses: list[Tensor]) -> Tensor:
    return torch.stack(losses).sum()
