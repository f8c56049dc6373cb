"""What every method is to the training loop and to the encoder that comes out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar, Literal, get_args

import torch
from pydantic import ConfigDict
from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.nn.losses.triplet import batch_hard_triplet
from swiftreid.nn.losses.weighted_triplet import weighted_triplet
from swiftreid.nn.non_local import add_non_local
from swiftreid.nn.pooling import Pooling, make_pooling
from swiftreid.nn.pyramid import CodePyramid, Signs
from swiftreid.nn.trunks import Trunk, make_trunk


@dataclass(frozen=True)
class NetworkConfig:
    """The network before a method's head.

    Attributes:
        trunk: a name that `swiftreid.nn.trunks.make_trunk` knows.
        last_stride: stride of the trunk's last layer.
        pooling: of its last map.
        non_local: whether the trunk, a ResNet, has the non-local blocks of AGW (`swiftreid.nn.non_local`).
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # a recipe with a misspelt field is refused

    trunk: str = "resnet50"
    last_stride: int = 1
    pooling: Pooling = "average"
    non_local: bool = False

    def __post_init__(self) -> None:
        if self.last_stride not in (1, 2):
            raise UsageError(f"last_stride must be 1 or 2, got {self.last_stride}")
        if self.pooling not in get_args(Pooling):
            raise UsageError(f"pooling must be one of {', '.join(get_args(Pooling))}, got {self.pooling!r}")


def trunk_of(network: NetworkConfig, *, last_stride: int | None = None) -> Trunk:
    """The trunk that a configuration names, with random weights.

    Args:
        network: the configuration.
        last_stride: instead of the configuration's.

    Raises:
        UsageError: as for `swiftreid.nn.trunks.make_trunk`, or the trunk cannot have non-local blocks.
    """
    trunk = make_trunk(network.trunk, last_stride=last_stride or network.last_stride)
    if network.non_local:
        add_non_local(trunk, network.trunk)
    return trunk


class Method(nn.Module, ABC):
    """One paper's network and objective.

    `forward` is the loss: a method is called to be trained. The training loop averages gradients of several processes
    itself (`swiftreid.training.network.processes.average_gradients`), so nothing has to run through it.

    Attributes:
        trunk: the trunk; `swiftreid.nn.trunks.load_weights` fills it from an ImageNet file.
        pooling: of the trunk's last map.
        embedding_length: numbers in an embedding.
        unit: whether an embedding is divided by its Euclidean norm before codes are made of it; by default not.
        pyramid: turns embeddings into codes, or None where the method learns no codes.
        config_type: its settings: a frozen dataclass made of `NetworkConfig`, which pydantic can check.
        learns_from: what its labels are, by a name of `swiftreid.training.targets.catalogue`: numbers of ``persons``,
            or embeddings by a ``teacher``.
        trunk_parts: how names of weights begin that are the trunk's or copies of its stages; all others are the head's.
    """

    config_type: ClassVar[type[NetworkConfig]]
    learns_from: ClassVar[str] = "persons"
    trunk_parts: ClassVar[tuple[str, ...]] = ("trunk.",)

    trunk: Trunk
    pooling: nn.Module
    embedding_length: int
    unit: bool = False
    pyramid: CodePyramid | Signs | None

    def __init__(self, network: NetworkConfig) -> None:
        super().__init__()
        self.trunk = trunk_of(network)
        self.pooling = make_pooling(network.pooling)
        self.embedding_length = self.trunk.channels
        self.pyramid = None

    def forward(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """The same as `loss`."""
        return self.loss(pictures, labels, attributes)

    @abstractmethod
    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        """The terms of the objective, each already weighted, and their sum as ``"total"``.

        Args:
            pictures: float [n, 3, h, w], normalised as `Trunk` says.
            labels: int64 [n], class of each picture's person, from 0; or the teacher's embeddings, float [n, d].
            attributes: float [n, a]: 1 yes, 0 no, NaN not known; for methods that learn attributes.

        Returns:
            Scalars by name.
        """

    @abstractmethod
    def embed(self, pictures: Tensor) -> Tensor:
        """What is kept for retrieval by cosine distance, float [n, embedding_length]. Call ``eval()`` first.

        Args:
            pictures: float [n, 3, h, w], normalised as `Trunk` says.
        """

    def attribute_layer(self) -> tuple[Tensor, Tensor] | None:
        """Weight [a, embedding_length] and bias [a] by which attributes' logits follow from what `embed` gives.

        None where the method learns no attributes.
        """
        return None

    @classmethod
    def learns_attributes(cls, config: NetworkConfig) -> bool:
        """Whether attributes are learned beside persons; the class then takes their shares as its third argument."""
        return False

    def starts_from(self, name: str) -> bool:
        """Whether this weight is taken from a checkpoint or encoder that training starts from (``init``); all are."""
        return True

    def weights_loaded(self, fresh: Collection[str]) -> None:
        """Called once before training: when the first weights are in place, or before those of a checkpoint are.

        Args:
            fresh: names of the weights that are not given, such as ``teacher.stages.0.0.conv1.weight``.
        """

    def weights_for_targets(self) -> Mapping[str, Tensor]:
        """What targets that change need to know of the network beside embeddings; nothing by default."""
        return {}

    def start_epoch(self, classes: int, memory: Mapping[str, Tensor]) -> None:
        """Called before the first step of every epoch, and when a run resumes within one.

        Args:
            classes: how many different labels there are in this epoch; at most what the method was made for.
            memory: tensors that the targets give beside the labels, such as centroids of clusters; none for persons and
                teachers. `loss` may change their values in place: they are part of the checkpoint, and processes that
                train together average them after every step.
        """


def make_classifier(features: int, persons: int) -> nn.Linear:
    """A classifier without bias that starts near 0, as the papers here have it."""
    classifier = nn.Linear(features, persons, bias=False)
    nn.init.normal_(classifier.weight, std=0.001)
    return classifier


def with_total(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The terms and their sum as ``"total"``."""
    return {**terms, "total": torch.stack(list(terms.values())).sum()}


Triplet = Literal["hard", "weighted"]
"""Batch-hard with a margin, or AGW's, in which all pairs count and which has no margin."""


def triplet_loss(kind: Triplet, features: Tensor, persons: Tensor, margin: float) -> Tensor:
    """The triplet loss of that kind, a scalar: `batch_hard_triplet` or `weighted_triplet`."""
    if kind == "weighted":
        return weighted_triplet(features, persons)
    return batch_hard_triplet(features, persons, margin=margin)


def check_triplet(kind: str) -> None:
    """Raise `UsageError` unless there is such a triplet loss."""
    if kind not in get_args(Triplet):
        raise UsageError(f"triplet must be one of {', '.join(get_args(Triplet))}, got {kind!r}")


def check_weights(config: object, *names: str) -> None:
    """Raise `UsageError` unless the named fields are numbers from 0 up."""
    for name in names:
        if not 0 <= getattr(config, name) < inf:
            raise UsageError(f"{name} must be 0 or more, got {getattr(config, name)}")


def check_smoothing(smoothing: float) -> None:
    """Raise `UsageError` unless the share of a smoothed target is from 0 to 1."""
    if not 0 <= smoothing <= 1:
        raise UsageError(f"smoothing must be from 0 to 1, got {smoothing}")
