"""Targets and a method for tests: clusters of the current embeddings, learned by distances to their centroids.

Run as a program, `python toy_clusters.py DATA`, it trains on a data set twice, alone or among processes of torchrun: in
the folder `whole` to the end, in `parts` to a step and on from there.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from swiftreid.data.sources import open_data
from swiftreid.methods import METHODS
from swiftreid.methods.method import Method, NetworkConfig, with_total
from swiftreid.training.network.loop import StepReport
from swiftreid.training.network.plan import Plan, Reports
from swiftreid.training.network.processes import World, any_process, joined
from swiftreid.training.network.recipe import NetworkRecipe
from swiftreid.training.network.stopping import Stopped
from swiftreid.training.network.train import train_network
from swiftreid.training.targets.targets import Embed, EpochLabels, Targets, TargetsPlan

MOST = 6
RECIPE: dict[str, Any] = {
    "size": [48, 24],
    "settings": {"trunk": "resnet18_half"},
    "batches": {"persons": 4, "pictures": 2, "per_step": 2},
    "schedule": {"epochs": 4, "warm_up": 0},
    "ema": 0.9,
}


def k_means(values: NDArray[np.float32], k: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[Any]]:
    centroids = values[rng.choice(len(values), k, replace=False)]
    for _ in range(5):
        nearest = ((values[:, None] - centroids) ** 2).sum(2).argmin(1)
        centroids = np.stack([values[nearest == c].mean(0) if (nearest == c).any() else centroids[c] for c in range(k)])
    return nearest, centroids


class Clusters(Targets):
    """Another number of clusters in every epoch; those farthest from their centroid, and small clusters, are left out.

    Its state is how often each picture was left out; the next epoch keeps those that were left out most.
    """

    def __init__(self, plan: TargetsPlan) -> None:
        super().__init__(plan)
        self.outputs = MOST
        self._left_out = torch.zeros(len(plan.samples), dtype=torch.int64)
        self.embeddings: list[NDArray[np.float32]] = []

    def labels(self, epoch: int, embed: Embed) -> EpochLabels:
        values = embed()
        self.embeddings.append(values)
        values = values / np.linalg.norm(values, axis=1, keepdims=True)
        rng = np.random.default_rng([self.plan.seed, epoch])
        nearest, centroids = k_means(values, MOST - epoch % 3, rng)
        apart = ((values - centroids[nearest]) ** 2).sum(1) - 0.01 * self._left_out.numpy()
        rows = np.flatnonzero((apart < np.quantile(apart, 0.8)) & (np.bincount(nearest)[nearest] > 2))
        self._left_out += 1
        self._left_out[torch.from_numpy(rows)] -= 1
        used, clusters = np.unique(nearest[rows], return_inverse=True)
        memory = {"centroids": torch.from_numpy(centroids[used].astype(np.float32))}
        return EpochLabels(rows, clusters, torch.from_numpy(clusters), len(used), memory)

    def state(self) -> Mapping[str, Tensor]:
        return {"left_out": self._left_out}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._left_out.copy_(state["left_out"])


class ClusterMemory(Method):
    """Cross-entropy over the cosines to the centroids, which follow the pictures."""

    config_type = NetworkConfig
    learns_from = "toy_clusters"
    unit = True

    def __init__(self, _classes: int, config: NetworkConfig) -> None:
        super().__init__(config)
        self.centroids = torch.empty(0)

    def start_epoch(self, classes: int, memory: Mapping[str, Tensor]) -> None:
        self.centroids = memory["centroids"]
        assert len(self.centroids) == classes

    def loss(self, pictures: Tensor, labels: Tensor, attributes: Tensor | None = None) -> dict[str, Tensor]:
        vectors = self.embed(pictures)
        terms = {"memory": functional.cross_entropy(vectors @ self.centroids.T.clone() / 0.05, labels)}
        with torch.no_grad():
            for vector, label in zip(vectors, labels, strict=True):
                self.centroids[label] = functional.normalize(0.8 * self.centroids[label] + 0.2 * vector, dim=0)
        return with_total(terms)

    def embed(self, pictures: Tensor) -> Tensor:
        return functional.normalize(self.pooling(self.trunk(pictures)))


def run(
    data: Path,
    folder: Path,
    *,
    resume: bool = False,
    stop: int | None = None,
    method: str = "toy_clusters",
    world: World | None = None,
) -> list[Clusters]:
    """Train with the toy's targets, to the end or to some step; returns the targets."""
    made: list[Clusters] = []

    def targets(plan: TargetsPlan) -> Targets:
        made.append(Clusters(plan))
        return made[-1]

    def on_step(report: StepReport) -> None:
        if report.step == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    recipe = NetworkRecipe.model_validate({**RECIPE, "method": method})
    plan = Plan(open_data(data, need=("train",)), recipe, folder, seed=3, targets=targets, resume=resume)
    try:
        train_network(plan, Reports(on_step=on_step), world=world)
    except Stopped:
        assert stop is not None
    else:
        assert stop is None
    return made


if __name__ == "__main__":
    METHODS.register("toy_clusters", ClusterMemory)
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    with joined("cpu") as processes:
        run(data, Path("whole"), world=processes)
        run(data, Path("parts"), stop=6, world=processes)
        any_process(False, processes)  # wait for the checkpoint, which one of them writes
        run(data, Path("parts"), resume=True, world=processes)
