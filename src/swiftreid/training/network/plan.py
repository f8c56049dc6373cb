"""What a run of `swiftreid train` is given and gives: the plan, where it reports to, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import ReidData
from swiftreid.encoding.encoder import Encoder
from swiftreid.evaluation.measure import Measured
from swiftreid.progress import Progress, no_progress
from swiftreid.training.network.loop import Moment
from swiftreid.training.network.recipe import NetworkRecipe


@dataclass(frozen=True)
class Plan:
    """What is to be trained, and on what.

    Attributes:
        data: the data set; its training split is learned from.
        recipe: how.
        seed: of everything random.
        folder: where checkpoint, encoder, recipe and logs go.
        resume: whether to go on from the folder's checkpoint.
        init: a checkpoint, or an encoder's file or name, whose weights to start from as far as names and shapes agree;
            None takes the recipe's.
        weights: an ImageNet file for the trunk.
        teacher: the encoder that a method learns from which learns from one.
        tensorboard: whether to write events.
        finish: whether to export the checkpoint as it is instead of going on.
    """

    data: ReidData
    recipe: NetworkRecipe
    seed: int
    folder: Path
    resume: bool = False
    init: str | None = None
    weights: Path | None = None
    teacher: Encoder | None = None
    tensorboard: bool = False
    finish: bool = False


@dataclass(frozen=True)
class Told:
    """Where a run reports to; all of it may be left out.

    Attributes:
        progress: takes how far reading pictures is.
        on_bad: takes unreadable pictures.
        on_step: takes every step's moment.
        on_judged: takes the number of epochs done and what was measured on the held-out people.
        note: takes a sentence for people.
    """

    progress: Progress = no_progress
    on_bad: Callable[[BadPicture], None] | None = None
    on_step: Callable[[Moment], None] | None = None
    on_judged: Callable[[int, list[Measured]], None] | None = None
    note: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Trained:
    """What came out.

    Attributes:
        encoder: calibrated on the held-out people, where there are any.
        measured: on them, by the weights that the encoder has.
        persons: people learned from.
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
