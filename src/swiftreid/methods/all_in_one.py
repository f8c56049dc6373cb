"""All-in-One (AiO): one pyramid of codes, long ones teaching short ones.

Wang, Gong, Cheng and Hou, 'Faster Person Re-Identification', ECCV 2020, section 3.2. `AllInOne` is the objective alone,
for codes on any feature; `AllInOneMethod` is the whole network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import ClassVar, Literal

from pydantic import ConfigDict
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
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.probability_distillation import probability_distillation, symmetric_divergence
from swiftreid.nn.losses.similarity_distillation import row_similarity_distillation, similarity_distillation
from swiftreid.nn.losses.triplet import batch_hard_triplet
from swiftreid.nn.pyramid import LENGTHS, CodePyramid, check_lengths

RELEASED_LENGTHS = (2048, 1024, 512, 256, 128, 64, 32)


@dataclass(frozen=True)
class AllInOneConfig:
    """Weights of the objective; the defaults are the paper's where it states a value.

    Attributes:
        smoothing: label smoothing of the cross-entropy.
        margin: triplet margin, in distances between codes of unit length (from 0 to 2).
        probability_weight: lambda1, weight of the probability distillation; 0 switches it off.
        similarity_weight: lambda2, weight of the similarity distillation; 0 switches it off.
        temperature: T of the probability distillation.
        variant: ``"paper"``, or ``"released"`` for the distillation of the authors' released code; see `AllInOne`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # a recipe with a misspelt field is refused

    smoothing: float = 0.1
    margin: float = 0.3
    probability_weight: float = 1.0
    similarity_weight: float = 1000.0
    temperature: float = 1.0
    variant: Literal["paper", "released"] = "paper"

    def __post_init__(self) -> None:
        check_smoothing(self.smoothing)
        if not 0 < self.temperature < inf:
            raise UsageError(f"temperature must be above 0, got {self.temperature}")
        check_weights(self, "margin", "probability_weight", "similarity_weight")
        if self.variant not in ("paper", "released"):
            raise UsageError(f"variant must be 'paper' or 'released', got {self.variant!r}")


class AllInOne(nn.Module):
    """The objective ``L = L_ce + L_tri + lambda1 L_pro + lambda2 L_sim`` (Eq. 5) with its classifiers.

    ``L_ce`` and ``L_tri`` are summed over the lengths. In the paper each length teaches the next shorter one, and the
    distillations are averaged over these N - 1 pairs (Eq. 3 and 4). In the released code the longest length teaches all
    others, the distillations are summed over them, and have other forms (`symmetric_divergence`,
    `row_similarity_distillation`).

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
        self.classifiers = nn.ModuleList(make_classifier(length, persons) for length in lengths)

    def forward(self, codes: Sequence[Tensor], persons: Tensor) -> dict[str, Tensor]:
        """The terms of the objective, each already weighted, and their sum as ``"total"``.

        Args:
            codes: relaxed codes float [n, length], longest first (`CodePyramid.codes`).
            persons: int64 [n], class of each row, from 0.

        Returns:
            Scalars ``cross_entropy``, ``triplet``, ``probability``, ``similarity`` and ``total``.
        """
        config = self.config
        lambda1, lambda2 = config.probability_weight, config.similarity_weight
        logits = [classifier(b_k) for classifier, b_k in zip(self.classifiers, codes, strict=True)]
        units = [b_k / b_k.shape[1] ** 0.5 for b_k in codes]
        zero = codes[0].new_zeros(())
        distillations = _paper if config.variant == "paper" else _released
        L_pro, L_sim = distillations(codes, logits, config.temperature)
        L_ce = sum((cross_entropy(z_k, persons, smoothing=config.smoothing) for z_k in logits), zero)
        L_tri = sum((batch_hard_triplet(b_k, persons, margin=config.margin) for b_k in units), zero)
        return with_total(  # Eq. 5
            {
                "cross_entropy": L_ce,
                "triplet": L_tri,
                "probability": lambda1 * (L_pro + zero),
                "similarity": lambda2 * (L_sim + zero),
            }
        )


def _paper(codes: Sequence[Tensor], logits: Sequence[Tensor], temperature: float) -> tuple[Tensor, Tensor]:
    """Each length teaches the next: probability and similarity distillation, means over the pairs (Eq. 3 and 4)."""
    zero, pairs = codes[0].new_zeros(()), max(1, len(codes) - 1)
    L_pro = (probability_distillation(short, long, temperature=temperature) for long, short in pairwise(logits))
    L_sim = (similarity_distillation(short, long) for long, short in pairwise(codes))
    return sum(L_pro, zero) / pairs, sum(L_sim, zero) / pairs  # Eq. 3 and 4


def _released(codes: Sequence[Tensor], logits: Sequence[Tensor], temperature: float) -> tuple[Tensor, Tensor]:
    """The longest teaches all others: the released code's forms of both, sums over the others."""
    zero = codes[0].new_zeros(())
    L_pro = (symmetric_divergence(short, logits[0], temperature=temperature) for short in logits[1:])
    L_sim = (row_similarity_distillation(short, codes[0]) for short in codes[1:])
    return sum(L_pro, zero), sum(L_sim, zero)


@dataclass(frozen=True)
class AllInOneMethodConfig(AllInOneConfig, NetworkConfig):
    """Settings of the method: those of the network, those of the objective, and how codes are made.

    Attributes:
        lengths: code lengths in bits, longest first; None takes the variant's, 2048, 512, 128 and 32 in the paper and
            2048, 1024, ... 32 in the released code.
        pyramid: whether each length is made from the one before (Eq. 1). Without, each has an FC layer of its own on
            the pooled feature (for Table 5; the paper trains a network for each length there).
        dropout: share of the pooled feature's values dropped in training, before the codes; the paper has none.
        norm_bias: whether the bias of the codes' BN is learned; in the authors' code it is not.
    """

    lengths: tuple[int, ...] | None = None
    pyramid: bool = True
    dropout: float = 0.0
    norm_bias: bool = False

    def __post_init__(self) -> None:
        AllInOneConfig.__post_init__(self)
        NetworkConfig.__post_init__(self)
        if self.lengths is not None:
            check_lengths(self.lengths)
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout must be from 0 to below 1, got {self.dropout}")

    @property
    def code_lengths(self) -> tuple[int, ...]:
        """The lengths that are learned, longest first."""
        return self.lengths or (LENGTHS if self.variant == "paper" else RELEASED_LENGTHS)


class AllInOneMethod(Method):
    """Trunk, pooled feature v_0, pyramid of codes, objective (Fig. 2 and Eq. 5).

    Retrieval by codes takes the pyramid on v_0; by a float embedding, v_0 itself.

    ``variant="released"`` follows the authors' released code where it differs from the paper: seven lengths, gradients
    that stop between them, the longest as the only teacher of all, other forms of distillation. **Decision**: there the
    trunk learns from a further BN and classifier on v_0, which by a mistake in a name share the BN of the longest code;
    here the longest code, whose gradient reaches the trunk, does that work, and every length has its own BN.

    Args:
        persons: number of training persons.
        config: settings.
    """

    config_type = AllInOneMethodConfig
    unit = False

    def __init__(self, persons: int, config: AllInOneMethodConfig | None = None) -> None:
        self.config = config or AllInOneMethodConfig()
        super().__init__(self.config)
        lengths = self.config.code_lengths
        self.pyramid = CodePyramid(
            self.trunk.channels,
            lengths,
            dropout=self.config.dropout,
            chained=self.config.pyramid,
            detach=self.config.variant == "released",
            norm_bias=self.config.norm_bias,
        )
        self.objective = AllInOne(lengths, persons, self.config)

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Terms of `AllInOne`; see `Method.loss`."""
        assert isinstance(self.pyramid, CodePyramid)
        terms: dict[str, Tensor] = self.objective(self.pyramid.codes(self.embed(pictures)), labels)
        return terms

    def embed(self, pictures: Tensor) -> Tensor:
        """The pooled feature v_0, float [n, channels]."""
        feature: Tensor = self.pooling(self.trunk(pictures))
        return feature
