"""Adapting an encoder to cameras without labels: normalise, cluster, train, put codes on it, compare."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.adaptation.guard import GuardVerdict, judge, too_few
from swiftreid.adaptation.guard_log import log_verdict
from swiftreid.adaptation.pictures import UnlabelledPictures, embed_pictures, held_out_rows, in_words
from swiftreid.clustering.answers import PairAnswer
from swiftreid.clustering.two_stage import ALONE, ClusterSettings, PeopleClusters
from swiftreid.data.samples import NamedSample
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.camera_encoder import with_cameras
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods.cluster_memory import embedding_settings
from swiftreid.progress import Progress
from swiftreid.training.frozen.learning import Learning, Origin, Views, learn_codes
from swiftreid.training.frozen.recipe import FrozenRecipe
from swiftreid.training.network.checkpoint import CHECKPOINT
from swiftreid.training.network.initial_weights import read_start
from swiftreid.training.network.plan import Plan, Reports
from swiftreid.training.network.processes import World
from swiftreid.training.network.recipe import NetworkRecipe
from swiftreid.training.network.train import train_network
from swiftreid.training.targets.clusters import Clusters
from swiftreid.training.targets.targets import Targets, TargetsPlan

LEAST_GROUPS: Final = 20
"""Groups of two pictures or more that it takes to learn from."""

TRIAL: Final = "trial"
"""Folder of the run that the guard judges."""

FINAL: Final = "final"
"""Folder of the run on all pictures."""

SHRINKAGE: Final = 10.0
"""Of the discriminant below codes on groups: the network learned from these very pictures, and others scatter more."""

_COLLAPSED: Final = 0.25  # share of the pictures in one group


@dataclass(frozen=True)
class AdaptSettings:
    """How an encoder is adapted.

    Attributes:
        recipe: of the training; trunk, embedding, size and start are the encoder's.
        clusters: how pictures are clustered.
        held_out: share of the groups that the trial does not learn from: the guard compares on them.
        trial: epochs of the trial, as a share of the recipe's.
        force: whether to learn from all pictures even where the guard does not believe in the trial.
        trial_only: whether to stop after the trial, whatever the guard says.
        seed: of everything random.
    """

    recipe: NetworkRecipe
    clusters: ClusterSettings = field(default_factory=ClusterSettings)
    held_out: float = 0.5
    trial: float = 0.5
    force: bool = False
    trial_only: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.held_out < 1 and 0 < self.trial <= 1):
            raise UsageError(
                f"held_out is between 0 and 1, and trial above 0 up to 1; got {self.held_out} and {self.trial}"
            )


@dataclass(frozen=True)
class Adapted:
    """What came out.

    Attributes:
        encoder: the adapted one, with statistics of cameras, and with codes where the one before had some. It learned
            from all pictures; where the guard did not believe in the trial, or is asked for alone, it is the trial's.
        verdict: of the guard.
        before: the groups that the encoder as it was gives.
        after: those that the adapted one gives.
        pictures: of both.
    """

    encoder: Encoder
    verdict: GuardVerdict
    before: PeopleClusters
    after: PeopleClusters
    pictures: UnlabelledPictures


def adapt(
    encoder: Encoder,
    samples: Sequence[NamedSample],
    folder: Path,
    *,
    init: str,
    name: str,
    data: str,
    settings: AdaptSettings,
    data_fingerprint: str = "",
    answers: Sequence[PairAnswer] = (),
    no_overlap: Collection[tuple[str, str]] = (),
    resume: bool = False,
    reports: Reports | None = None,
    world: World | None = None,
    targets: Callable[[TargetsPlan], Targets] | None = None,
) -> Adapted:
    """Make an encoder better for the cameras of some unlabelled pictures.

    A trial learns from some of the people, and the guard judges it by the others. If it believes in the trial, training
    starts again with all of them.

    Args:
        encoder: of pictures, with an embedding.
        samples: pictures, best of many people and with their cameras; persons are not looked at.
        folder: of the runs `TRIAL` and `FINAL`: checkpoints and logs.
        init: file of the encoder, name of a shipped one, or a checkpoint with its network.
        name: of the new encoder.
        data: what the pictures are of, for the card.
        settings: how.
        data_fingerprint: of the data set that they are of, where it is one that encoders are measured on.
        answers: about pairs of the pictures, by their ids.
        no_overlap: pairs of cameras that see no place in common: whoever is under one is not under the other at once.
        resume: whether to resume from the folder's checkpoints, as far as there are some.
        reports: where progress and notices go.
        world: this process and its device (`train_network`).
        targets: to learn from in place of clusters, such as a study's true labels.

    Raises:
        UsageError: the encoder has no network that can be trained, too few people are seen twice, or too few are held
            out for the guard, unless ``force`` is set.
        SwiftReIDError: clusters collapsed, no picture can be read, or training failed or spoiled the encoder.
    """
    reports = reports or Reports()
    recipe = recipe_for(encoder, settings.recipe, init)
    pictures = embed_pictures(encoder, samples, on_bad=reports.on_bad, progress=reports.progress)
    answers = [*pictures.apart(no_overlap), *answers]
    before = pictures.clusters(settings.clusters, answers)
    reports.note(f"as it is: {in_words(before)}")
    if (groups := before.groups) < LEAST_GROUPS:
        raise UsageError(
            f"{len(pictures.samples):,} pictures of {data} show {groups} people twice, as far as {encoder.card.name} "
            f"can tell; adapting needs {LEAST_GROUPS}: give more pictures, of longer times or more cameras"
        )
    rest = held_out_rows(before, settings.held_out, settings.seed)
    leads = pictures.leads(rest, before.tracklets)
    if (reason := too_few(leads)) and not settings.force:
        raise UsageError(
            f"the guard could not judge a trial: {reason}. Give more pictures or more cameras, or force it"
        )

    def trained(rows: NDArray[np.bool_], part: str, epochs: int) -> Encoder:
        schedule = recipe.schedule.model_copy(update={"epochs": epochs})
        plan = Plan(
            pictures.as_data(rows, data),
            recipe.model_copy(update={"schedule": schedule}),
            folder / part,
            seed=settings.seed,
            resume=resume and (folder / part / CHECKPOINT).is_file(),
            init=init,
            targets=targets or (lambda plan: _WatchedClusters(plan, settings.clusters, answers, reports)),
        )
        done = train_network(plan, reports, world=world)
        if done is None:
            raise UsageError("adapting works in one process: start it without torchrun")
        return done.encoder

    epochs = recipe.schedule.epochs
    made = trained(~rest, TRIAL, max(1, round(settings.trial * epochs)))
    new = embed_pictures(made, pictures.samples, progress=reports.progress)
    verdict = judge(leads, new.leads(rest, before.tracklets), before.groups_of_tracklets(rest))
    log_verdict(folder / TRIAL, verdict)
    reports.note(f"trial: {verdict.reason}")
    if (verdict.believed or settings.force) and not settings.trial_only:
        made = trained(np.ones(len(rest), bool), FINAL, epochs)
        new = embed_pictures(made, pictures.samples, progress=reports.progress)
    after = new.clusters(settings.clusters, answers)
    reports.note(f"adapted: {in_words(after)}")
    if after.groups < LEAST_GROUPS:
        raise SwiftReIDError(
            f"training spoiled the encoder: it finds {after.groups} people twice, and before {groups} "
            f"({verdict.reason}). No encoder was written: train for fewer steps or at a lower learning rate"
        )
    if encoder.pyramid:
        made = with_group_codes(
            made, encoder, new, after, name=name, data=data, seed=settings.seed, progress=reports.progress
        )
    if new.statistics is not None:
        words = f"{len(new.samples):,} unlabelled pictures of {data}"
        made = with_cameras(made, new.statistics, name=name, provenance=words, data_fingerprint=data_fingerprint)
    record = {"adapted_from": encoder.fingerprint, "guard": asdict(verdict), "seed": settings.seed}
    training = {**made.card.training, "adaptation": record}
    card = made.card.model_copy(update={"name": name, "training": training})
    return Adapted(made.with_card(card), verdict, before, after, new)


def recipe_for(encoder: Encoder, recipe: NetworkRecipe, init: str) -> NetworkRecipe:
    """A recipe for an encoder's own network: its trunk, its embedding, and the size of its pictures.

    Raises:
        UsageError: the encoder has no network that can be trained.
    """
    preprocessing = encoder.card.preprocessing
    if preprocessing is None:
        raise UsageError(f"encoder {encoder.card.name} takes vectors: there is no network to adapt")
    found = embedding_settings(read_start(init).weights)
    if found is None:
        raise UsageError(
            f"encoder {encoder.card.name} has none of swiftreid's own trunks, so it cannot be trained; statistics of "
            "cameras alone can be put on it: swiftreid.adaptation.normalising"
        )
    changes: dict[str, Any] = {
        "settings": {**recipe.settings, **found},
        "size": (preprocessing.height, preprocessing.width),
        "mirror": preprocessing.flip,
        "init": None,
    }
    return recipe.model_copy(update=changes)


def with_group_codes(
    network: Encoder,
    before: Encoder,
    pictures: UnlabelledPictures,
    clusters: PeopleClusters,
    *,
    name: str,
    data: str,
    seed: int,
    shrinkage: float = SHRINKAGE,
    progress: Progress,
) -> Encoder:
    """An encoder with codes of the lengths that another one has, learned on groups of pictures in place of people.

    Args:
        network: gives the embeddings of ``pictures``.
        before: has codes.
        pictures: to learn from.
        clusters: of them.
        name: on the card.
        data: what the pictures are of, for the card.
        seed: of the codes.
        shrinkage: of the discriminant, as a frozen recipe has it.
        progress: takes epochs.
    """
    lengths = sorted((int(code[2:]) for code in before.spec.names if code.startswith("id")), reverse=True)
    training = {"lengths": lengths, "unit": True, "shrinkage": shrinkage}
    recipe = FrozenRecipe.model_validate({"held_out": 0, "export": "fp16", "training": training})
    rows = clusters.people != ALONE
    nothing = np.empty((int(rows.sum()), 0), np.float32)
    views = Views(pictures.embeddings[None, rows], clusters.people[rows] + 1, pictures.cameras[rows], nothing)
    digest = hashlib.sha256(np.ascontiguousarray(pictures.raw).tobytes()).hexdigest()[:16]
    learning = Learning(None, None, recipe, seed, progress)
    origin = Origin(f"groups of {data}", digest, rendered=False)
    return learn_codes(network, views, learning, origin, name=name, beta=None, max_loss=0.005)


class _WatchedClusters(Clusters):
    """Clusters that are reported at every epoch, and that stop the run where they collapse."""

    def __init__(
        self, plan: TargetsPlan, settings: ClusterSettings, answers: Sequence[PairAnswer], reports: Reports
    ) -> None:
        super().__init__(plan, settings, answers)
        self._reports = reports

    def take(self, epoch: int, found: PeopleClusters) -> None:
        self._reports.note(f"epoch {epoch + 1}: {in_words(found)}")
        largest = int(np.bincount(found.people[found.people != ALONE]).max(initial=0))
        if largest > _COLLAPSED * len(found.people):
            raise SwiftReIDError(
                f"clusters collapsed in epoch {epoch + 1}: {largest:,} of {len(found.people):,} pictures are one "
                "person. No encoder was written: train for fewer steps or at a lower learning rate, or give pictures "
                "of more people"
            )
