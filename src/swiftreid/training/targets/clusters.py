"""Targets without labels: clusters of the current embeddings, made again at every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from swiftreid.clustering.answers import PairAnswer, known_pairs
from swiftreid.clustering.self_paced import DensitySettings, density_people
from swiftreid.clustering.two_stage import (
    ALONE,
    ClusterSettings,
    KnownPairs,
    PeopleClusters,
    centroids_of,
    cluster_people,
    first_of,
)
from swiftreid.data.numbering import numbers_of
from swiftreid.data.samples import NumberedSample
from swiftreid.encoding.camera_statistics import ENOUGH, fit_camera_statistics
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods.cluster_memory import ClusterMemoryConfig
from swiftreid.training.targets.targets import Embed, EpochLabels, Targets, TargetsPlan


class Clusters(Targets):
    """Clusters within each camera, linked across cameras; pictures that are alone are left out of the epoch.

    Args:
        plan: what the targets are made for; persons are not looked at.
        settings: how to cluster.
        answers: about pairs of pictures, by their ids; for two-stage clusters only, as are tracks.

    Raises:
        UsageError: there are answers, and the plan's method wants other clusters.
    """

    labelled: ClassVar[bool] = False

    def __init__(
        self, plan: TargetsPlan, settings: ClusterSettings | None = None, answers: Sequence[PairAnswer] = ()
    ) -> None:
        super().__init__(plan)
        self.settings, self.answers = settings or ClusterSettings(), answers
        self.density: DensitySettings | None = None
        if isinstance(plan.config, ClusterMemoryConfig) and plan.config.clusters == "dbscan":
            self.density = DensitySettings(eps=plan.config.eps, gap=0)
        if self.density is not None and answers:
            raise UsageError("clusters of DBSCAN take no answers about pairs: set clusters to two_stage")
        self.outputs = len(plan.samples)

    def cluster(self, embeddings: NDArray[np.float32], cameras: NDArray[np.int64]) -> PeopleClusters:
        """Who may be who, by embeddings float32 [n, d] of all pictures and their cameras, int64 [n]."""
        if self.density is not None:
            return density_people(embeddings, cameras, self.density)
        return cluster_people(
            embeddings,
            cameras,
            tracks=numbers_of([sample.tracklet for sample in self._samples()]),
            known=self._known(),
            settings=self.settings,
        )

    def _samples(self) -> list[NumberedSample]:
        """Those of the pictures that could be read, in their order."""
        assert self.pictures is not None, "read comes first"
        samples = {sample.path: sample for sample in self.plan.samples}
        return [samples[path] for path in self.pictures.paths]

    def _known(self) -> KnownPairs:
        return known_pairs(self.answers, [sample.id for sample in self._samples()])

    def take(self, epoch: int, found: PeopleClusters) -> None:
        """Called with the clusters of every epoch before they are learned from; nothing here.

        Raises:
            SwiftReIDError: they are not to be learned from.
        """

    def labels(self, epoch: int, embed: Embed) -> EpochLabels:
        """Values: cluster and proxy of each picture, int64 [m, 2]; memory: see `ClusterMemory.start_epoch`.

        Raises:
            SwiftReIDError: all clusters fell together, or there are none.
        """
        assert self.pictures is not None, "read comes first"
        cameras, raw = self.pictures.cameras, embed()
        found = self.cluster(normalised(raw, cameras), cameras)
        self.take(epoch, found)
        rows = np.flatnonzero(found.people >= 0)
        if len(np.unique(found.people[rows])) < 2:
            raise SwiftReIDError(
                f"targets of epoch {epoch + 1}: {len(raw):,} pictures fall into {len(np.unique(found.people[rows]))} "
                "groups: there is nothing to learn from"
            )
        people = found.people[rows]
        tracklets, proxies = np.unique(found.tracklets[rows], return_inverse=True)
        units = raw[rows] / np.maximum(np.linalg.norm(raw[rows], axis=1, keepdims=True), 1e-12)
        memory = {
            "clusters": torch.from_numpy(centroids_of(units, people, int(people.max()) + 1)),
            "proxies": torch.from_numpy(centroids_of(units, proxies, len(tracklets))),
            "proxy_cluster": torch.from_numpy(first_of(people, proxies, len(tracklets))),
            "proxy_camera": torch.from_numpy(first_of(cameras[rows], proxies, len(tracklets))),
            "doubtful": torch.from_numpy(_doubtful(found, tracklets, self._known().apart)),
        }
        values = torch.from_numpy(np.stack([people, proxies], axis=1))
        figures = {
            "alone": float((found.people == ALONE).mean()),
            "beyond_chance": found.beyond_chance,
            "threshold": found.threshold,
        }
        return EpochLabels(rows, people, values, int(people.max()) + 1, memory, figures=figures)


def _doubtful(found: PeopleClusters, tracklets: NDArray[np.int64], apart: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of proxies that may well be one person and are not taken for one, int64 [p, 2].

    Args:
        found: clusters.
        tracklets: of the proxies.
        apart: pairs of pictures that are known to show two people, int64 [a, 2]: there is no doubt about theirs.
    """
    count = int(found.tracklets.max()) + 1
    places = np.full(count, -1, np.int64)
    places[tracklets] = np.arange(len(tracklets))
    known = np.sort(found.tracklets[apart], axis=1)
    close = np.sort(np.stack([found.close.left, found.close.right], axis=1), axis=1)
    doubted = ~np.isin(close[:, 0] * count + close[:, 1], known[:, 0] * count + known[:, 1])
    pairs = np.stack([places[found.close.left], places[found.close.right]], axis=1)
    return pairs[doubted & (pairs >= 0).all(axis=1)]


def normalised(embeddings: NDArray[np.float32], cameras: NDArray[np.int64]) -> NDArray[np.float32]:
    """Without what is the cameras', where at least two have enough pictures to tell."""
    _, counts = np.unique(cameras, return_counts=True)
    if (counts >= ENOUGH).sum() < 2:
        return embeddings
    names = [str(camera) for camera in cameras.tolist()]
    return fit_camera_statistics(embeddings, names).normalise(embeddings, names)
