"""Recipes of whole networks: everything of a training run, except the data, the seed and the machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from swiftreid.methods import METHODS
from swiftreid.training.recipe_file import read_recipe

Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Batches(_Part):
    """P x K sampling.

    Attributes:
        persons: P, persons in a batch.
        pictures: K, pictures of each.
        per_step: batches whose gradients are averaged before the optimiser steps. Processes share them out: two with
            ``per_step: 2`` learn the weights of one with ``per_step: 2``, but for rounding. Running statistics of batch
            normalisation are then those of the first process's batches, and with ``centre_weight`` each process has
            centres of its own, so that weights differ too.
    """

    persons: int = Field(default=16, ge=2, le=4096)
    pictures: int = Field(default=4, ge=1, le=4096)
    per_step: int = Field(default=1, ge=1, le=4096)


class Augmentation(_Part):
    """What is changed at random in the pictures of a batch; see `swiftreid.training.network.augmentation`.

    Attributes:
        flip: probability of mirroring.
        shift: largest shift, as a share of the height (the bag-of-tricks padding of 10 pixels at 256 is 0.04), of
            whole pixels unless there is a zoom.
        zoom: largest change of scale, as a share.
        erase: probability of random erasing.
        colour: strength of changes of brightness, contrast, saturation and of each channel's gain; 0.2 is mild.
        grey: probability of losing all colour.
        blur: probability of losing resolution, as a person far from the camera does.
        noise: largest standard deviation of added noise, where 1 is white.
    """

    flip: Share = 0.5
    shift: Share = 0.04
    zoom: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    erase: Share = 0.5
    colour: Share = 0.0
    grey: Share = 0.0
    blur: Share = 0.0
    noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0


class Optimiser(_Part):
    """The optimiser and its rates.

    Attributes:
        name: "adam", "adamw" or "sgd" (with momentum 0.9).
        learning_rate: peak rate of everything that is not named below.
        trunk_rate: peak rate of the trunk and of copies of its stages; None takes ``learning_rate``.
        weight_decay: of all weights but biases and normalisations.
        decay_all: whether those decay too, as in the code of the papers whose recipes are here.
        clip: largest norm of the gradient; None for no limit.
    """

    name: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(default=3.5e-4, gt=0)
    trunk_rate: float | None = Field(default=None, gt=0)
    weight_decay: float = Field(default=5e-4, ge=0)
    decay_all: bool = False
    clip: float | None = Field(default=None, gt=0)


class Schedule(_Part):
    """How the rates change, in epochs.

    Attributes:
        epochs: passes over the pictures (a pass draws as many pictures as there are).
        per_epoch: pictures that count as a pass, however many there are: a recipe that takes the same time on all data.
        warm_up: epochs of linear rise from ``start`` to the peak.
        start: share of the peak to start from.
        shape: "steps" multiplies by ``decay`` at each of ``decay_at``; "cosine" falls to ``end`` times the peak.
        decay_at: epochs.
        decay: factor.
        end: share of the peak that a cosine ends at.
    """

    epochs: int = Field(default=120, ge=1, le=1_000_000)
    per_epoch: int | None = Field(default=None, ge=1, le=100_000_000)
    warm_up: float = Field(default=10, ge=0)
    start: float = Field(default=0.01, gt=0, le=1)
    shape: Literal["steps", "cosine"] = "steps"
    decay_at: tuple[float, ...] = (40, 70)
    decay: float = Field(default=0.1, gt=0, le=1)
    end: float = Field(default=0.0, ge=0, le=1)


class NetworkRecipe(_Part):
    """Training a whole network, as `swiftreid train` does.

    Attributes:
        method: one of `swiftreid.methods.METHODS`.
        settings: the method's own: trunk, pooling, objective (see the method).
        views: of each picture that a teacher sees and that are learned from
            (`swiftreid.training.targets.teacher`); 1 without.
        init: where weights start from unless the command says otherwise: name of a shipped encoder, or a file.
        size: height and width of the pictures, pixels.
        batches: P x K sampling.
        augmentation: what is changed at random.
        optimiser: the optimiser and its rates.
        schedule: how the rates change.
        ema: share that the running average of the weights keeps at each step, such as 0.999; 0 for none. Where there is
            one, it is what is evaluated and exported.
        keep_start: share of the weights that training started from in what is evaluated and exported. A tenth or two
            keep most of what the start could do on other pictures (Wortsman et al., 'Robust fine-tuning of zero-shot
            models', CVPR 2022).
        amp: number format of the forward pass: "off" (float32), "bf16" or "fp16".
        held_out: share of the people kept from training, to evaluate on and calibrate with.
        evaluate_every: epochs between evaluations on them; 0 for the end only.
        export: number format of the weights in the encoder's file: "fp32", or "fp16" for half the size. Arithmetic is
            in float32 in either case.
        mirror: whether the encoder, and evaluation on held-out people, averages the embeddings of a picture and of the
            mirrored picture: better as a rule, for twice the work of encoding.
    """

    method: str
    settings: dict[str, Any] = Field(default_factory=dict)
    views: int = Field(default=1, ge=1, le=64)
    init: str | None = None
    size: tuple[int, int] = (256, 128)
    batches: Batches = Batches()
    augmentation: Augmentation = Augmentation()
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    ema: float = Field(default=0.0, ge=0, lt=1)
    keep_start: float = Field(default=0.0, ge=0, lt=1)
    amp: Literal["off", "bf16", "fp16"] = "off"
    held_out: float = Field(default=0.0, ge=0, le=0.9)
    evaluate_every: int = Field(default=0, ge=0, le=1_000_000)
    export: Literal["fp32", "fp16"] = "fp32"
    mirror: bool = False

    @field_validator("method")
    @classmethod
    def _check_method(cls, method: str) -> str:
        METHODS.named(method)  # says which there are
        return method

    @model_validator(mode="after")
    def _check_views(self) -> NetworkRecipe:
        if self.views > 1 and METHODS[self.method].learns_from != "teacher":
            raise ValueError(f"views need a teacher, and method {self.method} has none: leave views out")
        return self

    @model_validator(mode="after")
    def _check_size(self) -> NetworkRecipe:
        if min(self.size) < 16 or max(self.size) > 1024:
            raise ValueError(f"size is height and width of 16 to 1024 pixels, not {self.size}")
        return self


def load_network_recipe(path: str | Path, settings: Sequence[str] = ()) -> NetworkRecipe:
    """Read a recipe of a network; what it leaves out has its default.

    Args:
        path: YAML file.
        settings: changes to single fields, such as ``schedule.epochs=20``; values are YAML.

    Raises:
        SwiftReIDError: the file cannot be read.
        UsageError: it is no such recipe, or a field is unknown or has an impossible value; the message names it.
    """
    return read_recipe(NetworkRecipe, path, settings, others=dict.fromkeys(("features", "training"), "swiftreid hash"))
