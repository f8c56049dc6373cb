"""All-in-One (AiO): one pyramid of codes, long ones teaching short ones.

Wang, Gong, Cheng and Hou, 'Faster Person Re-Identification', ECCV 2020, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import ClassVar

import torch
from pydantic import ConfigDict
from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.methods.method import Method, NetworkConfig
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.probability_distillation import probability_distillation
from swiftreid.nn.losses.similarity_distillation import similarity_distillation
from swiftreid.nn.losses.triplet import batch_hard_triplet
from swiftreid.nn.pyramid import LENGTHS, CodePyramid, check_lengths


@dataclass(frozen=True)
class AllInOneConfig:
    """Weights of the objective; the defaults are the paper's.

    Attributes:
        smoothing: label smoothing of the cross-entropy.
        margin: triplet margin, in distances between codes of unit length (from 0 to 2).
        probability_weight: lambda1, weight of the probability distillation.
        similarity_weight: lambda2, weight of the similarity distillation.
        temperature: T of the probability distillation.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # a recipe with a misspelt field is refused

    smoothing: float = 0.1
    margin: float = 0.3
    probability_weight: float = 1.0
    similarity_weight: float = 1000.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing <= 1:
            raise UsageError(f"smoothing must be from 0 to 1, got {self.smoothing}")
        if not 0 < self.temperature < inf:
            raise UsageError(f"temperature must be above 0, got {self.temperature}")
        for name in ("margin", "probability_weight", "similarity_weight"):
            if not 0 <= getattr(self, name) < inf:
                raise UsageError(f"{name} must be 0 or more, got {getattr(self, name)}")


class AllInOne(nn.Module):
    """The objective ``L = L_ce + L_tri + lambda1 L_prob + lambda2 L_sim`` (Eq. 5) with its classifiers.

    **Decision**: the triplet compares codes divided by the root of their length. The paper does not say; raw distances
    of 2048-bit codes reach 90, against which its margin of 0.3 would be nothing.

    Args:
        lengths: code lengths in bits, longest first, as in `CodePyramid`.
        persons: number of training persons.
        config: weights.
    """

    def __init__(self, lengths: Sequence[int], persons: int, config: AllInOneConfig | None = None) -> None:
        super().__init__()
        self.config = config or AllInOneConfig()
        self.classifiers = nn.ModuleList(nn.Linear(length, persons, bias=False) for length in lengths)
        for classifier in self.classifiers:
            assert isinstance(classifier, nn.Linear)
            nn.init.normal_(classifier.weight, std=0.001)

    def forward(self, codes: Sequence[Tensor], persons: Tensor) -> dict[str, Tensor]:
        """The terms of the objective, each already weighted, and their sum as ``"total"``.

        Args:
            codes: relaxed codes float [n, length], longest first (`CodePyramid.codes`).
            persons: int64 [n], class of each row, from 0.

        Returns:
            Scalars ``cross_entropy``, ``triplet``, ``probability``, ``similarity`` and ``total``.
        """
        config = self.config
        logits = [classifier(code) for classifier, code in zip(self.classifiers, codes, strict=True)]
        units = [code / code.shape[1] ** 0.5 for code in codes]
        steps = max(1, len(codes) - 1)
        zero = codes[0].new_zeros(())
        terms = {
            "cross_entropy": sum((cross_entropy(z, persons, smoothing=config.smoothing) for z in logits), zero),
            "triplet": sum((batch_hard_triplet(b, persons, margin=config.margin) for b in units), zero),
            "probability": sum(
                (
                    probability_distillation(short, long, temperature=config.temperature)
                    for long, short in pairwise(logits)
                ),
                zero,
            )
            * (config.probability_weight / steps),
            "similarity": sum((similarity_distillation(short, long) for long, short in pairwise(codes)), zero)
            * (config.similarity_weight / steps),
        }
        terms["total"] = torch.stack(list(terms.values())).sum()
        return terms


@dataclass(frozen=True)
class AllInOneMethodConfig(AllInOneConfig, NetworkConfig):
    """Settings of the method: those of the network, those of the objective, and the code lengths.

    Attributes:
        lengths: code lengths in bits, longest first.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    lengths: tuple[int, ...] = LENGTHS

    def __post_init__(self) -> None:
        AllInOneConfig.__post_init__(self)
        NetworkConfig.__post_init__(self)
        check_lengths(self.lengths)


class AllInOneMethod(Method):
    """Trunk, pooled feature v_0, pyramid of codes, objective (Fig. 2 and Eq. 5).

    Retrieval by a float embedding takes v_0; by codes, the pyramid on it.

    Args:
        persons: number of training persons.
        config: settings.
    """

    unit = False

    def __init__(self, persons: int, config: AllInOneMethodConfig | None = None) -> None:
        self.config = config or AllInOneMethodConfig()
        super().__init__(self.config)
        self.pyramid = CodePyramid(self.trunk.channels, self.config.lengths)
        self.objective = AllInOne(self.config.lengths, persons, self.config)

    def loss(self, pictures: Tensor, persons: Tensor) -> dict[str, Tensor]:
        """Terms of `AllInOne`; see `Method.loss`."""
        assert self.pyramid is not None
        terms: dict[str, Tensor] = self.objective(self.pyramid.codes(self.embed(pictures)), persons)
        return terms

    def embed(self, pictures: Tensor) -> Tensor:
        """The pooled feature v_0, float [n, channels]."""
        feature: Tensor = self.pooling(self.trunk(pictures))
        return feature
