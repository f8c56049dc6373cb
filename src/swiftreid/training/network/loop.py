"""The training loop: labels and batches in, weights out, and nothing lost on the way."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swiftreid.errors import SwiftReIDError
from swiftreid.methods.method import Method
from swiftreid.progress import Progress, no_progress
from swiftreid.training.network.augmentation import augmented
from swiftreid.training.network.average import WeightAverage
from swiftreid.training.network.batches import EpochBatches, steps_of_epoch
from swiftreid.training.network.checkpoint import CHECKPOINT, CheckpointHeader, restore, save_checkpoint, targets_state
from swiftreid.training.network.embedding import embed_pictures
from swiftreid.training.network.labelling import Labelling
from swiftreid.training.network.optimisers import make_optimiser
from swiftreid.training.network.processes import World, any_process, average_gradients
from swiftreid.training.network.recipe import NetworkRecipe
from swiftreid.training.network.run_log import RunLog
from swiftreid.training.network.schedule import rate_at
from swiftreid.training.network.stopping import Stopped, stop_requests
from swiftreid.training.pictures import TrainingPictures
from swiftreid.training.targets.targets import Targets

FORMATS = {"off": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class StepReport:
    """Where a run stands after a step.

    Attributes:
        step: steps done.
        steps: steps of the whole run.
        epoch: epochs done, with the share of the one under way.
        loss: mean total loss of the epoch under way.
        rate: learning rate, as a share of the recipe's.
        pictures_per_second: learned from, since the run started or resumed.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    rate: float
    pictures_per_second: float

    @property
    def words(self) -> str:
        """Epoch, loss and speed, as progress shows them."""
        return f"epoch {self.epoch:.1f}, loss {self.loss:.3f}, {self.pictures_per_second:,.0f} pictures/s"


@dataclass(frozen=True)
class _Network:
    """A run's network as targets see it, `swiftreid.training.targets.targets.Embed`."""

    run: Run
    progress: Progress

    def __call__(self) -> NDArray[np.float32]:
        return self.run.embeddings(self.progress)

    def weights(self) -> Mapping[str, Tensor]:
        with self.run.averaged():
            given = self.run.method.weights_for_targets()
            return {name: value.detach().cpu().clone() for name, value in given.items()}


class Run:
    """One training run, from the first step or from a checkpoint.

    Args:
        method: the network with its objective, on ``world.device``.
        recipe: how to train.
        pictures: what to learn from.
        targets: give the labels of these pictures for every epoch.
        header: what the run is of, and its seed.
        world: this process among others.
        folder: where checkpoints, logs and the recipe go; None writes nothing.
        tensorboard: whether to write events for it.
        start: weights that training started from, of which the recipe keeps a share (`NetworkRecipe.keep_start`).
    """

    def __init__(
        self,
        method: Method,
        recipe: NetworkRecipe,
        pictures: TrainingPictures,
        targets: Targets,
        header: CheckpointHeader,
        *,
        world: World,
        folder: Path | None,
        tensorboard: bool = False,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.method, self.recipe, self.header = method, recipe, header
        self._pictures, self._world = pictures, world
        self._folder = folder if world.first else None
        self._attributes = None if pictures.attributes is None else torch.from_numpy(pictures.attributes)
        self._labelling = Labelling(targets, len(pictures), world)
        self._changing = targets.changing
        # Of files and views: where a run is only exported, views are not made again.
        drawn = (pictures.files - targets.beside) * recipe.views
        self._steps_of_epoch = steps_of_epoch(drawn, targets.groups, recipe.batches, recipe.schedule.per_epoch)
        self._batches: EpochBatches | None = None
        self.steps = recipe.schedule.epochs * self._steps_of_epoch
        """Steps of the whole run."""
        self.optimiser = make_optimiser(method, recipe.optimiser)
        self._peaks = [float(group["lr"]) for group in self.optimiser.param_groups]
        self.average = WeightAverage(method, recipe.ema) if recipe.ema else None
        self._start = start or {}
        self._scaler = torch.amp.GradScaler(world.device.type, enabled=recipe.amp == "fp16")
        self.log = RunLog(self._folder, tensorboard=tensorboard)

    def resume(self, header: CheckpointHeader, tensors: dict[str, Tensor]) -> None:
        """Take up a checkpoint of the same recipe and data.

        Raises:
            SwiftReIDError: its targets were others.
        """
        self.header = header
        restore(header, tensors, self.method, self.optimiser, self.average)
        self._labelling.restore(targets_state(tensors))
        if self._scaler.is_enabled() and "scaler" in header.numbers:
            scaler = {"scale": header.numbers["scaler"], "_growth_tracker": int(header.numbers["growth"])}
            self._scaler.load_state_dict({**self._scaler.state_dict(), **scaler})

    def train(
        self,
        *,
        progress: Progress = no_progress,
        on_step: Callable[[StepReport], None] | None = None,
        on_epoch: Callable[[int], None] | None = None,
        save_every: float = 600.0,
    ) -> None:
        """Train to the end.

        Args:
            progress: takes steps done and steps in all, with epoch, loss and pictures per second as detail.
            on_step: takes the report of every step.
            on_epoch: takes the number of epochs done after every epoch, while the averaged weights are in place.
            save_every: seconds between checkpoints; there is one at the end in any case.

        Raises:
            Stopped: SIGTERM or SIGINT came; the checkpoint is written.
            SwiftReIDError: the loss became NaN or infinite (the message names its terms), or nothing can be learned
                from an epoch's labels. The last checkpoint stays.
        """
        started, learned, saved = time.perf_counter(), 0, time.perf_counter()
        batches, per_epoch = self.recipe.batches, self._steps_of_epoch
        running: dict[str, float] = defaultdict(float, self.header.running)
        with stop_requests() as requests:
            self._start_log()
            for step in range(self.header.step, self.steps):
                epoch, in_epoch = divmod(step, per_epoch)
                if in_epoch == 0 or self._batches is None:
                    self._start_epoch(epoch, resumed=in_epoch > 0, progress=progress)
                self.method.train()
                for name, value in self._step(step).items():
                    running[name] += value
                learned += batches.persons * batches.pictures * batches.per_step
                done, in_epoch = step + 1, in_epoch + 1
                report = StepReport(
                    done,
                    self.steps,
                    done / per_epoch,
                    running["total"] / in_epoch,
                    rate_at(self.recipe.schedule, step, per_epoch),
                    learned / (time.perf_counter() - started),
                )
                losses = self.header.losses
                if in_epoch == per_epoch:
                    means = {name: value / per_epoch for name, value in running.items()}
                    self.log.write("train", done, {**means, **self._rates(), "per_second": report.pictures_per_second})
                    losses = [*losses, round(means["total"], 5)]
                    running.clear()
                self.header = self.header.model_copy(
                    update={"step": done, "losses": losses, "running": dict(running), "numbers": self._numbers()}
                )
                progress("training", done, self.steps, report.words)
                if on_step is not None:
                    on_step(report)
                if in_epoch == per_epoch and on_epoch is not None:
                    with self.exported():
                        on_epoch(done // per_epoch)
                stopped = any_process(bool(requests), self._world)
                if stopped or done == self.steps or time.perf_counter() - saved > save_every:
                    self.save()
                    saved = time.perf_counter()
                if stopped:
                    raise Stopped(
                        f"asked to stop after step {done} of {self.steps}; the checkpoint is written, and the run "
                        "can be resumed"
                    )

    def _start_epoch(self, epoch: int, *, resumed: bool, progress: Progress) -> None:
        """Ask for the epoch's labels, unless they came with the checkpoint, and draw its batches."""
        labels = self._labelling.current if resumed and self._changing else None
        if labels is None:
            labels = self._labelling.start_epoch(epoch, _Network(self, progress))
        if self._changing and not resumed:
            groups = len(np.unique(labels.groups))
            words = {"pictures": len(labels.rows), "groups": groups, "classes": labels.classes}
            self.log.write("targets", epoch * self._steps_of_epoch, {**words, **labels.figures})
        self.method.start_epoch(labels.classes, labels.memory)
        recipe = self.recipe.batches
        self._batches = EpochBatches(
            labels.rows,
            labels.groups,
            recipe,
            seed=self.header.seed,
            epoch=epoch,
            steps=self._steps_of_epoch,
            domains=labels.domains,
        )

    def embeddings(self, progress: Progress = no_progress) -> NDArray[np.float32]:
        """Embeddings of all training pictures as the encoder would give them now, float32 [n, d]."""
        with self.averaged(), self._autocast():
            return embed_pictures(self.method, self._pictures, mirror=self.recipe.mirror, progress=progress)

    def _start_log(self) -> None:
        words: dict[str, float | int | str] = {
            "seed": self.header.seed,
            "data": self.header.data,
            "persons": len(self.header.persons),
            "pictures": self._pictures.files,
            "device": str(self._world.device),
            "processes": self._world.size,
            "torch": torch.__version__,
        }
        self.log.start(self.header.step, words, self.recipe.model_dump(mode="json"))

    def _rates(self) -> dict[str, float]:
        """The learning rates of the last step by their names in the recipe: the trunk's where it has its own."""
        own = self.recipe.optimiser.trunk_rate is not None
        return {
            "trunk_rate" if own and group["part"] == "trunk" else "learning_rate": float(group["lr"])
            for group in self.optimiser.param_groups
        }

    def save(self) -> None:
        """Write the checkpoint."""
        if self._folder is not None:
            self.log.flush()
            path = self._folder / CHECKPOINT
            targets = self._labelling.tensors()
            save_checkpoint(path, self.header, self.method, self.optimiser, self.average, targets=targets)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The averaged weights in place of the last step's, where the recipe wants an average."""
        self.method.eval()
        if self.average is None:
            yield
            return
        before = self.average.swapped(self.method)
        try:
            yield
        finally:
            self.method.load_state_dict(before)

    @contextmanager
    def exported(self) -> Iterator[None]:
        """The weights that are evaluated and exported: averaged, with the share of the start that the recipe keeps."""
        with self.averaged():
            share = self.recipe.keep_start
            if not share:
                yield
                return
            before = {name: value.detach().clone() for name, value in self.method.state_dict().items()}
            mixed = {
                name: torch.lerp(value, self._start[name].to(value), share)
                if name in self._start and value.is_floating_point() and self._start[name].shape == value.shape
                else value
                for name, value in before.items()
            }
            self.method.load_state_dict(mixed)
            try:
                yield
            finally:
                self.method.load_state_dict(before)

    def _autocast(self) -> torch.autocast:
        amp = self.recipe.amp
        return torch.autocast(self._world.device.type, FORMATS[amp], enabled=amp != "off")

    def _step(self, step: int) -> dict[str, float]:
        """One step of the optimiser; the mean of each term of the loss."""
        recipe, device = self.recipe, self._world.device
        labels = self._labelling.current
        assert labels is not None and self._batches is not None, "an epoch was started"  # noqa: PT018
        share = rate_at(recipe.schedule, step, self._steps_of_epoch)
        for group, peak in zip(self.optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * share
        batches = self._batches.of_step(step % self._steps_of_epoch)
        own = self._world.own(len(batches))
        self.optimiser.zero_grad(set_to_none=True)
        means: dict[str, float] = defaultdict(float)
        for number in own:
            among_labels, places = batches[number]
            # Whatever is drawn at random depends on the seed, the step and the batch: a resumed run draws the same.
            seed = int(np.random.SeedSequence([self.header.seed, 2, step, number]).generate_state(1)[0])
            generator = torch.Generator().manual_seed(seed)
            torch.manual_seed(seed + 1)  # dropout
            raw = torch.from_numpy(self._pictures.read(places)).to(device)
            pictures = augmented(raw, recipe.augmentation, generator).contiguous(memory_format=torch.channels_last)
            with self._autocast():
                attributes = None if self._attributes is None else self._attributes[places].to(device)
                terms = self.method.loss(pictures, labels.values[among_labels].to(device), attributes)
            values = {name: float(term.detach()) for name, term in terms.items()}
            if not isfinite(values["total"]):
                self._refuse(step, values)
            for name, value in values.items():
                means[name] += value / len(own)
            self._scaler.scale(terms["total"] / len(own)).backward()  # type: ignore[no-untyped-call]
        average_gradients(self.method, self._world)
        self._labelling.synchronise()
        if recipe.optimiser.clip is not None:
            self._scaler.unscale_(self.optimiser)
            torch.nn.utils.clip_grad_norm_(self.method.parameters(), recipe.optimiser.clip)
        self._scaler.step(self.optimiser)
        self._scaler.update()
        if self.average is not None:
            self.average.update(self.method, step)
        return dict(means)

    def _refuse(self, step: int, values: dict[str, float]) -> None:
        broken = ", ".join(name for name, value in values.items() if not isfinite(value) and name != "total")
        rate = self.optimiser.param_groups[0]["lr"]
        raise SwiftReIDError(
            f"the loss became {values['total']} in step {step + 1} (terms: {broken or 'their sum'}; learning rate "
            f"{rate:.3g}): lower optimiser.learning_rate, lengthen schedule.warm_up, or set optimiser.clip, such as 5"
            + ("; or set amp to bf16 or off" if self.recipe.amp == "fp16" else "")
        )

    def _numbers(self) -> dict[str, float]:
        if not self._scaler.is_enabled():
            return {}
        state: dict[str, Any] = self._scaler.state_dict()
        return {"scaler": float(state["scale"]), "growth": float(state["_growth_tracker"])}
