"""Targets of the hybrid memory: what an epoch learns, through the real loop, and that a run of them resumes."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from drawn_figures import draw_person
from swiftreid.clustering.self_paced import reliable_clusters
from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods.hybrid_memory import HybridMemoryConfig
from swiftreid.training.network.batches import EpochBatches
from swiftreid.training.network.checkpoint import load_checkpoint
from swiftreid.training.network.loop import StepReport
from swiftreid.training.network.plan import Plan, Reports, Trained
from swiftreid.training.network.recipe import Batches, NetworkRecipe
from swiftreid.training.network.stopping import Stopped
from swiftreid.training.network.train import train_network
from swiftreid.training.targets.hybrid import Hybrid
from swiftreid.training.targets.targets import EpochLabels, Reading, TargetsPlan

pytestmark = pytest.mark.timeout(1800)

CONFIG = {"trunk": "resnet18_half", "length": 16, "k1": 6, "k2": 2, "eps": 0.5, "least": 2, "gap": 0.1}
RECIPE: dict[str, Any] = {
    "method": "hybrid_memory",
    "settings": CONFIG,
    "size": [48, 24],
    "batches": {"persons": 4, "pictures": 2},
    "schedule": {"epochs": 3, "per_epoch": 24, "warm_up": 0},
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ReidData:
    """Six other people, two cameras, a picture each."""
    root = tmp_path_factory.mktemp("source") / "elsewhere"
    for split in ("bounding_box_train", "query", "bounding_box_test"):
        (root / split).mkdir(parents=True)
        for person in range(41, 47):
            for camera in (1, 2):
                draw_person(person, camera, 1).save(root / split / f"{person:04d}_c{camera}s1_000001_01.jpg")
    return open_data(root, need=("train",))


@pytest.fixture(scope="module")
def target(drawn_people: Path) -> ReidData:
    return open_data(drawn_people, need=("train",))


def targets_of(target: ReidData, source: ReidData | None, **config: Any) -> Hybrid:
    settings = HybridMemoryConfig(**{**CONFIG, **config})
    plan = TargetsPlan(target.train, (48, 24), 3, "f", config=settings, source=source, pictures_per_group=2)
    return Hybrid(plan)


class Given:
    """Embeddings that a test makes up."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values, self.asked = values, 0

    def __call__(self) -> NDArray[np.float32]:
        self.asked += 1
        return self.values

    def weights(self) -> dict[str, torch.Tensor]:
        return {}


def embeddings(targets: Hybrid, noise: float = 0.9) -> NDArray[np.float32]:
    assert targets.pictures is not None
    rng, persons = np.random.default_rng(0), targets.pictures.persons
    return (rng.normal(size=(60, 16))[persons] + noise * rng.normal(size=(len(persons), 16))).astype(np.float32)


def test_an_epoch_learns_source_people_clusters_and_single_pictures(
    target: ReidData, source: ReidData, tmp_path: Path
) -> None:
    targets = targets_of(target, source)
    targets.read(Reading(tmp_path))
    assert targets.pictures is not None
    assert (len(targets.pictures), targets.beside, targets.outputs) == (72 + 12, 12, 72 + 6)
    given = Given(embeddings(targets))
    labels = targets.labels(0, given)
    labels.check(84, 0)
    units = given.values / np.linalg.norm(given.values, axis=1, keepdims=True)
    found = reliable_clusters(units[:72], HybridMemoryConfig(**CONFIG).clustering)  # type: ignore[arg-type]
    alone = found.clusters < 0
    assert 4 < alone.sum() < 60
    clusters = int(found.clusters.max()) + 1
    assert labels.classes == 6 + clusters + alone.sum()
    group, entries = labels.memory["group"].numpy(), labels.memory["entries"].numpy()
    assert int(labels.memory["sources"]) == 6
    np.testing.assert_array_equal(group[:6], np.arange(6))
    np.testing.assert_array_equal(group[6:][~alone], 6 + found.clusters[~alone])
    assert sorted(group[6:][alone].tolist()) == list(range(6 + clusters, labels.classes))
    np.testing.assert_allclose(entries[6:], units[:72], rtol=1e-5)
    for number, person in enumerate(range(41, 47)):
        mean = units[72:][targets.pictures.persons[72:] == person].mean(axis=0)
        np.testing.assert_allclose(entries[number], mean / np.linalg.norm(mean), rtol=1e-4)
    values = labels.values.numpy()
    np.testing.assert_array_equal(values[:72], 6 + np.arange(72))
    np.testing.assert_array_equal(values[72:], targets.pictures.persons[72:] - 41)
    # The next epoch takes the memory as the loss left it, and asks for the same independence.
    moved = torch.from_numpy(units[np.random.default_rng(1).permutation(84)[:78]])
    targets.former = {"entries": moved}
    again = targets.labels(1, given)
    assert given.asked == 1
    assert torch.equal(again.memory["entries"], moved)
    assert float(targets.state()["independence"]) == found.independence
    other = targets_of(target, source)
    other.restore(targets.state())
    assert other._independence == found.independence
    with pytest.raises(SwiftReIDError, match="of other targets"):
        other.restore({"labels": torch.zeros(3)})
    targets.former = {"entries": moved[:70]}
    with pytest.raises(SwiftReIDError, match=r"memory has 70 entries.*have 78"):
        targets.labels(1, given)


def batches_of(labels: EpochLabels, steps: int) -> EpochBatches:
    return EpochBatches(
        labels.rows,
        labels.groups,
        Batches(persons=4, pictures=2),
        seed=1,
        epoch=0,
        steps=steps,
        domains=labels.domains,
    )


def test_batches_have_as_much_of_both_and_single_pictures_once(
    target: ReidData, source: ReidData, tmp_path: Path
) -> None:
    targets = targets_of(target, source)
    targets.read(Reading(tmp_path))
    labels = targets.labels(0, Given(embeddings(targets)))
    group = labels.memory["group"].numpy()
    single = np.flatnonzero(np.bincount(group)[group] == 1)
    single = single[single >= 6] - 6
    groups = len(np.unique(labels.groups[:72]))
    seen = np.zeros(84, int)
    batches = batches_of(labels, groups // 4)
    for step in range(groups // 4):
        [(among, places)] = batches.of_step(step)
        np.testing.assert_array_equal(among, places)
        assert (places < 72).sum() == (places >= 72).sum() == 8
        seen[places] += 1
    assert len(single) > 6
    assert (seen[single] <= 1).sum() >= len(single) - 1, "but for a last one that is alone in its turn"
    assert seen[single].sum() >= len(single) - 8, "groups left over for the next round"


def test_without_a_source_there_is_one_domain(target: ReidData, tmp_path: Path) -> None:
    targets = targets_of(target, None)
    targets.read(Reading(tmp_path))
    labels = targets.labels(0, Given(embeddings(targets)))
    assert labels.domains is None
    assert int(labels.memory["sources"]) == targets.beside == 0
    assert len(labels.rows) == len(labels.memory["entries"]) == 72
    assert targets.origin.sources == []


def test_cameras_can_be_normalised_away(target: ReidData, tmp_path: Path) -> None:
    found = {}
    for cameras in (False, True):
        targets = targets_of(target, None, cameras=cameras, k1=4)
        targets.read(Reading(tmp_path))
        assert targets.pictures is not None
        strong = 8 * np.random.default_rng(3).normal(size=(4, 16))[targets.pictures.cameras]
        labels = targets.labels(0, Given((embeddings(targets, 0.2) + strong).astype(np.float32)))
        group, who = labels.memory["group"].numpy(), targets.pictures.persons
        together = group[:, None] == group[None]
        np.fill_diagonal(together, False)
        across = targets.pictures.cameras[:, None] != targets.pictures.cameras[None]
        found[cameras] = int((together & across & (who[:, None] == who[None])).sum())
    assert found[True] > found[False]


def train(
    target: ReidData, source: ReidData | None, folder: Path, *, stop: int | None = None, resume: bool = False
) -> Trained | None:
    def on_step(report: StepReport) -> None:
        if report.step == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    recipe = NetworkRecipe.model_validate(RECIPE)
    plan = Plan(target, recipe, folder, seed=3, source=source, resume=resume)
    try:
        return train_network(plan, Reports(on_step=on_step))
    except Stopped:
        assert stop is not None
        return None


def test_a_run_resumes_bit_for_bit_and_its_card_names_the_source(
    target: ReidData, source: ReidData, tmp_path: Path
) -> None:
    whole = train(target, source, tmp_path / "whole")
    assert whole is not None
    assert (whole.persons, whole.pictures) == (0, 72)
    card = whole.encoder.card
    assert (
        "72 pictures of drawn without labels; beside 12 labelled pictures of 6 people of elsewhere" in card.provenance
    )
    assert [entry["data"] for entry in card.training["learned_from"]] == ["elsewhere"]
    # In the middle of an epoch; then between two, where the memory goes on.
    train(target, source, tmp_path / "parts", stop=2)
    with pytest.raises(UsageError, match="another source"):
        train(target, None, tmp_path / "parts", resume=True)
    train(target, source, tmp_path / "parts", stop=6, resume=True)
    train(target, source, tmp_path / "parts", resume=True)
    (ours, one), (theirs, two) = (load_checkpoint(tmp_path / f / "checkpoint.safetensors") for f in ("whole", "parts"))
    assert ours == theirs
    assert one.keys() == two.keys()
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert {"targets.labels.domains", "targets.labels.memory.entries"} <= one.keys()


def test_other_methods_take_no_source_and_the_source_is_other_data(
    target: ReidData, source: ReidData, tmp_path: Path
) -> None:
    recipe = NetworkRecipe.model_validate({**RECIPE, "method": "baseline", "settings": {"trunk": "resnet18_half"}})
    with pytest.raises(UsageError, match="method baseline learns from one data set: leave the source out"):
        train_network(Plan(target, recipe, tmp_path / "x", source=source))
    with pytest.raises(UsageError, match="is of the source and of the target"):
        targets_of(target, target)
    one = [sample for sample in source.train if sample.person == 41]
    with pytest.raises(UsageError, match="the source elsewhere has 1 training people; 2 are needed"):
        targets_of(target, replace(source, train=one))


def test_unreadable_pictures_are_left_out(target: ReidData, source: ReidData, tmp_path: Path) -> None:
    shutil.copytree(source.root, tmp_path / "broken")
    pictures = sorted((tmp_path / "broken" / "bounding_box_train").iterdir())
    pictures[0].write_bytes(b"no picture")
    broken = open_data(tmp_path / "broken", need=("train",))
    bad: list[BadPicture] = []
    targets = targets_of(target, broken)
    targets.read(Reading(tmp_path, on_bad=bad.append))
    assert (len(bad), targets.beside) == (1, 11)
    for picture in pictures:
        picture.write_bytes(b"no picture")
    with pytest.raises(SwiftReIDError, match="no picture of the source could be read"):
        targets_of(target, broken).read(Reading(tmp_path, on_bad=bad.append))
