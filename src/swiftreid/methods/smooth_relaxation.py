"""Self-distilling smooth relaxation (SSR): two branches, of which one learns the other's bits.

Jin, Lai, Zhao and Qian, 'Hashing person re-ID with self-distilling smooth relaxation', Neurocomputing 2021. The same
network with one branch and another relaxation is what the paper compares with (Table 6). On AGW (Table 10) it has
``non_local``, ``pooling: gem`` and ``triplet: weighted``.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args

import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError
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
from swiftreid.nn.losses.attribute_entropy import attribute_entropy
from swiftreid.nn.losses.binary_regulariser import binary_regulariser
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.self_distillation import self_distillation
from swiftreid.nn.part_descriptor import PartDescriptor, shares
from swiftreid.nn.pyramid import Signs
from swiftreid.nn.relaxation import Relaxation, relaxed

_SHARED = 2
"""Stages of the trunk that both branches share: ResNet's stem and layers 1 and 2."""

Distillation = Literal["end_to_end", "pretrained", "continued"]
"""Whether the teacher learns beside the student, or before it (section 7.4)."""

ALPHA = {True: 0.3, False: 0.7}
"""Weight of the distillation with and without BN (section 7.4)."""


@dataclass(frozen=True)
class SmoothRelaxationConfig(NetworkConfig):
    """Settings of the method; the defaults are the paper's where it states a value.

    Attributes:
        bits: of the code: 2048, 512, 256 or 128 in the paper.
        parts: horizontal stripes.
        relaxation: ``ssr``, or for Table 6 one of ``sigmoid``, ``hardsigmoid``, ``tanh``, ``hardtanh``, ``dsh`` and
            ``none``, which have one branch.
        norm: whether vectors pass a BN.
        attention: whether the global vector is of the map refined by the AAB.
        smoothing: label smoothing of the cross-entropy; the paper has none.
        triplet: ``hard``, or ``weighted`` for AGW.
        margin: tau of the hard triplet loss, in Euclidean distances between vectors.
        distillation_weight: alpha, of ``L_d``, and of DSH's regulariser; None is 0.3 with BN and 0.7 without.
        attribute_weight: beta, of the attributes; 0 learns none.
        codes: the branch that gives the code, ``student``, or for Table 6 ``teacher``.
        distillation: the ways of section 7.4. ``end_to_end``: both branches learn together. ``pretrained``: a fresh
            student learns from a teacher that has learned before and does not change, nor do the stages that both
            share. The first stage is a run with ``distillation_weight`` 0, whose checkpoint is given as ``init``.
            ``continued``, which the paper has not: in the same way, but the student goes on from its own weights of
            ``init`` where they fit.
    """

    bits: int = 2048
    parts: int = 6
    relaxation: Relaxation = "ssr"
    norm: bool = True
    attention: bool = True
    smoothing: float = 0.0
    triplet: Triplet = "hard"
    margin: float = 0.3
    distillation_weight: float | None = None
    attribute_weight: float = 0.3
    codes: Literal["student", "teacher"] = "student"
    distillation: Distillation = "end_to_end"

    def __post_init__(self) -> None:
        super().__post_init__()
        shares(self.bits, self.parts)
        if self.relaxation not in get_args(Relaxation):
            raise UsageError(f"relaxation must be one of {', '.join(get_args(Relaxation))}, got {self.relaxation!r}")
        check_smoothing(self.smoothing)
        check_triplet(self.triplet)
        check_weights(self, "margin", "attribute_weight")
        if self.distillation_weight is not None:
            check_weights(self, "distillation_weight")
        if self.relaxation != "ssr" and (self.codes == "teacher" or self.static_teacher):
            raise UsageError(f"relaxation {self.relaxation} has no teacher: leave out codes and distillation")
        if self.codes == "teacher" and self.static_teacher:
            raise UsageError(f"{self.distillation} distillation leaves the teacher as it is: leave out codes")

    @property
    def alpha(self) -> float:
        """The weight of the distillation."""
        return ALPHA[self.norm] if self.distillation_weight is None else self.distillation_weight

    @property
    def static_teacher(self) -> bool:
        """Whether the teacher has learned before and does not change."""
        return self.distillation != "end_to_end"


class _Branch(nn.Module):
    """One branch: the trunk's last stages where it has its own, seven vectors, and what learns from them."""

    def __init__(
        self,
        config: SmoothRelaxationConfig,
        channels: int,
        persons: int,
        attributes: Sequence[float],
        stages: nn.ModuleList | None,
    ) -> None:
        super().__init__()
        self.stages = stages
        self.descriptor = PartDescriptor(
            channels,
            config.bits,
            parts=config.parts,
            attention=config.attention,
            norm=config.norm,
            pooling=config.pooling,
        )
        lengths = self.descriptor.lengths
        self.classifiers = nn.ModuleList(make_classifier(length, persons) for length in lengths)
        self.attributes = _attribute_layer(lengths[-1], attributes) if attributes else None


class SmoothRelaxation(Method):
    """``L = 1/14 sum L_tri + 1/14 sum L_id + alpha/7 sum L_d + beta/2 sum L_attr`` (Eq. 14).

    Both branches have 6 local vectors and a global one. Each of the 14 has a triplet loss and a classifier, each global
    one learns attributes, and each of the student's 7 learns the signs of the teacher's. With one branch the sums are
    over 7 vectors and 1 global one.

    **Decision**: attributes are learned from the vector before any squashing, so that their logits are linear in what
    is kept for retrieval, whatever the relaxation. On AGW, of which the paper gives no details, stripes and whole are
    all pooled by GeM, with a power of each branch's own, all 14 vectors have the weighted triplet loss, and layer 3 is
    doubled with its non-local blocks.

    Args:
        persons: number of training persons.
        config: settings.
        attributes: share of people with each attribute; empty where none are learned.

    Raises:
        UsageError: the trunk's last stages cannot be doubled.
    """

    config_type = SmoothRelaxationConfig
    unit = False
    trunk_parts = ("trunk.", "teacher.stages.")

    def __init__(
        self, persons: int, config: SmoothRelaxationConfig | None = None, attributes: Sequence[float] = ()
    ) -> None:
        self.config = config or SmoothRelaxationConfig()
        super().__init__(self.config)
        self.pooling = nn.Identity()  # each branch pools by itself
        channels = self.trunk.channels
        self.embedding_length = self.config.bits
        self.pyramid = Signs(self.config.bits)
        # The student has the trunk's own stages, so that it keeps the names of public files.
        self.student = _Branch(self.config, channels, persons, attributes, None)
        self.teacher = None
        if self.config.relaxation == "ssr":
            self.teacher = _Branch(self.config, channels, persons, attributes, self._doubled())

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """Terms ``triplet`` and ``cross_entropy``, those that are wanted of the others, and ``total``; see `Method`."""
        config = self.config
        vectors = self._vectors(pictures)
        learning = ["student"] if config.static_teacher else [*vectors]  # what a static teacher loses is a constant
        values = [relaxed(vector, config.relaxation) for name in learning for vector in vectors[name]]
        classifiers = [each for name in learning for each in self._branch(name).classifiers]
        logits = [classifier(value) for classifier, value in zip(classifiers, values, strict=True)]
        branches, all_vectors = len(vectors), sum(map(len, vectors.values()))  # 2 and 14 in Eq. 14
        L_tri = [triplet_loss(config.triplet, value, labels, config.margin) for value in values]  # Eq. 11
        L_id = [cross_entropy(z, labels, smoothing=config.smoothing) for z in logits]  # Eq. 13
        terms = {"triplet": _sum(L_tri) / all_vectors, "cross_entropy": _sum(L_id) / all_vectors}
        if "teacher" in vectors:
            S_s, S_t = vectors["student"], vectors["teacher"]
            L_d = [self_distillation(s, t) for s, t in zip(S_s, S_t, strict=True)]  # Eq. 2
            terms["distillation"] = config.alpha * _sum(L_d) / len(L_d)
        if config.relaxation == "dsh":
            regularisers = [binary_regulariser(v) for v in vectors["student"]]
            terms["regulariser"] = config.alpha * _sum(regularisers) / len(regularisers)
        if self.student.attributes is not None:
            if attributes is None:
                raise UsageError("this network learns attributes: its loss needs those of the pictures")
            layers = {name: self._branch(name).attributes for name in learning}
            scores = [layer(vectors[name][-1]) for name, layer in layers.items() if layer]
            L_attr = [attribute_entropy(z, attributes) for z in scores]  # Eq. 4
            terms["attributes"] = config.attribute_weight * _sum(L_attr) / branches
        return with_total(terms)  # Eq. 14

    def embed(self, pictures: Tensor) -> Tensor:
        """The vectors whose signs are the code, before any squashing, float [n, bits]."""
        return torch.cat(self._descriptor(self.config.codes, self._shared(pictures)), dim=1)

    def attribute_layer(self) -> tuple[Tensor, Tensor] | None:
        """Attributes are learned from the global vector, which is the last part of the embedding."""
        learned = self._branch(self.config.codes).attributes
        if learned is None:
            return None
        weight = torch.zeros(learned.out_features, self.config.bits)
        weight[:, -learned.in_features :] = learned.weight.detach().cpu()
        return weight, learned.bias.detach().cpu()

    @classmethod
    def learns_attributes(cls, config: NetworkConfig) -> bool:
        """With a weight above 0."""
        assert isinstance(config, SmoothRelaxationConfig)
        return config.attribute_weight > 0

    def starts_from(self, name: str) -> bool:
        """A pretrained teacher has a student that starts afresh: of the trunk it takes what both share."""
        if self.config.distillation != "pretrained":
            return True
        return not name.startswith(("student.", *(f"trunk.{stage}." for stage in self._last_names())))

    def weights_loaded(self, fresh: Collection[str]) -> None:
        """The teacher's stages start with the trunk's weights, unless they were given their own."""
        if self.teacher is None:
            return
        if any(name.startswith("teacher.stages.") for name in fresh):
            self.teacher.stages = self._doubled()
        if self.config.static_teacher:
            if any(name.startswith(("teacher.stages.", "teacher.descriptor.")) for name in fresh):
                raise UsageError(
                    f"{self.config.distillation} distillation starts from a teacher that has learned: give as init the "
                    "checkpoint of a first run of this network with settings.distillation_weight=0, and with the same "
                    "trunk, bits, parts, norm and attention"
                )
            for part in self._static():
                part.requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> Self:
        """As for any module; a static teacher and what it shares stay as in evaluation."""
        super().train(mode)
        if self.config.static_teacher:
            for part in self._static():
                part.eval()
        return self

    def _branch(self, name: str) -> _Branch:
        branch = self.student if name == "student" else self.teacher
        assert branch is not None
        return branch

    def _shared(self, pictures: Tensor) -> Tensor:
        value = pictures
        for step in self.trunk.steps()[:_SHARED]:
            value = step(value)
        return value

    def _descriptor(self, name: str, value: Tensor) -> list[Tensor]:
        """The vectors of one branch from the shared map."""
        branch = self._branch(name)
        for step in self.trunk.steps()[_SHARED:] if branch.stages is None else branch.stages:
            value = step(value)
        vectors: list[Tensor] = branch.descriptor(value)
        return vectors

    def _vectors(self, pictures: Tensor) -> dict[str, list[Tensor]]:
        learns = torch.is_grad_enabled() and not self.config.static_teacher
        with torch.set_grad_enabled(learns):
            shared = self._shared(pictures)
            teacher = {} if self.teacher is None else {"teacher": self._descriptor("teacher", shared)}
        return {"student": self._descriptor("student", shared), **teacher}

    def _last(self) -> list[nn.Module]:
        """The trunk's stages that both branches have, as modules."""
        stages = [step for step in self.trunk.steps()[_SHARED:] if isinstance(step, nn.Module)]
        if len(stages) < len(self.trunk.steps()) - _SHARED or not stages:
            raise UsageError(f"trunk {self.config.trunk} has no last stages that can be doubled: take a ResNet")
        return stages

    def _last_names(self) -> list[str]:
        """Names of `_last` in the trunk."""
        last = {id(stage) for stage in self._last()}
        return [name for name, part in self.trunk.named_modules() if id(part) in last]

    def _doubled(self) -> nn.ModuleList:
        return nn.ModuleList(copy.deepcopy(stage) for stage in self._last())

    def _static(self) -> list[nn.Module]:
        """What does not learn where the teacher is static: the teacher, and the layers that it shares."""
        assert self.teacher is not None
        own = {id(part) for stage in self._last() for part in stage.modules()}
        shared = [part for part in self.trunk.modules() if id(part) not in own and not any(part.children())]
        return [self.teacher, *shared]


def _attribute_layer(length: int, shares: Sequence[float]) -> nn.Linear:
    """Logits of attributes, which start at each one's log odds: most are rare, and to learn that alone takes long."""
    layer = nn.Linear(length, len(shares))
    with torch.no_grad():
        layer.bias.copy_(torch.logit(torch.tensor(shares), eps=0.01))
    return layer


def _sum(losses: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum()
