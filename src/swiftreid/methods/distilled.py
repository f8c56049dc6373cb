"""Distillation: a small network that learns to give another encoder's embedding, the teacher's.

No person is named: what a teacher sees in a picture is all there is to learn, so that rendered people serve, whom the
teacher never saw. Many passes over the very pictures that the teacher embedded matter more than anything else (Beyer et
al., 'Knowledge distillation: A good teacher is patient and consistent', CVPR 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.methods.method import Method, NetworkConfig, check_weights, with_total
from swiftreid.nn.losses.feature_distillation import feature_distillation
from swiftreid.nn.losses.similarity_distillation import similarity_distillation


@dataclass(frozen=True)
class DistilledConfig(NetworkConfig):
    """Settings of the method.

    Attributes:
        feature_weight: of the distance to the teacher's embedding of the same picture.
        similarity_weight: of the difference between the batch's similarities (Tung and Mori, 'Similarity-Preserving
            Knowledge Distillation', ICCV 2019), by which pictures are found.
    """

    feature_weight: float = 1.0
    similarity_weight: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(self, "feature_weight", "similarity_weight")
        if self.feature_weight == self.similarity_weight == 0:
            raise UsageError("feature_weight and similarity_weight are both 0: nothing would be learned")


class Distilled(Method):
    """Pooled feature, BN and one FC layer to the teacher's embedding.

    Args:
        length: of the teacher's embedding.
        config: settings.
    """

    config_type = DistilledConfig
    unit = True
    learns_from = "teacher"

    def __init__(self, length: int, config: DistilledConfig | None = None) -> None:
        self.config = config or DistilledConfig()
        super().__init__(self.config)
        self.neck = nn.BatchNorm1d(self.trunk.channels)
        self.projection = nn.Linear(self.trunk.channels, length)
        self.embedding_length = length

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Terms ``feature`` and ``similarity``, and ``total``; ``labels`` are the teacher's embeddings."""
        config = self.config
        student, teacher = self._projected(pictures), functional.normalize(labels.float())
        length = self.embedding_length**0.5  # similarities are divided by the length, as of codes: cosines then
        similarity = similarity_distillation(functional.normalize(student) * length, teacher * length)
        return with_total(
            {
                "feature": config.feature_weight * feature_distillation(student, teacher),
                "similarity": config.similarity_weight * similarity,
            }
        )

    def embed(self, pictures: Tensor) -> Tensor:
        """What stands for the teacher's embedding, of length 1, float [n, d]."""
        return functional.normalize(self._projected(pictures))

    def _projected(self, pictures: Tensor) -> Tensor:
        feature: Tensor = self.projection(self.neck(self.pooling(self.trunk(pictures))))
        return feature
