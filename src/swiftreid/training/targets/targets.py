"""Targets: where the labels of a run come from, asked for at the start of every epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import ReidData, Split
from swiftreid.data.schemas import AttributeSchema
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import SwiftReIDError
from swiftreid.methods.method import NetworkConfig
from swiftreid.progress import Progress, no_progress
from swiftreid.training.pictures import TrainingPictures, load_pictures


class Embed(Protocol):
    """The network as it is now (its running average where the recipe has one), as far as targets need it."""

    def __call__(self) -> NDArray[np.float32]:
        """Embeddings float32 [n, d] of all training pictures, unaugmented; computed when called."""
        ...

    def weights(self) -> Mapping[str, Tensor]:
        """What the method gives beside them (`swiftreid.methods.Method.weights_for_targets`), on the processor."""
        ...


@dataclass(frozen=True)
class EpochLabels:
    """What one epoch learns.

    Attributes:
        rows: places of the pictures that are learned from, int64 [m]; all others are left out of the epoch.
        groups: which of these pictures belong together, int64 [m]: P x K batches take P groups and K pictures of each.
        values: what the method's loss takes as labels, [m] or [m, ...]: int64 classes from 0, or anything else that the
            method and its targets agree on, such as embeddings, or a cluster, a camera and a row for each picture.
        classes: how many different labels there are, for `swiftreid.methods.Method.start_epoch`.
        memory: tensors for the same, such as centroids. The loss may change them in place; they are in the checkpoint,
            and processes that train together average those of floats after every step.
        domains: of which data each of these pictures is, int64 [m]: a batch takes P groups of every domain. None where
            there is one.
        figures: what the run's log should say of these labels; not kept in the checkpoint.
    """

    rows: NDArray[np.int64]
    groups: NDArray[np.int64]
    values: Tensor
    classes: int
    memory: dict[str, Tensor] = field(default_factory=dict)
    domains: NDArray[np.int64] | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    def check(self, pictures: int, epoch: int) -> None:
        """Raise `SwiftReIDError` unless an epoch can be learned from these labels of so many pictures."""
        where = f"targets of epoch {epoch + 1}"
        if not len(self.rows) == len(self.groups) == len(self.values):
            raise SwiftReIDError(
                f"{where}: {len(self.rows)} rows, {len(self.groups)} groups and {len(self.values)} values; there must "
                "be one of each for every picture that is learned from"
            )
        if len(self.rows) and not 0 <= self.rows.min() <= self.rows.max() < pictures:
            raise SwiftReIDError(f"{where}: rows must be from 0 to {pictures - 1}, got {self.rows.max()}")
        if (found := len(np.unique(self.groups))) < 2:
            raise SwiftReIDError(
                f"{where}: {len(self.rows)} pictures in {found} group{'s' * (found != 1)}; training needs 2 or more"
            )


@dataclass(frozen=True)
class TargetsPlan:
    """What targets are made for.

    Attributes:
        samples: pictures of the people that are learned.
        size: height and width that the network takes.
        seed: of the run.
        data_fingerprint: of the data set.
        views: of each picture (`NetworkRecipe.views`).
        teacher: an encoder to learn from, where there is one.
        schema: of the attributes that are learned, if any.
        config: settings of the method, of which some may be the targets'.
        source: another data set, whose people are learned too.
        pictures_per_group: K, pictures of each group in a batch.
    """

    samples: Split
    size: tuple[int, int]
    seed: int
    data_fingerprint: str
    views: int = 1
    teacher: Encoder | None = None
    schema: AttributeSchema | None = None
    config: NetworkConfig | None = None
    source: ReidData | None = None
    pictures_per_group: int = 4


@dataclass(frozen=True)
class TargetsOrigin:
    """Where labels come from besides the data set, for the checkpoint and the encoder's card.

    Attributes:
        words: for people, such as "taught by rendered (1a2b3c): ..."; empty where there is nothing to name.
        fingerprint: of the encoder that teaches; a run resumes only with the same one.
        sources: data sets that went into it, as `swiftreid.encoding.domain.sources_of` gives them.
        licence: of it.
    """

    words: str = ""
    fingerprint: str = ""
    sources: list[dict[str, str]] = field(default_factory=list)
    licence: str = ""


@dataclass(frozen=True)
class Reading:
    """How training pictures are read.

    Attributes:
        folder: of the run, for what is to be kept there.
        first: whether this process is the first of those that train together.
        on_bad: takes each picture that cannot be read, which is left out; without it the first raises.
        progress: takes pictures done and pictures in all.
    """

    folder: Path
    first: bool = True
    on_bad: Callable[[BadPicture], None] | None = None
    progress: Progress = no_progress


class Targets(ABC):
    """Labels for every epoch of a run, from any source.

    One is made for each run, before anything is read (so that it can refuse what cannot work); then `read` is called
    once, and `labels` at the start of every epoch. Methods find theirs in `swiftreid.training.targets.catalogue`.

    Attributes:
        changing: whether labels may differ from epoch to epoch. If so, the first process alone computes them and the
            others receive them, and the labels of the epoch under way are kept in the checkpoint.
        labelled: whether the data set's persons are learned from.
        takes_source: whether labelled people of another data set can be learned beside.
        beside: how many of the pictures, the last, are of that other data set; an epoch passes over the others.
        former: the memory of the epoch before as the loss left it; empty before the first.
        outputs: outputs of the method: the largest number of classes, or the length of the embedding that is learned.
        origin: where labels come from besides the data set.

    Args:
        plan: what the targets are made for.
    """

    changing: ClassVar[bool] = True
    labelled: ClassVar[bool] = True
    takes_source: ClassVar[bool] = False

    outputs: int
    beside: int = 0
    origin: TargetsOrigin = TargetsOrigin()

    def __init__(self, plan: TargetsPlan) -> None:
        self.plan = plan
        self.pictures: TrainingPictures | None = None
        self.former: Mapping[str, Tensor] = {}

    def read(self, reading: Reading) -> TrainingPictures:
        """Read the pictures that are learned from; kept as ``self.pictures`` too.

        Raises:
            SwiftReIDError: none can be read.
        """
        plan = self.plan
        self.pictures = load_pictures(
            plan.samples, plan.size, on_bad=reading.on_bad, progress=reading.progress, schema=plan.schema
        )
        return self.pictures

    @property
    def groups(self) -> int | None:
        """How many groups every epoch has, once `read` was called; None where they change. It sets an epoch's steps."""
        return None

    @abstractmethod
    def labels(self, epoch: int, embed: Embed) -> EpochLabels:
        """What an epoch learns.

        It must follow from the arguments, the plan, `state` and ``former`` alone, so that a resumed run goes on bit for
        bit: draw at random from a generator of ``[plan.seed, epoch]``, never from torch's or NumPy's global ones.

        Args:
            epoch: from 0.
            embed: gives the current embeddings, rows as in the pictures that `read` gave, and weights.

        Raises:
            SwiftReIDError: nothing can be learned from them, as when all clusters fall together.
        """

    def state(self) -> Mapping[str, Tensor]:
        """What `labels` needs to know of earlier epochs, for the checkpoint; nothing by default."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave.

        Raises:
            SwiftReIDError: it is of other targets.
        """
        if state:
            raise SwiftReIDError(f"the checkpoint is of other targets, with a state ({', '.join(state)})")
