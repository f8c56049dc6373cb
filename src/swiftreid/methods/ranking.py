"""Ranking and classification: one feature behind a BN neck, learned by the Lin loss and a classifier together.

Zhang, 'Ranking and Classification-driven Feature Learning for Person Re-identification', 2019. The paper's trunks are
``resnet34``, ``resnet50``, ``se_resnet50``, ``se_resnext50`` and, the best, ``resnet50_ibn_a`` (Table V).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from torch import Tensor, nn
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.methods.method import (
    Method,
    NetworkConfig,
    check_smoothing,
    check_weights,
    make_classifier,
    with_total,
)
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.lin import FARTHEST, lin_loss
from swiftreid.nn.neck import BatchNormNeck


@dataclass(frozen=True)
class RankingConfig(NetworkConfig):
    """Settings of the method; the defaults are the paper's where it states a value.

    Attributes:
        trunk: the paper's best.
        classification_weight: of the cross-entropy; 0 gives the rows of Table I with the Lin loss alone.
        smoothing: label smoothing of the cross-entropy.
        lin_weight: w, of the Lin loss (Table IV); 0 gives the rows of Table I with the cross-entropy alone.
        radius: r, of the ball that pictures of one person are left alone in (Table III).
        temperature: T, how much more the closest pictures of others weigh (Table II).
        detach_weights: whether these weights are constants in the backward pass; see `lin_loss`.
        neck: whether the feature passes a BN neck; without it, the rows 'before' of Table I.
    """

    trunk: str = "resnet50_ibn_a"
    classification_weight: float = 1.0
    smoothing: float = 0.1
    lin_weight: float = 0.4
    radius: float = 0.7
    temperature: float = 1.0
    detach_weights: bool = True
    neck: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_smoothing(self.smoothing)
        check_weights(self, "classification_weight", "lin_weight")
        if self.classification_weight == self.lin_weight == 0:
            raise UsageError("classification_weight and lin_weight are both 0: nothing would be learned")
        if not 0 <= self.radius < FARTHEST:
            raise UsageError(f"radius must be from 0 to below 2, the largest distance on the sphere, got {self.radius}")
        if not -1 <= self.temperature < inf:
            raise UsageError(f"temperature must be -1 or more, where all negatives weigh the same: {self.temperature}")


class Ranking(Method):
    """``M = Softmax(LS) + w Lin`` on one feature (Eq. 6, Fig. 2), retrieval by that feature.

    **Decision**: the classifier takes the feature as the neck gives it, the Lin loss and retrieval take it divided by
    its norm. The paper says only that the feature 'is normalized modulus is 1'; logits of unit features would be too
    flat to learn from, and the authors' code normalises inside the Lin loss.

    Args:
        persons: number of training persons.
        config: settings.
    """

    config_type = RankingConfig
    unit = True

    def __init__(self, persons: int, config: RankingConfig | None = None) -> None:
        self.config = config or RankingConfig()
        super().__init__(self.config)
        self.neck = BatchNormNeck(self.trunk.channels) if self.config.neck else nn.Identity()
        self.classifier = make_classifier(self.trunk.channels, persons)

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Terms ``cross_entropy`` and ``lin``, and ``total``; see `Method.loss`."""
        config = self.config
        feature = self._feature(pictures)
        softmax = cross_entropy(self.classifier(feature), labels, smoothing=config.smoothing)
        lin = lin_loss(
            feature,
            labels,
            radius=config.radius,
            temperature=config.temperature,
            detach_weights=config.detach_weights,
        )
        weight, w = config.classification_weight, config.lin_weight
        return with_total({"cross_entropy": weight * softmax, "lin": w * lin})  # Eq. 6

    def embed(self, pictures: Tensor) -> Tensor:
        """The feature, divided by its norm, float [n, channels]."""
        return functional.normalize(self._feature(pictures))

    def _feature(self, pictures: Tensor) -> Tensor:
        feature: Tensor = self.neck(self.pooling(self.trunk(pictures)))
        return feature
