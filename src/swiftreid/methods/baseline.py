"""The bag-of-tricks baseline.

Luo, Gu, Liao, Lai and Jiang, 'Bag of Tricks and a Strong Baseline for Deep Person Re-Identification', CVPR Workshops
2019: pooled feature, BN neck, triplet loss before the neck, cross-entropy with label smoothing behind it.

AGW (Ye, Shen, Lin, Xiang, Shao and Hoi, 'Deep Learning for Person Re-identification: A Survey and Outlook', TPAMI 2021)
is the same with ``non_local``, ``pooling: gem`` and ``triplet: weighted``.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from swiftreid.methods.method import (
    Method,
    NetworkConfig,
    Triplet,
    check_smoothing,
    check_triplet,
    check_weights,
    make_classifier,
    triplet_loss,
    with_total,
)
from swiftreid.nn.losses.centre import CentreLoss
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.neck import BatchNormNeck


@dataclass(frozen=True)
class BaselineConfig(NetworkConfig):
    """Settings of the baseline; the defaults are the paper's where it states a value.

    Attributes:
        smoothing: label smoothing of the cross-entropy.
        triplet: ``hard``, or ``weighted`` for AGW.
        margin: of the hard triplet loss, in Euclidean distances between pooled features.
        centre_weight: beta, of the centre loss on the pooled feature (section 3.6). The paper ends with 0.0005; the
            baseline that later papers compare with has none, nor has this one unless asked.
    """

    smoothing: float = 0.1
    triplet: Triplet = "hard"
    margin: float = 0.3
    centre_weight: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_smoothing(self.smoothing)
        check_triplet(self.triplet)
        check_weights(self, "margin", "centre_weight")


class Baseline(Method):
    """``L = L_id + L_triplet (+ beta L_centre)``, retrieval by what the neck gives (sections 3.5 and 3.6).

    Args:
        persons: number of training persons.
        config: settings.
    """

    config_type = BaselineConfig
    unit = True

    def __init__(self, persons: int, config: BaselineConfig | None = None) -> None:
        self.config = config or BaselineConfig()
        super().__init__(self.config)
        self.neck = BatchNormNeck(self.trunk.channels)
        self.classifier = make_classifier(self.trunk.channels, persons)
        self.centres = CentreLoss(persons, self.trunk.channels) if self.config.centre_weight else None

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Terms ``cross_entropy``, ``triplet`` and, if asked for, ``centre``, and ``total``; see `Method.loss`."""
        pooled = self.pooling(self.trunk(pictures))
        logits = self.classifier(self.neck(pooled))
        terms = {
            "cross_entropy": cross_entropy(logits, labels, smoothing=self.config.smoothing),
            "triplet": triplet_loss(self.config.triplet, pooled, labels, self.config.margin),
        }
        if self.centres is not None:
            terms["centre"] = self.config.centre_weight * self.centres(pooled, labels)
        return with_total(terms)

    def embed(self, pictures: Tensor) -> Tensor:
        """The feature behind the neck, float [n, channels]."""
        feature: Tensor = self.neck(self.pooling(self.trunk(pictures)))
        return feature
