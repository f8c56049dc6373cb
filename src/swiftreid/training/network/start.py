"""How a run starts: what it is of, its people, and its first weights or those of its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import Split, persons_of
from swiftreid.data.schemas import AttributeSchema
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods import learns_attributes
from swiftreid.methods.method import Method
from swiftreid.training.holding_out import hold_out
from swiftreid.training.network.checkpoint import CHECKPOINT, CheckpointHeader, load_checkpoint
from swiftreid.training.network.initial_weights import Start, load_trunk, parts_of, read_start
from swiftreid.training.network.plan import Plan, Reports
from swiftreid.training.network.processes import World
from swiftreid.training.network.recipe import NetworkRecipe
from swiftreid.training.pictures import schema_to_learn
from swiftreid.training.targets.targets import Targets


def hold_out_people(known: Split, plan: Plan) -> tuple[Split, Split]:
    """Pictures of the people that are learned, and of those who are held out.

    Raises:
        UsageError: there are too few people to hold some out, or no held-out person has a second picture to find.
    """
    if not plan.recipe.held_out:
        return known, []
    kept = hold_out(persons_of(known), plan.recipe.held_out, plan.seed)
    learned = [sample for sample, out in zip(known, kept, strict=True) if not out]
    rest = [sample for sample, out in zip(known, kept, strict=True) if out]
    if not _can_be_found(rest, cross_camera=plan.data.cross_camera):
        views = "pictures by two cameras" if plan.data.cross_camera else "two pictures"
        raise UsageError(
            f"none of the {len(np.unique(persons_of(rest)))} people held out from training has {views}, so nothing "
            "could be measured on them: give more pictures of the same people, or set held_out to 0 to learn from all"
        )
    return learned, rest


def _can_be_found(people: Split, *, cross_camera: bool) -> bool:
    """Whether any picture has another of its person, by another camera where cameras count."""
    views = {(s.person, s.camera) if cross_camera else (s.person, str(s.path)) for s in people}
    return len({person for person, _ in views}) < len(views)


def first_header(plan: Plan, learned: Split, targets: Targets, schema: AttributeSchema | None) -> CheckpointHeader:
    """The header of a run that starts, without what its weights start from."""
    origin = targets.origin
    return CheckpointHeader(
        step=0,
        recipe=plan.recipe.model_dump(mode="json"),
        seed=plan.seed,
        data=plan.data.name,
        data_fingerprint=fingerprint_of(plan.data),
        persons=np.unique(persons_of(learned)).tolist(),
        attributes=[] if schema is None else list(schema.names),
        teacher=origin.fingerprint,
        provenance=origin.words,
        sources=origin.sources,
        licence=origin.licence,
    )


def attributes_to_learn(plan: Plan, learned: Split) -> AttributeSchema | None:
    """The attributes that a method learns from these samples; None where it learns none.

    Raises:
        UsageError: it would, but the samples have none that are known.
    """
    if not learns_attributes(plan.recipe.method, plan.recipe.settings):
        return None
    return schema_to_learn(learned, plan.data.name, off="settings.attribute_weight=0")


def open_folder(plan: Plan) -> tuple[CheckpointHeader, dict[str, torch.Tensor]] | None:
    """Read the checkpoint in the folder, where a run resumes; a run that starts must find none.

    Raises:
        UsageError: the folder holds a run and ``resume`` is not asked for, or ``finish`` without ``resume``.
        SwiftReIDError: the checkpoint cannot be read.
    """
    path = plan.folder / CHECKPOINT
    if plan.finish and not plan.resume:
        raise UsageError("finish exports the checkpoint of a run that is resumed: ask for resume too")
    if plan.resume:
        if not path.is_file():
            raise SwiftReIDError(f"{plan.folder} holds no run to resume (no {CHECKPOINT}): start one")
        return load_checkpoint(path)
    if path.exists():
        raise UsageError(f"{plan.folder} holds a run: resume it, or give another folder")
    return None


def make_folder(plan: Plan, world: World) -> None:
    """Make the folder, once nothing of the run is refused any more.

    Raises:
        SwiftReIDError: it cannot be made.
    """
    if world.first:
        try:
            plan.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SwiftReIDError(f"cannot make the folder {plan.folder}: {error.strerror}") from error


def check_same(before: CheckpointHeader, now: CheckpointHeader) -> None:
    """Refuse to resume with another recipe, seed, data set or teacher than the checkpoint's.

    Raises:
        UsageError: the two headers differ so.
    """
    kept = {"seed": "seed", "data_fingerprint": "data set (pictures came, went or changed)", "teacher": "teacher"}
    kept["attributes"] = "choice of attributes"
    other = [words for name, words in kept.items() if getattr(before, name) != getattr(now, name)]
    if not other and before.persons != now.persons:
        other.append("choice of people")
    ours, theirs = (_fields(_learning(header).model_dump(mode="json")) for header in (now, before))
    if changed := [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]:
        changes = ", ".join(f"{name} was {theirs.get(name)}, now {ours.get(name)}" for name in changed[:4])
        other.insert(0, f"recipe ({changes}{', ...' if len(changed) > 4 else ''})")
    if other:
        raise UsageError(
            f"the checkpoint is of another {' and another '.join(other)}: a run resumes only with the settings of its "
            "start; the recipe.yaml in its folder is its recipe. To train longer or in another way, start another "
            f"run in another folder from its weights (init: {CHECKPOINT})"
        )


def _fields(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A recipe's fields with their groups, such as ``schedule.epochs``."""
    found: dict[str, Any] = {}
    for name, value in recipe.items():
        found |= _fields(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _learning(header: CheckpointHeader) -> NetworkRecipe:
    """A run's recipe as far as it decides the weights; fields newer than the checkpoint have their defaults."""
    try:
        return NetworkRecipe.model_validate({**header.recipe, "evaluate_every": 0, "export": "fp32"})
    except ValidationError as error:
        raise UsageError(
            "the checkpoint's recipe is of another version of swiftreid: start another run in another folder from "
            "its weights"
        ) from error


def start_to_keep(plan: Plan, header: CheckpointHeader) -> dict[str, Tensor]:
    """Weights that training started from, of which a share is exported (`NetworkRecipe.keep_start`).

    Raises:
        UsageError: training starts from nothing, or a resumed run started from other weights.
    """
    source = plan.init or plan.recipe.init
    if source is None:
        raise UsageError("keep_start needs weights to start from: set init, or keep_start to 0")
    start = read_start(source)
    if start.words not in header.provenance:
        raise UsageError(f"{source} is not what this run started from: {header.provenance}")
    return start.weights


def first_weights(method: Method, plan: Plan, reports: Reports, header: CheckpointHeader) -> CheckpointHeader:
    """Give the method its first weights: the plan's ``init`` or ``weights``, or the recipe's ``init``.

    Where the method takes only a part from ``init``, as one with a pretrained teacher does, the rest starts from the
    plan's ``weights``, or from the recipe's ``init`` that the plan's replaces.

    Returns:
        The header with where they come from.

    Raises:
        UsageError: two sources are given, or one fits nothing of the method.
        SwiftReIDError: a file cannot be read.
    """
    fresh = [name for name in method.state_dict() if "num_batches" not in name]
    in_part = any(name.startswith("trunk.") and not method.starts_from(name) for name in fresh)
    if plan.weights is not None and plan.init is not None and not in_part:
        raise UsageError("weights and init both start the trunk: give one of them")
    starts: list[Start] = []
    source = plan.init or (None if plan.weights is not None and not in_part else plan.recipe.init)
    before = set(fresh)
    if plan.weights is not None:
        start, left = load_trunk(method, plan.weights)
        reports.note(f"the trunk starts from {plan.weights}" + (f"; not used: {', '.join(left[:4])}" if left else ""))
        starts.append(start)
        before = {name for name in before if not name.startswith("trunk.")}
    elif in_part and plan.init is not None and plan.recipe.init is not None:
        start = read_start(plan.recipe.init)
        before = set(start.put_into(method, plan.recipe.init, everything=True))
        reports.note(f"what is not taken from {plan.init} starts from {plan.recipe.init}")
        starts.append(start)
    if source is not None:
        start = read_start(source)
        fresh = start.put_into(method, source)
        new = parts_of([name for name in fresh if name in before], method)
        reports.note(f"weights start from {source}" + (f"; fresh: {', '.join(new)}" if new else ""))
        starts.append(start)
    method.weights_loaded(fresh)
    licences = [header.licence, *(start.licence for start in starts)]
    return header.model_copy(
        update={
            "provenance": "; ".join(
                filter(None, [header.provenance, *(f"started from {start.words}" for start in starts)])
            ),
            "sources": [*header.sources, *(entry for start in starts for entry in start.sources)],
            "licence": " and ".join(dict.fromkeys(filter(None, licences))),
        }
    )
