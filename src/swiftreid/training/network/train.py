"""Training a network from a recipe and a data set, from pictures to a calibrated encoder."""

from __future__ import annotations

import numpy as np
import torch

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import NOBODY, Split
from swiftreid.data.schemas import AttributeSchema
from swiftreid.errors import UsageError
from swiftreid.methods import METHODS, build_method, method_config
from swiftreid.methods.catalogue import check_embedding
from swiftreid.training.network.finish import Finish
from swiftreid.training.network.loop import Run
from swiftreid.training.network.plan import Plan, Reports, Trained
from swiftreid.training.network.processes import World, joined
from swiftreid.training.network.start import (
    attributes_to_learn,
    check_same,
    first_header,
    first_weights,
    hold_out_people,
    make_folder,
    open_folder,
    start_to_keep,
)
from swiftreid.training.pictures import TrainingPictures, attribute_shares, load_pictures
from swiftreid.training.targets.catalogue import TARGETS
from swiftreid.training.targets.targets import Reading, Targets, TargetsPlan


def train_network(plan: Plan, reports: Reports | None = None, *, world: World | None = None) -> Trained | None:
    """Train to the end and write ``encoder.safetensors`` into the plan's folder.

    Args:
        plan: what is trained, on what, and where to.
        reports: where progress and notices go; nowhere by default.
        world: this process among those that train together, and its device; by default those of torchrun, and alone a
            GPU if there is one.

    Returns:
        What came out; None in all processes but the first.

    Raises:
        UsageError: the folder holds another run, or the data set has too few people.
        Stopped: the run was asked to stop by a signal; its checkpoint is written.
        SwiftReIDError: no picture can be read, the loss is no longer a number, or a file cannot be read or written.
    """
    if world is None:
        with joined() as own:
            return train_network(plan, reports, world=own)
    reports = reports or Reports()
    known = [sample for sample in plan.data.train if sample.person not in NOBODY]
    if not known:
        raise UsageError(f"data set {plan.data.name} has no training pictures of known people: see `swiftreid doctor`")
    # All that can be refused is refused before pictures are read, and before a teacher works for hours.
    import onnxruntime  # noqa: F401 (without it nothing could be exported at the end)

    world.own(plan.recipe.batches.per_step)
    learned, rest = hold_out_people(known, plan)
    schema = attributes_to_learn(plan, learned)
    targets = make_targets(plan, learned, schema)
    header = first_header(plan, learned, targets, schema)
    torch.manual_seed(plan.seed)
    shares = [] if schema is None else attribute_shares(learned, schema)
    method = build_method(plan.recipe.method, targets.outputs, attributes=shares, **plan.recipe.settings)
    check_embedding(method, plan.recipe.size)
    before = open_folder(plan)
    if before is not None:
        check_same(before[0], header)
        method.weights_loaded(())  # those of the checkpoint, all of them; what does not learn must be known before Run
    else:
        header = first_weights(method, plan, reports, header)
    start = start_to_keep(plan, header if before is None else before[0]) if plan.recipe.keep_start else None
    make_folder(plan, world)
    pictures = _read(plan, world, reports, targets)
    if (found := len(np.unique(pictures.persons))) < 2:
        raise UsageError(f"training needs at least 2 people with readable pictures, got {found}")
    held_out = None
    if rest:
        held_out = load_pictures(
            rest, plan.recipe.size, on_bad=reports.on_bad, progress=reports.progress, task="reading held-out people"
        )
    # Channels innermost: most trunks are a fifth to a half quicker so, on processors and on GPUs in mixed precision.
    method = method.to(world.device)
    method = method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = Run(
        method,
        plan.recipe,
        pictures,
        targets,
        header,
        world=world,
        folder=plan.folder,
        tensorboard=plan.tensorboard,
        start=start,
    )
    if before is not None:
        run.resume(*before)
        reports.note(f"{_state(run, plan)} step {run.header.step} of {run.steps}")
    finish = Finish(plan, reports, run, method, pictures, held_out, rest, targets.labelled)

    def on_epoch(done: int) -> None:
        every = plan.recipe.evaluate_every
        if world.first and held_out is not None and every and done % every == 0 and done < plan.recipe.schedule.epochs:
            finish.evaluate(done)

    if not plan.finish:
        run.train(progress=reports.progress, on_step=reports.on_step, on_epoch=on_epoch)
    if not world.first:
        return None
    with run.exported():
        method.cpu()
        return finish.export()


def make_targets(plan: Plan, learned: Split, schema: AttributeSchema | None = None) -> Targets:
    """The targets of a run: the plan's own, or those that its method learns from.

    Args:
        plan: of the run.
        learned: pictures of the people that are learned.
        schema: of the attributes that are learned.

    Raises:
        UsageError: the plan lacks what they need, such as a teacher, or has what they have no use for.
    """
    make = plan.targets or TARGETS[METHODS[plan.recipe.method].learns_from]
    return make(
        TargetsPlan(
            learned,
            plan.recipe.size,
            plan.seed,
            fingerprint_of(plan.data),
            views=plan.recipe.views,
            teacher=plan.teacher,
            schema=schema,
            config=method_config(plan.recipe.method, plan.recipe.settings),
        )
    )


def _read(plan: Plan, world: World, reports: Reports, targets: Targets) -> TrainingPictures:
    """What is learned from; nothing is learned any more where a run is only finished, and then the pictures alone."""
    if plan.finish:
        targets.pictures = load_pictures(
            targets.plan.samples,
            plan.recipe.size,
            on_bad=reports.on_bad,
            progress=reports.progress,
            schema=targets.plan.schema,
        )
        return targets.pictures
    return targets.read(Reading(plan.folder, world.first, reports.on_bad, reports.progress))


def _state(run: Run, plan: Plan) -> str:
    if run.header.step == run.steps:
        return "done:"
    return "exporting the run, unfinished, as of" if plan.finish else "resumed after"
