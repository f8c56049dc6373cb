"""Learning the code pyramid on frozen embeddings: 'hash any embedding'.

The head and the objective are the paper's (All-in-One). With frozen embeddings and a few hundred people the danger is
learning those people by heart, and three things help against it. mAP of the codes of 2048, 512, 128 and 32 bits, on
people held out of the training split of real pictures (`studies/hash_embedding.py --ablation`, mirrored pictures
averaged):

- the paper's objective from a random start: 68.5, 66.7, 53.5, 28.5;
- similarity distillation at 100 instead of 1000: 73.1, 66.3, 52.7, 29.2;
- and dropout on the embedding: 73.1, 68.6, 57.1, 33.8;
- and the discriminant start (`swiftreid.training.frozen.discriminant`) with a gentle learning rate: 75.4, 71.3,
  59.1, 34.8.

The discriminant start does most of it: without training it gives 75.2, 71.6, 58.5, 34.8 (one seed; seeds differ by
about 0.5, at 32 bits by 1). Tried and left out, because they gave nothing there: a wide nonlinear adapter (worse),
whitening (worse), hard signs with straight-through gradients, weight decay, supervised contrast, made-up people, and
random crops and colours of the training pictures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from math import inf
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods.all_in_one import AllInOne, AllInOneConfig
from swiftreid.nn.pyramid import LENGTHS, CodePyramid, check_lengths
from swiftreid.progress import Progress, no_progress
from swiftreid.training.folding import folded
from swiftreid.training.frozen.discriminant import fit_discriminant, start_weights
from swiftreid.training.person_batches import PersonBatches


@dataclass(frozen=True)
class FrozenConfig:
    """How `fit_pyramid` trains.

    Attributes:
        lengths: code lengths in bits, longest first.
        objective: the All-in-One objective and its weights. **Decision**: the similarity distillation weighs 100
            instead of the paper's 1000, which on held-out people cost the short codes a little.
        start: ``"discriminant"`` starts the pyramid from `swiftreid.training.frozen.discriminant`; ``"random"`` as
            the paper.
        shrinkage: of the discriminant.
        epochs: passes over the pictures (a pass draws as many pictures as there are).
        persons_per_batch: P.
        pictures_per_person: K.
        learning_rate: peak of the one-cycle schedule, for the pyramid. It suits the discriminant start; a random start
            needs about 4e-3.
        classifier_rate: the same for the classifiers, which always start at random.
        dropout: share of the embedding's values dropped in training.
        norm_bias: whether the bias of the codes' BN is learned. **Decision**: here it is, unlike in the network
            (`swiftreid.nn.pyramid.CodePyramid`): the figures of codes on frozen embeddings were measured with it.
        unit: divide embeddings by their Euclidean norm first.

    Raises:
        UsageError: a value is out of range.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    lengths: tuple[int, ...] = LENGTHS
    objective: AllInOneConfig = field(default_factory=lambda: AllInOneConfig(similarity_weight=100.0))
    start: Literal["discriminant", "random"] = "discriminant"
    shrinkage: float = 1.0
    epochs: int = 15
    persons_per_batch: int = 64
    pictures_per_person: int = 4
    learning_rate: float = 5e-5
    classifier_rate: float = 4e-3
    dropout: float = 0.3
    norm_bias: bool = True
    unit: bool = True

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UsageError(f"training needs at least 1 epoch, got {self.epochs}")
        most = {"epochs": 1_000_000, "persons_per_batch": 65_536, "pictures_per_person": 4096}
        for name, limit in most.items():
            if getattr(self, name) > limit:
                raise UsageError(f"{name} must be at most {limit:,}, got {getattr(self, name):,}")
        if not (0 < self.learning_rate < inf and 0 < self.classifier_rate < inf):
            raise UsageError(f"learning rates must be above 0, got {self.learning_rate} and {self.classifier_rate}")
        if self.start not in ("discriminant", "random"):
            raise UsageError(f"the start must be 'discriminant' or 'random', got {self.start!r}")
        if not 0 < self.shrinkage < inf:
            raise UsageError(f"the shrinkage must be above 0, got {self.shrinkage}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout must be from 0 to below 1, got {self.dropout}")
        check_lengths(self.lengths)


@dataclass(frozen=True)
class FittedPyramid:
    """A trained pyramid as arrays, and how it was made.

    Attributes:
        tensors: arrays that `swiftreid.encoding.pyramid.PyramidCodes` takes.
        record: settings, seed, sizes, seconds and the loss of each epoch; ready for JSON.
    """

    tensors: Mapping[str, NDArray[np.float32]]
    record: Mapping[str, Any]


def fit_pyramid(
    embeddings: NDArray[np.float32],
    persons: NDArray[np.integer],
    cameras: NDArray[np.integer] | None = None,
    *,
    seed: int,
    config: FrozenConfig | None = None,
    progress: Progress = no_progress,
    task: str = "learning codes",
) -> FittedPyramid:
    """Learn an All-in-One pyramid on top of embeddings that stay as they are.

    Args:
        embeddings: float [n, d], or [views, n, d] for several views of each picture (view 0 unchanged); each time a
            picture is drawn, one of its views is taken at random.
        persons: person of each picture, int [n], any numbers.
        cameras: camera of each picture, int [n]; the discriminant start then learns what changes from camera to camera.
        seed: of the initial weights and of all drawing. The same seed, embeddings, settings and number of torch threads
            give the same arrays.
        config: how to train.
        progress: takes epochs done and epochs in all, with the mean loss as detail.
        task: what progress calls it.

    Raises:
        UsageError: shapes disagree, an embedding is not finite, or there are fewer than two persons.
        SwiftReIDError: the loss became NaN or infinite.
    """
    config = config or FrozenConfig()
    views = _checked_views(embeddings, persons, cameras)
    names, classes = np.unique(persons, return_inverse=True)
    if len(names) < 2:
        raise UsageError(f"training needs pictures of at least 2 persons, got {len(names)}")
    if config.unit:
        views = views / np.maximum(np.linalg.norm(views, axis=2, keepdims=True), 1e-12)
    mean = views.mean(axis=(0, 1))
    spread = views.std(axis=(0, 1))
    spread = np.where(spread > 1e-6 * spread.max(initial=1e-12), spread, 1.0).astype(np.float32)
    inputs = torch.from_numpy((views - mean) / spread)
    targets = torch.from_numpy(classes.astype(np.int64))

    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = CodePyramid(views.shape[2], config.lengths, dropout=config.dropout, norm_bias=config.norm_bias)
        if config.start == "discriminant":
            _start(head, inputs.numpy(), classes, cameras, rng=rng, shrinkage=config.shrinkage)
        objective = AllInOne(config.lengths, len(names), config.objective)
        started = time.perf_counter()
        losses = _train(head, objective, inputs, targets, rng=rng, config=config, report=partial(progress, task))
        seconds = time.perf_counter() - started
    record = {
        "config": asdict(config),
        "seed": seed,
        "pictures": int(views.shape[1]),
        "views": int(views.shape[0]),
        "embedding": int(views.shape[2]),
        "persons": len(names),
        "cameras": None if cameras is None else len(np.unique(cameras)),
        "seconds": round(seconds, 2),
        "torch_threads": torch.get_num_threads(),
        "losses": losses,
    }
    return FittedPyramid(tensors=folded(head, mean, spread, unit=config.unit), record=record)


def _start(
    head: CodePyramid,
    inputs: NDArray[np.float32],
    classes: NDArray[np.integer],
    cameras: NDArray[np.integer] | None,
    *,
    rng: np.random.Generator,
    shrinkage: float,
) -> None:
    """Put the discriminant start into the head."""
    discriminant = fit_discriminant(inputs, classes, cameras, shrinkage=shrinkage)
    weights = start_weights(inputs.reshape(-1, inputs.shape[2]), discriminant, head.lengths, rng)
    for level, weight in zip(head.levels, weights, strict=True):
        level.load_state_dict({"weight": torch.from_numpy(weight)})


def _checked_views(
    embeddings: NDArray[np.float32], persons: NDArray[np.integer], cameras: NDArray[np.integer] | None
) -> NDArray[np.float32]:
    """Embeddings as float32 [views, n, d], everything checked."""
    views = np.asarray(embeddings, dtype=np.float32)
    views = views[None] if views.ndim == 2 else views
    if views.ndim != 3 or 0 in views.shape:
        raise UsageError(f"embeddings must have shape [n, d] or [views, n, d], got {np.shape(embeddings)}")
    count = views.shape[1]
    for name, labels in (("persons", persons), ("cameras", cameras)):
        if labels is not None and np.shape(labels) != (count,):
            raise UsageError(f"{name} must have one entry for each of {count} pictures, got shape {np.shape(labels)}")
    bad = np.flatnonzero(~np.isfinite(views).all(axis=(0, 2)))
    if len(bad):
        raise UsageError(f"the embedding of picture {int(bad[0])} (and of {len(bad) - 1} more) is not finite")
    return views


def _train(
    head: CodePyramid,
    objective: AllInOne,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    *,
    rng: np.random.Generator,
    config: FrozenConfig,
    report: Callable[[int, int, str], None],
) -> list[float]:
    """Run the loop; return the mean loss of each epoch."""
    batches = PersonBatches(
        targets.numpy(),
        persons_per_batch=config.persons_per_batch,
        pictures_per_person=config.pictures_per_person,
        rng=rng,
    )
    rates = [config.learning_rate, config.classifier_rate]
    optimizer = torch.optim.Adam(
        [{"params": part.parameters(), "lr": lr} for part, lr in zip((head, objective), rates, strict=True)]
    )
    steps = max(2, config.epochs * batches.batches_per_epoch)
    warm_up = max(0.1, 1.5 / steps)  # OneCycleLR divides by zero where the warm-up is one step long
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps, pct_start=warm_up)
    head.train()
    draw = iter(batches)
    losses: list[float] = []
    for epoch in range(config.epochs):
        total = 0.0
        for step in range(batches.batches_per_epoch):
            chosen = next(draw)
            views = rng.integers(0, len(inputs), len(chosen))
            terms = objective(head.codes(inputs[views, chosen]), targets[chosen])
            loss = float(terms["total"].detach())
            if not np.isfinite(loss):
                broken = ", ".join(name for name, term in terms.items() if not bool(torch.isfinite(term)))
                raise SwiftReIDError(
                    f"the loss became {loss} in epoch {epoch + 1}, batch {step + 1} (terms: {broken}): "
                    f"lower the learning rates (now {config.learning_rate:g} and {config.classifier_rate:g})"
                )
            optimizer.zero_grad()
            terms["total"].backward()
            optimizer.step()
            schedule.step()
            total += loss
        losses.append(round(total / batches.batches_per_epoch, 4))
        report(epoch + 1, config.epochs, f"loss {losses[-1]:.3f}")
    head.eval()
    return losses
