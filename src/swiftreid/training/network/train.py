"""Training a network from a recipe and a data set, from pictures to a calibrated encoder: `swiftreid train`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from swiftreid.calibration.fit import fit_calibration
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import NOBODY, Split
from swiftreid.data.schemas import AttributeSchema
from swiftreid.encoding.calibrate import attribute_accuracy, calibrated
from swiftreid.encoding.domain import LEARNED_FROM
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import Measured
from swiftreid.methods import build_method
from swiftreid.methods.method import Method
from swiftreid.training.network.export import export_encoder
from swiftreid.training.network.held_out import encode_pictures, judge, judge_cascades
from swiftreid.training.network.loop import Run
from swiftreid.training.network.plan import Plan, Told, Trained
from swiftreid.training.network.processes import World
from swiftreid.training.network.start import (
    attributes_to_learn,
    check_same,
    check_teacher,
    first_header,
    first_weights,
    hold_out_people,
    make_folder,
    open_folder,
    targets,
)
from swiftreid.training.pictures import TrainingPictures, attribute_shares, load_pictures
from swiftreid.training.targets.teacher import Course, take_lessons

ENCODER: Final = "encoder.safetensors"
_COMPARED: Final = 256  # pictures on which both runtimes must agree


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
    check_teacher(plan)
    learned, rest = hold_out_people(known, plan)
    header = first_header(plan, learned)
    torch.manual_seed(plan.seed)
    schema = attributes_to_learn(plan, learned)
    shares = [] if schema is None else attribute_shares(learned, schema)
    method = build_method(plan.recipe.method, targets(plan, header), attributes=shares, **plan.recipe.settings)
    before = open_folder(plan)
    if before is not None:
        check_same(before[0], header)
    else:
        header = first_weights(method, plan, told, header)
    make_folder(plan, world)
    pictures = _read(plan, world, told, learned, schema)
    if (found := len(np.unique(pictures.persons))) < 2:
        raise UsageError(f"training needs at least 2 people with readable pictures, got {found}")
    judged = None
    if rest:
        judged = load_pictures(
            rest, plan.recipe.size, on_bad=told.on_bad, progress=told.progress, task="reading held-out people"
        )
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
        told.note(f"{_doing(run, plan)} step {run.header.step} of {run.steps}")

    job = _Job(plan, told, run, method, pictures, judged, rest)

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


def _read(plan: Plan, world: World, told: Told, learned: Split, schema: AttributeSchema | None) -> TrainingPictures:
    """The pictures, and with a teacher their views and what it gives of them, unless nothing is learned any more."""
    if plan.teacher is None or plan.finish:
        return load_pictures(learned, plan.recipe.size, on_bad=told.on_bad, progress=told.progress, schema=schema)
    course = Course(plan.teacher, plan.recipe.views, plan.seed, fingerprint_of(plan.data))
    return take_lessons(
        course,
        learned,
        plan.recipe.size,
        folder=plan.folder,
        asks=world.first,
        on_bad=told.on_bad,
        progress=told.progress,
    )


def _doing(run: Run, plan: Plan) -> str:
    if run.header.step == run.steps:
        return "done:"
    return "exporting the run, unfinished, as of" if plan.finish else "going on after"


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
    held_out: Split

    def judged(self, done: int) -> tuple[LabelledCodes, list[Measured]]:
        """The held-out people by the weights in place after so many epochs, and what was measured on them."""
        assert self.rest is not None
        people = encode_pictures(self.method, self.rest, mirror=self.plan.recipe.mirror)
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
        if header.step < self.run.steps:
            provenance += f" (unfinished: step {header.step:,} of {self.run.steps:,})"
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
            mirror=plan.recipe.mirror,
            attributes=header.attributes,
        )
        measured: list[Measured] = []
        if self.rest is not None:
            people, measured = self.judged(len(header.losses))
            encoder = self._calibrated(encoder, people, measured)
        encoder.save(plan.folder / ENCODER)
        self.run.log.close()
        held_out = 0 if self.rest is None else len(np.unique(self.rest.persons))
        coded = self.method.pyramid is not None
        return Trained(encoder, measured, persons, learned.files, self.run.header.losses, held_out, coded)

    def _calibrated(self, encoder: Encoder, people: LabelledCodes, measured: list[Measured]) -> Encoder:
        """The encoder with thresholds fitted on the held-out people, if they were seen by two cameras.

        What its cascades reach on these people goes behind ``measured``.
        """
        where = f"{self.plan.data.name} train, {self.plan.recipe.held_out:.0%} of the people held out"
        if self.method.pyramid is not None:
            try:
                calibration = fit_calibration(
                    people,
                    encoder.spec,
                    data=where,
                    data_fingerprint=self.run.header.data_fingerprint,
                    beta=None,
                    attributes=attribute_accuracy(encoder, people, self.held_out),
                )
                encoder = calibrated(encoder, calibration)
                measured += judge_cascades(people, calibration.cascades, cross_camera=self.plan.data.cross_camera)
            except UsageError as error:
                self.told.note(f"not calibrated: {error}")
        figures = [{"ranking": m.label, **_figures(m), "data": where} for m in measured]
        return type(encoder)(encoder.card.model_copy(update={"metrics": figures}), encoder.tensors)
