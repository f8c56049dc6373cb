"""Training a network from a recipe and a data set, from pictures to a calibrated encoder: `swiftreid train`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from pydantic import ValidationError

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import NOBODY, ReidData, Split
from swiftreid.encoding.calibrate import calibrated, fit_calibration
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.benchmark import Measured
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.methods import METHODS, build_method
from swiftreid.methods.method import Method
from swiftreid.nn.trunks import load_weights
from swiftreid.training.checkpoint import CheckpointHeader, load_checkpoint
from swiftreid.training.exporting import export_encoder
from swiftreid.training.hashing import hold_out
from swiftreid.training.judging import encode_pictures, judge
from swiftreid.training.lessons import Course, take_lessons
from swiftreid.training.loop import Moment, Run
from swiftreid.training.network_recipe import NetworkRecipe
from swiftreid.training.pictures import TrainingPictures, load_pictures
from swiftreid.training.processes import World
from swiftreid.training.starting import starting_weights

ProgressBar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]

CHECKPOINT: Final = "checkpoint.safetensors"
ENCODER: Final = "encoder.safetensors"
_COMPARED: Final = 256  # pictures on which both runtimes must agree


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


@dataclass(frozen=True)
class Told:
    """Where a run reports to; all of it may be left out.

    Attributes:
        progress: opens a progress bar for reading pictures.
        on_bad: takes unreadable pictures.
        on_step: takes every step's moment.
        on_judged: takes the number of epochs done and what was measured on the held-out people.
        note: takes a sentence for people.
    """

    progress: ProgressBar
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
    """

    encoder: Encoder
    measured: list[Measured]
    persons: int
    pictures: int
    losses: list[float]


def train_network(plan: Plan, world: World, told: Told) -> Trained | None:
    """Train to the end and export.

    Returns:
        None in all processes but the first.

    Raises:
        UsageError: the folder holds another run, or the data set has too few people.
        Stopped: the run was asked to stop; its checkpoint is written.
        SwiftReIDError: no picture can be read, the loss is no longer a number, or a file cannot be read or written.
    """
    known = [sample for sample in plan.data.train if sample.person not in NOBODY]
    if not known:
        raise UsageError(f"data set {plan.data.name} has no training pictures of known people: see `swiftreid doctor`")
    import onnxruntime  # noqa: F401 (without it nothing could be exported at the end: say so before hours of work)

    world.own(plan.recipe.batches.per_step)  # refused before any picture is read
    _check_teacher(plan)
    before = _begin(plan, world)
    pictures = _read(plan, world, told, known)
    kept = np.zeros(len(pictures), bool)
    if plan.recipe.held_out:
        kept = hold_out(pictures.persons, plan.recipe.held_out, plan.seed)
    plain = np.arange(len(pictures)) < len(pictures) // plan.recipe.views
    learned, rest = pictures.take(~kept), pictures.take(kept & plain)
    persons = np.unique(learned.persons)
    if len(persons) < 2:
        raise UsageError(f"training needs at least 2 people with readable pictures, got {len(persons)}")
    header = CheckpointHeader(
        step=0,
        recipe=plan.recipe.model_dump(mode="json"),
        seed=plan.seed,
        data=plan.data.name,
        data_fingerprint=fingerprint_of(plan.data),
        persons=persons.tolist(),
        teacher=plan.teacher.fingerprint if plan.teacher else "",
    )
    torch.manual_seed(plan.seed)
    targets = len(persons) if learned.lessons is None else learned.lessons.shape[1]
    method = build_method(plan.recipe.method, targets, **plan.recipe.settings)
    if before is None:
        _start(method, plan, told)
    # Channels innermost: most trunks are a fifth to a half quicker so, on processors and on GPUs in mixed precision.
    method = method.to(world.device)
    method = method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = Run(
        method,
        plan.recipe,
        learned,
        header,
        world=world,
        folder=plan.folder,
        tensorboard=plan.tensorboard,
    )
    if before is not None:
        _check_same(before[0], header)
        run.resume(*before)
        told.note(f"going on after step {run.header.step} of {run.steps}")

    job = _Job(plan, told, run, method, learned, rest)

    def on_epoch(done: int) -> None:
        every = plan.recipe.evaluate_every
        if world.first and len(rest) and every and done % every == 0 and done < plan.recipe.schedule.epochs:
            job.judged(done)

    run.train(on_step=told.on_step, on_epoch=on_epoch)
    if not world.first:
        return None
    with run.averaged():
        method.cpu()
        return job.finished()


def _check_teacher(plan: Plan) -> None:
    """Refuse a method that needs a teacher without one, and a teacher that nobody listens to."""
    needed = METHODS[plan.recipe.method].learns_from == "teacher"
    if needed and plan.teacher is None:
        raise UsageError(f"method {plan.recipe.method} learns from another encoder: name it with --teacher")
    if plan.teacher is not None and not needed:
        raise UsageError(f"method {plan.recipe.method} learns from persons: leave --teacher out")


def _read(plan: Plan, world: World, told: Told, known: Split) -> TrainingPictures:
    """The pictures, and with a teacher their views and what it gives of them."""
    if plan.teacher is None:
        with told.progress("reading pictures") as advance:
            return load_pictures(known, plan.recipe.size, on_bad=told.on_bad, progress=advance)
    course = Course(plan.teacher, plan.recipe.views, plan.seed, fingerprint_of(plan.data))
    folder = plan.folder if world.first else None
    with told.progress("asking the teacher") as advance:
        return take_lessons(course, known, plan.recipe.size, folder=folder, on_bad=told.on_bad, progress=advance)


def _begin(plan: Plan, world: World) -> tuple[CheckpointHeader, dict[str, torch.Tensor]] | None:
    """Make the folder, or read the checkpoint in it."""
    path = plan.folder / CHECKPOINT
    if plan.resume:
        return load_checkpoint(path)
    if path.exists():
        raise UsageError(f"{plan.folder} holds a run: give --resume to go on with it, or another folder")
    if world.first:
        try:
            plan.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SwiftReIDError(f"cannot make the folder {plan.folder}: {error.strerror}") from error
    return None


def _check_same(before: CheckpointHeader, now: CheckpointHeader) -> None:
    """Refuse to go on with another recipe, seed or data set than the checkpoint's."""
    names = ("seed", "data_fingerprint", "persons", "teacher")
    other = [name for name in names if getattr(before, name) != getattr(now, name)]
    if _learning(before) != _learning(now):
        other.insert(0, "recipe")
    if other:
        raise UsageError(
            f"the checkpoint is of another {' and '.join(other)} than this run: go on with those of its beginning, or "
            "start from its weights with --init in another folder"
        )


def _learning(header: CheckpointHeader) -> NetworkRecipe:
    """A run's recipe as far as it decides the weights; fields newer than the checkpoint have their defaults."""
    try:
        return NetworkRecipe.model_validate({**header.recipe, "evaluate_every": 0, "export": "fp32"})
    except ValidationError as error:
        raise UsageError(f"the checkpoint's recipe is of another version of swiftreid: {error}") from error


def _start(method: Method, plan: Plan, told: Told) -> None:
    if plan.weights is not None:
        left = load_weights(method.trunk, plan.weights)
        told.note(f"the trunk starts from {plan.weights}" + (f"; not used: {', '.join(left[:4])}" if left else ""))
    if (source := plan.init or plan.recipe.init) is not None:
        own, given = method.state_dict(), starting_weights(source)
        fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
        if not any(name.startswith("trunk.") for name in fitting):
            raise UsageError(
                f"{source} holds no weights of the trunk of this recipe; leave --init out, or --set init=null"
            )
        method.load_state_dict(fitting, strict=False)
        fresh = sorted({name.split(".")[0] for name in own.keys() - fitting.keys() if "num_batches" not in name})
        told.note(f"weights start from {source}" + (f"; fresh: {', '.join(fresh)}" if fresh else ""))


def _figures(measured: Measured) -> dict[str, float]:
    return {"rank1": float(measured.metrics.rank(1)), "map": float(measured.metrics.map_standard)}


@dataclass(frozen=True)
class _Job:
    """A run with the people it learns from and those held out."""

    plan: Plan
    told: Told
    run: Run
    method: Method
    learned: TrainingPictures
    rest: TrainingPictures

    def judged(self, done: int) -> tuple[LabelledCodes, list[Measured]]:
        """The held-out people by the weights in place after so many epochs, and what was measured on them."""
        people = encode_pictures(self.method, self.rest)
        measured = judge(people, cross_camera=self.plan.data.cross_camera)
        figures = {f"{m.label} {name}": value for m in measured for name, value in _figures(m).items()}
        self.run.log.write("held out", self.run.header.step, figures)
        if self.told.on_judged is not None:
            self.told.on_judged(done, measured)
        return people, measured

    def finished(self) -> Trained:
        """Export, measure, calibrate and write the encoder."""
        self.told.note("exporting")
        plan, learned = self.plan, self.learned
        places = np.linspace(0, len(learned) - 1, min(_COMPARED, len(learned))).astype(np.int64)
        persons = len(np.unique(learned.persons))
        provenance = f"{persons} people of {plan.data.name}, {len(learned) // plan.recipe.views:,} pictures"
        licence = "not stated"
        record: dict[str, Any] = {
            "recipe": plan.recipe.model_dump(mode="json"),
            "seed": plan.seed,
            "data": plan.data.name,
            "data_fingerprint": self.run.header.data_fingerprint,
            "persons": persons,
            "pictures": len(learned) // plan.recipe.views,
            "steps": self.run.steps,
            "losses": self.run.header.losses,
            "torch": torch.__version__,
        }
        if plan.teacher is not None:
            card = plan.teacher.card
            record["teacher"] = {"name": card.name, "fingerprint": card.fingerprint, "provenance": card.provenance}
            provenance += f"; taught by {card.name} ({card.short_fingerprint}): {card.provenance}"
            licence = card.licence
        encoder = export_encoder(
            self.method,
            learned.read(places),
            name=plan.folder.resolve().name,
            provenance=provenance,
            licence=licence,
            training=record,
            half=plan.recipe.export == "fp16",
        )
        measured: list[Measured] = []
        if len(self.rest):
            people, measured = self.judged(plan.recipe.schedule.epochs)
            encoder = self._calibrated(encoder, people, measured)
        encoder.save(plan.folder / ENCODER)
        self.run.log.close()
        return Trained(encoder, measured, persons, len(learned) // plan.recipe.views, self.run.header.losses)

    def _calibrated(self, encoder: Encoder, people: LabelledCodes, measured: list[Measured]) -> Encoder:
        """The encoder with thresholds fitted on the held-out people, if they were seen by two cameras."""
        where = f"{self.plan.data.name} train, {self.plan.recipe.held_out:.0%} of the people held out"
        if self.method.pyramid is not None:
            try:
                calibration = fit_calibration(
                    people,
                    encoder.spec,
                    data=where,
                    data_fingerprint=self.run.header.data_fingerprint,
                    beta=None,
                )
                encoder = calibrated(encoder, calibration)
            except UsageError as error:
                self.told.note(f"not calibrated: {error}")
        figures = [{"ranking": m.label, **_figures(m), "data": where} for m in measured]
        return type(encoder)(encoder.card.model_copy(update={"metrics": figures}), encoder.tensors)
