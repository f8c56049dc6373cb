"""The part-based convolutional baseline (PCB): a classifier of its own for each stripe of a person.

Sun, Zheng, Yang, Tian and Wang, 'Beyond Part Models: Person Retrieval with Refined Part Pooling (and a Strong
Convolutional Baseline)', ECCV 2018, section 3. With a relaxation it learns a code, as SSR's baseline does of PCB.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swiftreid.methods.method import Method, NetworkConfig, check_smoothing, make_classifier, with_total
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.pyramid import Signs, check_length
from swiftreid.nn.reduction import Reduction, activated, check_squashing
from swiftreid.nn.relaxation import Squashing
from swiftreid.nn.stripes import check_parts, stripes


@dataclass(frozen=True)
class PcbConfig(NetworkConfig):
    """Settings of the method; the defaults are the paper's where it states a value.

    Attributes:
        parts: p, horizontal stripes.
        length: numbers of each stripe's vector.
        relaxation: ``none``, or for a code ``sigmoid``, ``hardsigmoid``, ``tanh`` or ``hardtanh``.
        smoothing: label smoothing of the cross-entropy; the paper has none.
    """

    parts: int = 6
    length: int = 256
    relaxation: Squashing = "none"
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_parts(self.parts)
        check_length("length", self.length)
        check_squashing(self.relaxation)
        check_smoothing(self.smoothing)


class Pcb(Method):
    """``L = sum of the stripes' cross-entropies``, retrieval by their reduced vectors together (H of section 3.1).

    **Decision**: of the paper's two descriptors, the reduced one (6 x 256 numbers), because G, before reduction, has
    12,288 for hardly better results. With a relaxation, the function takes the place of the ReLU, and the code is the
    signs of what goes into it.

    Args:
        persons: number of training persons.
        config: settings.
    """

    config_type = PcbConfig

    def __init__(self, persons: int, config: PcbConfig | None = None) -> None:
        self.config = config or PcbConfig()
        super().__init__(self.config)
        parts, length = self.config.parts, self.config.length
        self.embedding_length = parts * length
        self.unit = self.config.relaxation == "none"
        self.pyramid = None if self.unit else Signs(self.embedding_length)
        self.reductions = nn.ModuleList(Reduction(self.trunk.channels, length) for _ in range(parts))
        self.classifiers = nn.ModuleList(make_classifier(length, persons) for _ in range(parts))

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Term ``cross_entropy``, and ``total``; see `Method.loss`."""
        values = [activated(vector, self.config.relaxation) for vector in self._vectors(pictures)]
        logits = [classifier(value) for classifier, value in zip(self.classifiers, values, strict=True)]
        losses = [cross_entropy(z, labels, smoothing=self.config.smoothing) for z in logits]
        return with_total({"cross_entropy": torch.stack(losses).sum()})

    def embed(self, pictures: Tensor) -> Tensor:
        """The stripes' vectors together, top first, float [n, parts * length]; of a code before the relaxation."""
        together = torch.cat(self._vectors(pictures), dim=1)
        return torch.relu(together) if self.pyramid is None else together

    def _vectors(self, pictures: Tensor) -> list[Tensor]:
        pooled = [self.pooling(stripe) for stripe in stripes(self.trunk(pictures), self.config.parts)]
        return [reduction(vector) for reduction, vector in zip(self.reductions, pooled, strict=True)]
