"""Self-similarity (U-SSL): a person learned without labels, from pairs whose gradients agree, parts and aligned pairs.

Wu, Liu, Zhang, Chen, Ge, Boussaid, Bennamoun and Shen, 'Pseudo-Pair Based Self-Similarity Learning for Unsupervised
Person Re-Identification', TIP 2022. Its targets are `swiftreid.training.targets.pseudo_pairs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.methods.method import Method, NetworkConfig, check_weights, with_total
from swiftreid.nn.alignment import AlignedPairs
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.gradient_similarity import (
    Separation,
    check_separation,
    gradient_distances,
    gradient_factors,
    gradient_separation,
    gradient_similarity,
    mean_of,
    surrogate_entropy,
)
from swiftreid.nn.losses.similarity_distillation import similarity_distillation
from swiftreid.nn.losses.triplet import batch_hard_triplet
from swiftreid.nn.neck import BatchNormNeck
from swiftreid.nn.part_attention import PartAdversary, PartLearners, PartsLearnBy, check_part_count
from swiftreid.nn.pyramid import CodePyramid, check_length, check_lengths

Surrogates = Literal["patches", "features"]
"""Surrogate classes of patches, as in the paper, or of the network's features."""

Centring = Literal["none", "all", "cameras"]
"""What is taken from features before pairs are looked for: nothing, their mean, or the mean of each camera's."""

_RANGES = (
    ("surrogate_classes", 2, 65_536),
    ("transforms", 1, 4_096),
    ("separation_epochs", 0, 65_536),
    ("restart_every", 1, 65_536),
)

LABEL, VIEW, ROW, CLASSES = 0, 1, 2, 3
"""Columns of the labels: pseudo label or -1; two pictures of one view are never a pair; picture; surrogate classes."""


@dataclass(frozen=True)
class SelfSimilarityConfig(NetworkConfig):
    """Settings of the method and of its targets; the defaults are the paper's where it states a value.

    Attributes:
        length: of the feature.
        dense: whether the feature is made of the pooled maps of all stages of the trunk; the paper's ``*``.
        surrogates: what surrogate classes are of: ``patches``, or ``features``, which the paper has not.
        surrogate_classes: how many of them; at most as many as there are patches or pictures.
        transforms: K, changed copies of each patch.
        centring: of features, for pairs and for the vectors of classes: ``none``, ``all`` or ``cameras``.
        separation: L_GS: ``formula`` (Eq. 4), ``slope`` (the derivative in Fig. 7) or ``distance`` (``|g_s - g_t|^2``
            of pseudo pairs, section IV-B).
        separation_weight: epsilon, of L_GS (Table V).
        slope: alpha.
        threshold: delta, above which two pictures are a pair.
        separation_epochs: epochs of the first stage, with L_C and L_GS alone.
        parts: J.
        parts_by: ``adversary``, or ``average`` for Fig. 8.
        part_norm_weight: of ``sum_j |SA_j|^2`` (section IV-B); 0 for none.
        adversarial_weight: lambda1, of L_Adv; 0 for none.
        proximal_weight: beta, of the proximal term within L_Adv (Eq. 8).
        alignment_weight: lambda2, of L_S; 0 for none.
        alignment_non_local: whether the offset estimator has non-local blocks (Table VII).
        alignment_channels: of the maps that are aligned.
        restart_every: N, batches after which the classifier of L_S starts again.
        lengths: code lengths in bits, longest first; None learns no codes, as the paper.
        code_similarity_weight: of the similarity distillation of codes.
    """

    length: int = 512
    dense: bool = False
    surrogates: Surrogates = "patches"
    surrogate_classes: int = 8000
    transforms: int = 64
    centring: Centring = "all"
    separation: Separation = "formula"
    separation_weight: float = 1.0
    slope: float = 2.0
    threshold: float = 0.25
    separation_epochs: int = 40
    parts: int = 4
    parts_by: PartsLearnBy = "adversary"
    part_norm_weight: float = 0.0
    adversarial_weight: float = 0.015
    proximal_weight: float = 1.0
    alignment_weight: float = 2.5
    alignment_non_local: bool = True
    alignment_channels: int = 128
    restart_every: int = 2000
    lengths: tuple[int, ...] | None = None
    code_similarity_weight: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_length("length", self.length)
        check_length("alignment_channels", self.alignment_channels)
        check_separation(self.separation)
        check_part_count(self.parts)
        for name, known in (("surrogates", Surrogates), ("centring", Centring), ("parts_by", PartsLearnBy)):
            if getattr(self, name) not in get_args(known):
                raise UsageError(f"{name} must be one of {', '.join(get_args(known))}, got {getattr(self, name)!r}")
        for name, least, most in _RANGES:
            if not least <= getattr(self, name) <= most:
                raise UsageError(f"{name} must be from {least} to {most:,}, got {getattr(self, name):,}")
        check_weights(
            self,
            *("separation_weight", "part_norm_weight", "adversarial_weight", "proximal_weight"),
            *("alignment_weight", "code_similarity_weight"),
        )
        if not 0 < self.slope < inf:
            raise UsageError(f"slope must be above 0, got {self.slope}")
        if not 0 < self.threshold < 1:
            raise UsageError(f"threshold must be above 0 and below 1, got {self.threshold}")
        if self.lengths is not None:
            check_lengths(self.lengths)

    @property
    def adversarial(self) -> bool:
        """Whether there is an adversary."""
        return self.parts_by == "adversary" and self.adversarial_weight > 0


class SelfSimilarity(Method):
    """``L = L_C + epsilon L_GS + lambda1 L_Adv + lambda2 L_S`` (Eq. 12), retrieval by one feature.

    The feature x is made of the trunk's pooled map and of the J parts. L_C classifies it among surrogate classes, L_GS
    separates pairs by their gradients (`swiftreid.nn.losses.gradient_similarity`), L_Adv keeps parts different
    (`swiftreid.nn.part_attention`), and L_S classifies aligned pairs of pictures by their pseudo label
    (`swiftreid.nn.alignment`). A run begins with L_C and L_GS alone.

    **Decisions**: x is one linear layer on the pooled map (``dense``: of every stage) beside the parts, a BN neck, and
    division by the norm: the paper says that the feature has 512 numbers, and not how maps and parts come to them. W
    starts as the identity, F as the cosine. L_S is printed with a minus, as a logarithm without one; it is the
    cross-entropy. A pair of L_S is two pictures of one pseudo label by different cameras, in both orders, on the maps
    as the attention modules see them. What else is decided stands in docs/networks.md.

    With ``lengths`` it learns codes, which the paper does not: the pyramid of All-in-One on x, the longest code taught
    by the similarities of x and each shorter one by the longer (`similarity_distillation`), and a triplet loss on
    pseudo labels for each. No gradient of codes reaches x, so that the feature is the paper's.

    Args:
        labels: pseudo labels that there may be.
        config: settings.
    """

    config_type = SelfSimilarityConfig
    learns_from = "pseudo_pairs"
    unit = True

    epoch: Tensor
    aligned: Tensor

    def __init__(self, labels: int, config: SelfSimilarityConfig | None = None) -> None:
        self.config = config = config or SelfSimilarityConfig()
        super().__init__(config)
        channels, self.labels = self.trunk.channels, labels
        part = max(1, config.length // config.parts)
        self.parts = PartLearners(channels, parts=config.parts, length=part, by=config.parts_by)
        pooled = sum(self.trunk.stage_channels) if config.dense else channels
        self.projection = nn.Linear(pooled + config.parts * part, config.length, bias=False)
        self.neck = BatchNormNeck(config.length)
        self.embedding_length = config.length
        self.similarity = nn.Parameter(torch.eye(config.length))  # W of Eq. 2
        self.adversary = PartAdversary(part) if config.adversarial else None
        self.alignment = None
        if config.alignment_weight:
            self.alignment = AlignedPairs(
                channels, labels, inside=config.alignment_channels, non_local=config.alignment_non_local
            )
        self.pyramid = None if config.lengths is None else CodePyramid(config.length, config.lengths)
        self.register_buffer("epoch", torch.tensor(-1))  # of which the parts' prior is
        self.register_buffer("aligned", torch.tensor(0))  # batches that L_S has seen
        self._centres = torch.empty(0, config.length)
        self._first_stage = False

    def starts_from(self, name: str) -> bool:
        """All but the counts of the run that they are from."""
        return name not in ("epoch", "aligned")

    def start_epoch(self, classes: int, memory: Mapping[str, Tensor]) -> None:
        """Take the vectors of the surrogate classes; the stage and the parts' prior follow from the epoch."""
        self._centres = memory["centres"]
        epoch = memory["epoch"]
        self._first_stage = int(epoch) < self.config.separation_epochs
        if int(epoch) != int(self.epoch):  # not where a run resumes within it
            self.parts.keep_prior()
            self.epoch.copy_(epoch)

    def weights_for_targets(self) -> Mapping[str, Tensor]:
        """W, as ``"similarity"``."""
        return {"similarity": self.similarity}

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """The terms of the stage, and ``total``; see `Method.loss`.

        Args:
            pictures: as for `Method.loss`.
            labels: int64 [n, 3 + m]: `LABEL`, `VIEW`, `ROW`, and m surrogate classes from `CLASSES` on.
            attributes: not needed.

        Raises:
            UsageError: `start_epoch` was not called, so there are no vectors of classes.
        """
        if not len(self._centres):
            raise UsageError("there are no surrogate classes: call start_epoch with their centres before the loss")
        config = self.config
        maps = self._maps(pictures)
        parts = self.parts(maps[-1])
        x = self._feature(maps, parts)
        terms = self._similarity_terms(x, labels)
        if not self._first_stage:
            if self.adversary is not None:
                lambda1, beta = config.adversarial_weight, config.proximal_weight
                terms["adversarial"] = lambda1 * self.adversary.loss(torch.stack(parts))  # Eq. 7
                terms["proximal"] = lambda1 * beta * self.parts.proximity()  # Eq. 8
            if config.part_norm_weight:
                norms = torch.stack(parts).float().square().sum(dim=(0, 2)).mean()
                terms["part_norm"] = config.part_norm_weight * norms
            if self.alignment is not None:
                terms["alignment"] = config.alignment_weight * self._alignment_loss(maps[-1], labels)
        if isinstance(self.pyramid, CodePyramid):
            terms |= self._code_terms(x.detach(), labels)
        return with_total(terms)  # Eq. 12

    def embed(self, pictures: Tensor) -> Tensor:
        """The feature x, divided by its norm, float [n, length]."""
        maps = self._maps(pictures)
        return self._feature(maps, self.parts(maps[-1]))

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        return self.trunk.stages(pictures) if self.config.dense else [self.trunk(pictures)]

    def _feature(self, maps: list[Tensor], parts: list[Tensor]) -> Tensor:
        pooled = torch.cat([*(self.pooling(value) for value in maps), *parts], dim=1)
        return functional.normalize(self.neck(self.projection(pooled)))

    def _similarity_terms(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """L_C and L_GS."""
        config, classes = self.config, labels[:, CLASSES:]
        L_C = surrogate_entropy(x, self.similarity, self._centres, classes)
        terms = {"surrogate": L_C}
        if config.separation_weight:
            factors = gradient_factors(x, self.similarity, self._centres, classes)  # Eq. 1
            if config.separation == "distance":
                L_GS = mean_of(gradient_distances(factors), pseudo_pairs_of(labels))
            else:
                L_GS = gradient_separation(
                    gradient_similarity(factors),
                    pairs_across(labels),
                    slope=config.slope,
                    threshold=config.threshold,
                    reading=config.separation,
                )
            terms["separation"] = config.separation_weight * L_GS
        return terms

    def _alignment_loss(self, value: Tensor, labels: Tensor) -> Tensor:
        """L_S: cross-entropy of each picture with a pair in the batch, its map beside the pair's aligned one."""
        assert self.alignment is not None
        if self.training:
            count = int(self.aligned)
            if count and count % self.config.restart_every == 0:
                self.alignment.restart(count)
            self.aligned += 1
        pairs = pseudo_pairs_of(labels)
        rows = pairs.any(dim=1)
        if not bool(rows.any()):
            # All weights have a gradient all the same: processes average those that their batches gave.
            return torch.stack([weight.sum() * 0 for weight in self.alignment.parameters()]).sum()
        references = pairs.int().argmax(dim=1)[rows]
        attended = self.parts.attended(value)
        scores = self.alignment(attended[rows], attended[references])
        return cross_entropy(scores, labels[rows, LABEL], smoothing=0.0)  # Eq. 11

    def _code_terms(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """What the codes learn from the feature's similarities and from pseudo labels."""
        assert isinstance(self.pyramid, CodePyramid)
        codes = self.pyramid.codes(x)
        alone = labels[:, LABEL] < 0
        groups = torch.where(alone, self.labels + labels[:, ROW], labels[:, LABEL])
        teachers = [x * x.shape[1] ** 0.5, *codes[:-1]]  # divided by their length, similarities of x are cosines
        taught = [similarity_distillation(b_k, teacher) for teacher, b_k in zip(teachers, codes, strict=True)]
        L_tri = [batch_hard_triplet(b_k / b_k.shape[1] ** 0.5, groups) for b_k in codes]
        return {
            "code_triplet": torch.stack(L_tri).sum(),
            "code_similarity": self.config.code_similarity_weight * torch.stack(taught).mean(),
        }


def pairs_across(labels: Tensor) -> Tensor:
    """Which pairs of a batch are of two views, bool [n, n]; where none is, all pairs of two pictures."""
    across = labels[:, None, VIEW] != labels[None, :, VIEW]
    return across if bool(across.any()) else labels[:, None, ROW] != labels[None, :, ROW]


def pseudo_pairs_of(labels: Tensor) -> Tensor:
    """Which pairs of a batch share a pseudo label and are of two views, bool [n, n]."""
    label, view = labels[:, LABEL], labels[:, VIEW]
    return (label[:, None] == label[None, :]) & (label >= 0)[:, None] & (view[:, None] != view[None, :])
