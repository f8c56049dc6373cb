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
from swiftreid.data.samples import NOBODY, ReidData, Split, persons_of
from swiftreid.encoding.calibrate import calibrated, fit_calibration
from swiftreid.encoding.domain import LEARNED_FROM, sources_of
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.benchmark import Measured
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.methods import METHODS, build_method
from swiftreid.methods.method import Method
from swiftreid.training.checkpoint import CheckpointHeader, load_checkpoint
from swiftreid.training.exporting import export_encoder
from swiftreid.training.hashing import hold_out
from swiftreid.training.judging import encode_pictures, judge
from swiftreid.training.lessons import Course, embedding_length, take_lessons
from swiftreid.training.loop import Moment, Run
from swiftreid.training.network_recipe import NetworkRecipe
from swiftreid.training.pictures import TrainingPictures, load_pictures
from swiftreid.training.processes import World
from swiftreid.training.starting import Start, load_trunk, read_start

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
    # All that can be refused is refused before pictures are read, and before a teacher works for hours.
    import onnxruntime  # noqa: F401 (without it nothing could be exported at the end)

    world.own(plan.recipe.batches.per_step)
    _check_teacher(plan)
    learned, rest = _held_out(known, plan)
    header = _header(plan, learned)
    torch.manual_seed(plan.seed)
    method = build_method(plan.recipe.method, _targets(plan, header), **plan.recipe.settings)
    before = _begin(plan, world)
    if before is not None:
        _check_same(before[0], header)
    else:
        header = _start(method, plan, told, header)
    pictures = _read(plan, world, told, learned)
    if (found := len(np.unique(pictures.persons))) < 2:
        raise UsageError(f"training needs at least 2 people with readable pictures, got {found}")
    judged = None
    if rest:
        with told.progress("reading held-out people") as advance:
            judged = load_pictures(rest, plan.recipe.size, on_bad=told.on_bad, progress=advance)
    # Channels innermost: most trunks are a fifth to a half quicker so, on processors and on GPUs in mixed precision.
    method = method.to(world.device)
    method = method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = Run(
        method,
        plan.recipe,
        pictures,
        header,
        world=world,
        folder=plan.folder,
        tensorboard=plan.tensorboard,
    )
    if before is not None:
        run.resume(*before)
        told.note(f"going on after step {run.header.step} of {run.steps}")

    job = _Job(plan, told, run, method, pictures, judged)

    def on_epoch(done: int) -> None:
        every = plan.recipe.evaluate_every
        if world.first and judged is not None and every and done % every == 0 and done < plan.recipe.schedule.epochs:
            job.judged(done)

    if not plan.finish:
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


def _held_out(known: Split, plan: Plan) -> tuple[Split, Split]:
    """Pictures of the people that are learned, and of those who are held out."""
    if not plan.recipe.held_out:
        return known, []
    kept = hold_out(persons_of(known), plan.recipe.held_out, plan.seed)
    return (
        [sample for sample, out in zip(known, kept, strict=True) if not out],
        [sample for sample, out in zip(known, kept, strict=True) if out],
    )


def _header(plan: Plan, learned: Split) -> CheckpointHeader:
    """The header of a run that begins, without what it starts from."""
    header = CheckpointHeader(
        step=0,
        recipe=plan.recipe.model_dump(mode="json"),
        seed=plan.seed,
        data=plan.data.name,
        data_fingerprint=fingerprint_of(plan.data),
        persons=np.unique(persons_of(learned)).tolist(),
    )
    if len(header.persons) < 2:
        raise UsageError(f"training needs at least 2 people, got {len(header.persons)}")
    if plan.teacher is None:
        return header
    card = plan.teacher.card
    words = f"taught by {card.name} ({card.short_fingerprint}): {card.provenance}"
    taught = {"teacher": card.fingerprint, "told": words, "sources": sources_of(card), "licence": card.licence}
    return header.model_copy(update=taught)


def _targets(plan: Plan, header: CheckpointHeader) -> int:
    """What a method is to tell apart: persons, or numbers of the teacher's embedding."""
    return len(header.persons) if plan.teacher is None else embedding_length(plan.teacher)


def _read(plan: Plan, world: World, told: Told, learned: Split) -> TrainingPictures:
    """The pictures, and with a teacher their views and what it gives of them, unless nothing is learned any more."""
    if plan.teacher is None or plan.finish:
        with told.progress("reading pictures") as advance:
            return load_pictures(learned, plan.recipe.size, on_bad=told.on_bad, progress=advance)
    course = Course(plan.teacher, plan.recipe.views, plan.seed, fingerprint_of(plan.data))
    with told.progress("asking the teacher") as advance:
        return take_lessons(
            course,
            learned,
            plan.recipe.size,
            folder=plan.folder,
            asks=world.first,
            on_bad=told.on_bad,
            progress=advance,
        )


def _begin(plan: Plan, world: World) -> tuple[CheckpointHeader, dict[str, torch.Tensor]] | None:
    """Make the folder, or read the checkpoint in it."""
    path = plan.folder / CHECKPOINT
    if plan.finish and not plan.resume:
        raise UsageError("--finish exports a run's checkpoint: give --resume too")
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
        raise UsageError(
            "the checkpoint's recipe is of another version of swiftreid: start from its weights with --init in another "
            "folder"
        ) from error


def _start(method: Method, plan: Plan, told: Told, header: CheckpointHeader) -> CheckpointHeader:
    """Give the method its first weights; the header with where they come from."""
    if plan.weights is not None and plan.init is not None:
        raise UsageError("--weights and --init both start the trunk: give one of them")
    starts: list[Start] = []
    source = plan.init or (None if plan.weights else plan.recipe.init)
    if plan.weights is not None:
        start, left = load_trunk(method, plan.weights)
        told.note(f"the trunk starts from {plan.weights}" + (f"; not used: {', '.join(left[:4])}" if left else ""))
        starts.append(start)
    if source is not None:
        start = read_start(source)
        fresh = start.put_into(method, source)
        told.note(f"weights start from {source}" + (f"; fresh: {', '.join(fresh)}" if fresh else ""))
        starts.append(start)
    licences = [header.licence, *(start.licence for start in starts)]
    return header.model_copy(
        update={
            "told": "; ".join(filter(None, [header.told, *(f"started from {start.words}" for start in starts)])),
            "sources": [*header.sources, *(entry for start in starts for entry in start.sources)],
            "licence": " and ".join(dict.fromkeys(filter(None, licences))),
        }
    )


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
    rest: TrainingPictures | None

    def judged(self, done: int) -> tuple[LabelledCodes, list[Measured]]:
        """The held-out people by the weights in place after so many epochs, and what was measured on them."""
        assert self.rest is not None
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
        header = self.run.header
        provenance = f"{persons} people of {plan.data.name}, {learned.files:,} pictures"
        record: dict[str, Any] = {
            "recipe": plan.recipe.model_dump(mode="json"),
            "seed": plan.seed,
            "data": plan.data.name,
            "data_fingerprint": header.data_fingerprint,
            LEARNED_FROM: header.sources,
            "teacher": header.teacher,
            "persons": persons,
            "pictures": learned.files,
            "steps": header.step,
            "losses": header.losses,
            "torch": torch.__version__,
        }
        encoder = export_encoder(
            self.method,
            learned.read(places),
            name=plan.folder.resolve().name,
            provenance="; ".join(filter(None, [provenance, header.told])),
            licence=header.licence or "not stated",
            training=record,
            half=plan.recipe.export == "fp16",
        )
        measured: list[Measured] = []
        if self.rest is not None:
            people, measured = self.judged(len(header.losses))
            encoder = self._calibrated(encoder, people, measured)
        encoder.save(plan.folder / ENCODER)
        self.run.log.close()
        return Trained(encoder, measured, persons, learned.files, self.run.header.losses)

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
