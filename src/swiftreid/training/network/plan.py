"""What a training run is given and gives: the plan, where it reports to, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import ReidData
from swiftreid.encoding.encoder import Encoder
from swiftreid.evaluation.measure import Measured
from swiftreid.progress import Progress, no_progress
from swiftreid.training.network.loop import StepReport
from swiftreid.training.network.recipe import NetworkRecipe
from swiftreid.training.targets.targets import Targets, TargetsPlan


@dataclass(frozen=True)
class Plan:
    """What is to be trained, and on what.

    Attributes:
        data: the data set; its training split is learned from.
        recipe: how.
        folder: where checkpoint, encoder, recipe and logs go.
        seed: of everything random.
        resume: whether to resume from the folder's checkpoint.
        init: a checkpoint, or an encoder's file or name, whose weights to start from as far as names and shapes agree;
            None takes the recipe's.
        weights: an ImageNet file for the trunk.
        teacher: the encoder that a method learns from which learns from one.
        source: another data set, whose training people a method learns beside that adapts to unlabelled pictures.
        targets: makes the run's targets; None takes those that the method learns from.
        tensorboard: whether to write events.
        finish: with ``resume``, export the checkpoint as it is and train no further.
    """

    data: ReidData
    recipe: NetworkRecipe
    folder: Path
    _: KW_ONLY
    seed: int = 0
    resume: bool = False
    init: str | None = None
    weights: Path | None = None
    teacher: Encoder | None = None
    source: ReidData | None = None
    targets: Callable[[TargetsPlan], Targets] | None = None
    tensorboard: bool = False
    finish: bool = False


def ignore(message: str) -> None:
    """Take a message and do nothing."""


@dataclass(frozen=True)
class Reports:
    """Where a run reports to; all of it may be left out.

    Attributes:
        progress: takes how far each task is: reading pictures, "training" and so on.
        on_bad: takes unreadable pictures, which are left out; without it the first raises.
        on_step: takes the report of every step.
        on_evaluation: takes the number of epochs done and what was measured on the held-out people.
        note: takes a sentence for people.
    """

    progress: Progress = no_progress
    on_bad: Callable[[BadPicture], None] | None = None
    on_step: Callable[[StepReport], None] | None = None
    on_evaluation: Callable[[int, list[Measured]], None] | None = None
    note: Callable[[str], None] = ignore


@dataclass(frozen=True)
class Trained:
    """What came out.

    Attributes:
        encoder: calibrated on the held-out people, where there are any.
        measured: on them, by the weights that the encoder has.
        persons: people learned from; 0 where labels are not looked at.
        pictures: pictures learned from.
        losses: mean loss of each epoch.
        held_out: people measured on.
        codes: whether the method learned the encoder's codes.
    """

    encoder: Encoder
    measured: list[Measured]
    persons: int
    pictures: int
    losses: list[float]
    held_out: int = 0
    codes: bool = True
