"""Targets of the hybrid memory: people of a source with labels, and clusters and single pictures of a target without.

Ge et al., NeurIPS 2020 (SpCL), section 3; the method is `swiftreid.methods.hybrid_memory`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swiftreid.clustering.dbscan import OUTLIER
from swiftreid.clustering.self_paced import reliable_clusters
from swiftreid.clustering.two_stage import centroids_of
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import NOBODY, persons_of
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods.hybrid_memory import HybridMemoryConfig
from swiftreid.progress import Progress, no_progress
from swiftreid.training.pictures import TrainingPictures, load_pictures
from swiftreid.training.targets.clusters import normalised
from swiftreid.training.targets.targets import Embed, EpochLabels, Reading, Targets, TargetsOrigin, TargetsPlan


class Hybrid(Targets):
    """All pictures, those of the target grouped again at every epoch by the vectors that the memory has of them.

    The first epoch's vectors are the network's. Later ones are the memory's as the epoch before left it: the network
    need not run over all pictures again. Clusters that fail a test (`reliable_clusters`) are taken apart.

    A batch has P groups of K pictures of the source and as many of the target; K pictures that are in no cluster, each
    once, stand for a cluster.

    Args:
        plan: with the source, or without one; its ``config`` is of the method, and None takes the defaults.

    Raises:
        UsageError: the source has fewer than two people, or pictures of the target.
    """

    labelled: ClassVar[bool] = False
    takes_source: ClassVar[bool] = True

    def __init__(self, plan: TargetsPlan) -> None:
        super().__init__(plan)
        self.config = plan.config if isinstance(plan.config, HybridMemoryConfig) else HybridMemoryConfig()
        source = plan.source
        self._labelled = [] if source is None else [sample for sample in source.train if sample.person not in NOBODY]
        self._people = np.unique(persons_of(self._labelled))
        if source is not None:
            if len(self._people) < 2:
                raise UsageError(f"the source {source.name} has {len(self._people)} training people; 2 are needed")
            if both := {sample.path for sample in self._labelled} & {sample.path for sample in plan.samples}:
                raise UsageError(f"{min(both)} is of the source and of the target: give other data as source")
            words = f"beside {len(self._labelled):,} labelled pictures of {len(self._people):,} people of {source.name}"
            learned = {"data": source.name, "data_fingerprint": fingerprint_of(source)}
            self.origin = TargetsOrigin(words, sources=[learned])
        self.outputs = len(self._people) + len(plan.samples)
        self._independence: float | None = None
        self._progress: Progress = no_progress

    def read(self, reading: Reading) -> TrainingPictures:
        """The target's pictures, then the source's.

        Raises:
            SwiftReIDError: none of the target or of the source can be read.
        """
        self._progress = reading.progress
        self.pictures = load_pictures(
            [*self.plan.samples, *self._labelled],
            self.plan.size,
            on_bad=reading.on_bad,
            progress=reading.progress,
        )
        labelled = {sample.path for sample in self._labelled}
        self.beside = sum(path in labelled for path in self.pictures.paths)
        if self.beside == len(self.pictures) or (labelled and not self.beside):
            which = "source" if labelled and not self.beside else "target"
            raise SwiftReIDError(f"no picture of the {which} could be read; run `swiftreid doctor` on it")
        return self.pictures

    def labels(self, epoch: int, embed: Embed) -> EpochLabels:
        """Values: the entry in memory of each picture, int64 [n]; memory: see `HybridMemory.start_epoch`.

        Raises:
            SwiftReIDError: the memory of the epoch before is of other pictures.
        """
        assert self.pictures is not None, "read comes first"
        count = len(self.pictures) - self.beside
        people, persons = np.unique(self.pictures.persons[count:], return_inverse=True)
        entries = self._entries(embed, persons, len(people))
        instances, cameras = entries[len(people) :], self.pictures.cameras[:count]
        found = reliable_clusters(
            normalised(instances, cameras) if self.config.cameras else instances,
            self.config.clustering,
            independence=self._independence,
            progress=self._progress,
        )
        if found.found:
            self._independence = found.independence
        alone = found.clusters == OUTLIER
        clusters = int(found.clusters.max(initial=OUTLIER)) + 1
        groups = found.clusters.copy()
        groups[alone] = clusters + np.arange(int(alone.sum()))
        drawn = found.clusters.copy()
        drawn[alone] = clusters + self._by_turns(int(alone.sum()), epoch)
        memory = {
            "entries": torch.from_numpy(entries),
            "group": torch.from_numpy(np.concatenate([np.arange(len(people)), len(people) + groups])),
            "sources": torch.tensor(len(people)),
        }
        return EpochLabels(
            np.arange(len(self.pictures)),
            np.concatenate([drawn, persons]),
            torch.from_numpy(np.concatenate([len(people) + np.arange(count), persons])),
            len(people) + clusters + int(alone.sum()),
            memory,
            np.repeat([0, 1], [count, self.beside]) if self.beside else None,
        )

    def state(self) -> Mapping[str, Tensor]:
        """The independence that clusters need."""
        known = self._independence
        return {} if known is None else {"independence": torch.tensor(known, dtype=torch.float64)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave.

        Raises:
            SwiftReIDError: it is of other targets.
        """
        super().restore({name: value for name, value in state.items() if name != "independence"})
        if "independence" in state:
            self._independence = float(state["independence"])

    def _entries(self, embed: Embed, persons: NDArray[np.int64], people: int) -> NDArray[np.float32]:
        """The memory as an epoch finds it: people of the source, then target pictures, float32 [e, d]."""
        assert self.pictures is not None
        count = len(self.pictures) - self.beside
        if self.former:
            left: NDArray[np.float32] = self.former["entries"].cpu().numpy().copy()
            if len(left) != people + count:
                raise SwiftReIDError(
                    f"the checkpoint's memory has {len(left):,} entries, and the pictures that can be read now have "
                    f"{people + count:,}: make the same pictures readable, or start a new run"
                )
            return left
        raw = embed()
        units = raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)
        return np.concatenate([centroids_of(units[count:], persons, people), units[:count]]).astype(np.float32)

    def _by_turns(self, count: int, epoch: int) -> NDArray[np.int64]:
        """Which of so many pictures are drawn together, K at a time at random, int64 [count] from 0."""
        rng = np.random.default_rng([self.plan.seed, 6, epoch])
        turns: NDArray[np.int64] = rng.permutation(count) // self.plan.pictures_per_group
        return turns
