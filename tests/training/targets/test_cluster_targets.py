"""Targets of cluster memory: which clusters they take, as the method's settings say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from swiftreid.clustering.answers import PairAnswer
from swiftreid.clustering.self_paced import DensitySettings, density_people
from swiftreid.clustering.strangers import Pairs
from swiftreid.clustering.two_stage import PeopleClusters
from swiftreid.data.sources import open_data
from swiftreid.errors import UsageError
from swiftreid.methods.cluster_memory import ClusterMemoryConfig
from swiftreid.training.targets.clusters import Clusters, normalised
from swiftreid.training.targets.targets import Reading, TargetsPlan


def plan_of(data: Path, config: ClusterMemoryConfig) -> TargetsPlan:
    return TargetsPlan(open_data(data, need=("train",)).train, (48, 24), 0, "f", config=config)


class Kept(Clusters):
    """Keeps the clusters of every epoch."""

    found: PeopleClusters | None = None

    def take(self, epoch: int, found: PeopleClusters) -> None:
        self.found = found


class Given:
    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = values

    def __call__(self) -> NDArray[np.float32]:
        return self.values

    def weights(self) -> dict[str, object]:
        return {}


def test_clusters_of_dbscan_if_the_method_asks_for_them(drawn_people: Path, tmp_path: Path) -> None:
    targets = Kept(plan_of(drawn_people, ClusterMemoryConfig(clusters="dbscan", eps=0.55)))
    pictures = targets.read(Reading(tmp_path))
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(20, 16))[pictures.persons] + 0.5 * rng.normal(size=(72, 16))).astype(np.float32)
    labels = targets.labels(0, Given(values))  # type: ignore[arg-type]
    wanted = density_people(
        normalised(values, pictures.cameras), pictures.cameras, DensitySettings(eps=0.55, gap=0)
    ).people
    assert targets.found is not None
    np.testing.assert_array_equal(targets.found.people, wanted)
    np.testing.assert_array_equal(labels.groups, wanted[wanted >= 0])
    assert labels.classes == wanted.max() + 1 > 1
    own = labels.memory["proxy_cluster"].numpy()[labels.values[:, 1].numpy()]
    np.testing.assert_array_equal(own, labels.groups)
    camera = labels.memory["proxy_camera"].numpy()[labels.values[:, 1].numpy()]
    np.testing.assert_array_equal(camera, pictures.cameras[labels.rows])
    assert labels.memory["doubtful"].shape == (0, 2)


class ByHand(Clusters):
    """Every two pictures are a group; three pairs of them are close."""

    def cluster(self, embeddings: NDArray[np.float32], cameras: NDArray[np.int64]) -> PeopleClusters:
        places = np.arange(len(embeddings))
        close = Pairs(np.array([0, 1, 3]), np.array([2, 5, 4]), np.ones(3, np.float32))
        return PeopleClusters(places // 2, places, close, 0, 0.0, 0.0)


def test_people_who_are_known_to_be_two_are_negatives(drawn_people: Path, tmp_path: Path) -> None:
    plan = plan_of(drawn_people, ClusterMemoryConfig())
    named = [replace(sample, id=sample.path.name) for sample in plan.samples]
    ids = [sample.id for sample in named]
    targets = ByHand(replace(plan, samples=named), answers=[PairAnswer(ids[2], ids[0], False)])
    targets.read(Reading(tmp_path))
    doubtful = targets.labels(0, Given(np.eye(72, dtype=np.float32))).memory["doubtful"]  # type: ignore[arg-type]
    assert doubtful.tolist() == [[1, 5], [3, 4]]


def test_two_stage_clusters_are_the_default_and_alone_take_answers(drawn_people: Path) -> None:
    answers = [PairAnswer("a", "b", True)]
    assert Clusters(plan_of(drawn_people, ClusterMemoryConfig()), answers=answers).density is None
    with pytest.raises(UsageError, match="DBSCAN take no answers about pairs: set clusters to two_stage"):
        Clusters(plan_of(drawn_people, ClusterMemoryConfig(clusters="dbscan")), answers=answers)
    with pytest.raises(UsageError, match="eps"):
        ClusterMemoryConfig(clusters="dbscan", eps=1.5)
