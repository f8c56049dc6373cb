"""Pseudo pairs and surrogate classes against loops spelt out, and a run of them from pictures to codes."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from swiftreid.data.samples import Split
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import SwiftReIDError
from swiftreid.methods import build_method
from swiftreid.methods.self_similarity import SelfSimilarity, SelfSimilarityConfig
from swiftreid.nn.losses.gradient_similarity import gradient_factors, gradient_similarity
from swiftreid.training.network.checkpoint import load_checkpoint
from swiftreid.training.network.loop import StepReport
from swiftreid.training.network.plan import Plan, Reports
from swiftreid.training.network.processes import World, joined
from swiftreid.training.network.recipe import NetworkRecipe
from swiftreid.training.network.stopping import Stopped
from swiftreid.training.network.train import train_network
from swiftreid.training.targets.k_means import k_means, means_by
from swiftreid.training.targets.mutual_pairs import Gradients, kept_labels, mutual_groups
from swiftreid.training.targets.patch_colours import patch_colours
from swiftreid.training.targets.pseudo_pairs import PseudoPairs
from swiftreid.training.targets.targets import EpochLabels, Reading, TargetsPlan

pytestmark = pytest.mark.timeout(1800)


def unit(values: NDArray[Any]) -> NDArray[np.float32]:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def test_k_means_finds_what_lies_apart() -> None:
    rng = np.random.default_rng(0)
    corners = rng.normal(size=(5, 3)) * 20
    corner = rng.integers(0, 5, 200)
    values = (corners[corner] + rng.normal(size=(200, 3)) * 0.1).astype(np.float32)
    inertia = []
    for seed in range(5):
        clusters, centres = k_means(values, 5, np.random.default_rng(seed))
        assert sorted(set(clusters.tolist())) == list(range(len(centres)))
        np.testing.assert_allclose(centres, means_by(values, clusters, len(centres)), rtol=1e-5)
        apart = ((values[:, None] - centres) ** 2).sum(axis=2)
        inertia.append(apart[np.arange(200), clusters].sum())
    assert min(inertia) < 20, "each corner its own cluster, from one of these starts"


def test_k_means_gives_every_cluster_a_row() -> None:
    values = np.repeat(np.float32([[0, 0], [9, 9], [5, 0]]), 4, axis=0)
    clusters, centres = k_means(values, 8, np.random.default_rng(0))
    assert len(centres) == 3, "as many as there are different rows"
    assert [len(set(clusters[i : i + 4].tolist())) for i in (0, 4, 8)] == [1, 1, 1]
    lonely = np.float32([[0.0], [0.1], [0.2], [0.3], [50.0], [51.0]])
    for seed in range(10):
        clusters, centres = k_means(lonely, 3, np.random.default_rng(seed))
        assert np.bincount(clusters, minlength=len(centres)).min() > 0


def test_patch_colours_are_the_means_of_changed_copies() -> None:
    """The same draws, pixel by pixel."""
    picture = np.random.default_rng(1).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    got = patch_colours(picture, 2, np.random.default_rng(7))
    rng, shape = np.random.default_rng(7), (4, 2, 1)
    mirror = rng.choice((-1.0, 1.0), shape)
    scale, angle = rng.uniform(0.7, 1.4, shape), np.radians(rng.uniform(-20, 20, shape))
    down, across = rng.uniform(-0.2, 0.2, shape) * 64, rng.uniform(-0.2, 0.2, shape) * 32
    jitter = rng.uniform(0.6, 1.4, (3, *shape))
    for patch in range(4):
        copies = []
        for k in range(2):
            pixels = []
            a, s, m = angle[patch, k, 0], scale[patch, k, 0], mirror[patch, k, 0]
            for y in range(0, 64, 4):
                for x in range(0, 32, 4):
                    dy, dx = (y - 31.5) / s, m * (x - 15.5) / s
                    row = 64 * (patch // 2) + 31.5 + down[patch, k, 0] + math.cos(a) * dy + math.sin(a) * dx
                    column = 32 * (patch % 2) + 15.5 + across[patch, k, 0] - math.sin(a) * dy + math.cos(a) * dx
                    pixels.append(picture[min(max(round(row), 0), 127), min(max(round(column), 0), 63)])
            colour = np.mean(pixels, axis=0) * jitter[0, patch, k, 0]
            for factor in jitter[1:, patch, k, 0]:
                grey = colour @ (0.299, 0.587, 0.114)
                colour = grey + (colour - grey) * factor
            copies.append(np.clip(colour, 0, 255))
        np.testing.assert_allclose(got[patch], np.mean(copies, axis=0), rtol=1e-3, atol=0.5)


def test_patches_are_the_quarters_row_by_row() -> None:
    picture = np.zeros((128, 64, 3), np.uint8)
    levels = [[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0]]
    for patch, level in enumerate(levels):
        picture[64 * (patch // 2) :, 32 * (patch % 2) :][:64, :32] = level
    found = patch_colours(picture, 64, np.random.default_rng(0))
    for patch, level in enumerate(levels):
        assert ((np.array(levels) - found[patch]) ** 2).sum(axis=1).argmin() == patch, (level, found)


def dense_similarity(gradients: Gradients) -> NDArray[np.float64]:
    made = np.einsum("nd,ne->nde", gradients.x, gradients.u).reshape(len(gradients.x), -1).astype(float)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    similarity: NDArray[np.float64] = made @ made.T
    return similarity


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_of_mutual_pairs_with_one_picture_a_camera(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people, cameras = np.repeat(np.arange(10), 6), np.tile([3, 5, 5, 8, 8, 8], 10)
    centres = rng.normal(size=(10, 6))
    gradients = Gradients(
        unit(centres[people] + 0.7 * rng.normal(size=(60, 6))), unit(1 + 0.3 * rng.normal(size=(60, 4)))
    )
    d = dense_similarity(gradients)
    groups = mutual_groups(gradients, cameras, 0.4)
    mutual = set()
    for s, t in combinations(range(60), 2):
        if cameras[s] != cameras[t] and d[s, t] > 0.4:
            theirs, ours = np.flatnonzero(cameras == cameras[t]), np.flatnonzero(cameras == cameras[s])
            if d[s, theirs].max() == d[s, t] and d[t, ours].max() == d[s, t]:
                mutual.add((s, t))
    assert len(mutual) > 10
    joined: list[set[int]] = [{place} for place in range(60)]  # the same by sets, most similar first
    for s, t in sorted(mutual, key=lambda pair: -d[pair]):
        ours, theirs = (next(each for each in joined if one in each) for one in (s, t))
        if ours is not theirs and len({int(cameras[one]) for one in ours | theirs}) == len(ours | theirs):
            joined.remove(theirs)
            ours |= theirs
    want = {frozenset(each) for each in joined if len(each) > 1}
    assert {frozenset(np.flatnonzero(groups == g).tolist()) for g in range(groups.max() + 1)} == want
    firsts = [int(np.flatnonzero(groups == g)[0]) for g in range(groups.max() + 1)]
    assert firsts == sorted(firsts)


def test_without_cameras_pictures_pair_once() -> None:
    rng = np.random.default_rng(0)
    gradients = Gradients(unit(rng.normal(size=(40, 3))), unit(1 + 0.1 * rng.normal(size=(40, 3))))
    groups = mutual_groups(gradients, np.ones(40, np.int64), 0.25)
    assert set(np.bincount(groups[groups >= 0]).tolist()) == {2}
    d = dense_similarity(gradients)
    np.fill_diagonal(d, -1)
    for group in range(groups.max() + 1):
        s, t = np.flatnonzero(groups == group)
        assert d[s].argmax() == t
        assert d[t].argmax() == s
    assert (mutual_groups(gradients, np.ones(40, np.int64), 0.9999) == -1).all()


def test_labels_last_as_long_as_their_pair() -> None:
    before = np.array([4, 4, 0, 0, 2, 2, -1, -1])
    groups = np.array([0, 0, 1, -1, 1, -1, 2, 2])
    labels = kept_labels(groups, before, 5)
    assert labels[:2].tolist() == [4, 4]
    assert labels[3] == labels[5] == -1
    assert labels[2] == labels[4]
    assert labels[2] in (0, 2)
    assert labels[6] == labels[7]
    assert len(set(labels.tolist()) - {-1}) == 3
    alone = np.full(4, -1)
    assert kept_labels(alone, alone, 2).tolist() == [-1] * 4


class Fixed:
    """A network that gives these embeddings."""

    def __init__(self, embeddings: NDArray[np.float32], weight: NDArray[np.float32]) -> None:
        self._embeddings, self._weight = embeddings, weight

    def __call__(self) -> NDArray[np.float32]:
        return self._embeddings

    def weights(self) -> Mapping[str, Tensor]:
        return {"similarity": torch.from_numpy(self._weight)}


@pytest.fixture
def samples(drawn_people: Path) -> Split:
    return open_data(drawn_people, need=("train",)).train


def embeddings_of(samples: Split, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    people = {person: rng.normal(size=8) for person in sorted({sample.person for sample in samples})}
    return unit(np.stack([people[sample.person] + 0.4 * rng.normal(size=8) for sample in samples]) + 1)


def targets_of(samples: Split, tmp_path: Path, **settings: Any) -> PseudoPairs:
    config = SelfSimilarityConfig(**{"surrogate_classes": 30, "transforms": 2, **settings})
    targets = PseudoPairs(TargetsPlan(samples, (64, 32), 4, "abc", config=config))
    targets.read(Reading(tmp_path))
    return targets


@pytest.mark.parametrize("surrogates", ["patches", "features"])
def test_labels_are_surrogate_classes_and_pairs(samples: Split, tmp_path: Path, surrogates: str) -> None:
    targets = targets_of(samples, tmp_path, surrogates=surrogates)
    embeddings = embeddings_of(samples)
    weight = np.random.default_rng(9).normal(size=(8, 8)).astype(np.float32)
    labels = targets.labels(0, Fixed(embeddings, weight))
    assert (labels.rows == np.arange(72)).all()
    values = labels.values.numpy()
    assert values.shape == (72, 3 + (4 if surrogates == "patches" else 1))
    assert (values[:, 1] == [sample.camera for sample in samples]).all()
    assert (values[:, 2] == labels.rows).all()
    x = unit(embeddings - embeddings.mean(axis=0))
    centres, classes = labels.memory["centres"].numpy(), values[:, 3:]
    assert len(centres) <= 30
    for c in range(len(centres)):
        members = [x[i] for i, own in enumerate(classes) for one in own if one == c]
        np.testing.assert_allclose(centres[c], np.mean(members, axis=0), rtol=1e-3, atol=1e-5)
    factors = gradient_factors(*map(torch.from_numpy, (x, weight, centres, classes)))
    d = gradient_similarity(factors).numpy()
    paired = values[:, 0] >= 0
    assert 0 < labels.classes <= targets.outputs == 36
    assert labels.classes == len(set(values[paired, 0].tolist()))
    for label in set(values[paired, 0].tolist()):
        members = np.flatnonzero(values[:, 0] == label)
        assert len(set(values[members, 1].tolist())) == len(members) > 1
        assert any(d[s, t] > 0.25 for s, t in combinations(members, 2))
        assert len(set(labels.groups[members].tolist())) == 1
    assert len(set(labels.groups[~paired].tolist())) == (~paired).sum()
    assert not set(labels.groups[~paired].tolist()) & set(labels.groups[paired].tolist())


def test_persons_are_not_looked_at(samples: Split, tmp_path: Path) -> None:
    network = Fixed(embeddings_of(samples), np.eye(8, dtype=np.float32))
    nameless = [replace(sample, person=1 + place % 3) for place, sample in enumerate(samples)]
    ours, theirs = (targets_of(split, tmp_path).labels(0, network) for split in (samples, nameless))
    assert torch.equal(ours.values, theirs.values)
    assert (ours.groups == theirs.groups).all()


def test_centring_by_camera_takes_out_what_a_camera_adds(samples: Split, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    added = {camera: 3 * rng.normal(size=8) for camera in {sample.camera for sample in samples}}
    embeddings = embeddings_of(samples)
    shifted = embeddings + np.float32([added[sample.camera] for sample in samples])
    right = {}
    for centring in ("all", "cameras"):
        settings = {"surrogates": "features", "surrogate_classes": 12, "centring": centring}
        labels = targets_of(samples, tmp_path, **settings).labels(0, Fixed(shifted, np.eye(8, dtype=np.float32)))
        right[centring] = pairs_right(labels, samples)
    assert right["cameras"] > right["all"]


def pairs_right(labels: EpochLabels, samples: Split) -> int:
    """Pairs that are of one person."""
    label = labels.values[:, 0].numpy()
    pairs = [(s, t) for s, t in combinations(range(len(label)), 2) if label[s] == label[t] >= 0]
    return sum(samples[s].person == samples[t].person for s, t in pairs)


def test_a_state_gives_the_same_labels_again(samples: Split, tmp_path: Path) -> None:
    networks = [Fixed(embeddings_of(samples, seed), np.eye(8, dtype=np.float32)) for seed in (0, 1)]
    first, second = targets_of(samples, tmp_path), targets_of(samples, tmp_path)
    assert first.state() == {}
    first.labels(0, networks[0])
    second.restore({name: value.clone() for name, value in first.state().items()})
    ours, theirs = (targets.labels(1, networks[1]) for targets in (first, second))
    assert torch.equal(ours.values, theirs.values)
    with pytest.raises(SwiftReIDError, match=r"of other targets, with a state \(left_out\)"):
        first.restore({"left_out": torch.zeros(3)})
    with pytest.raises(SwiftReIDError, match="targets are of 3 pictures, now 72 can be read"):
        first.restore({"labels": torch.zeros(3)})


RECIPE: dict[str, Any] = {
    "method": "self_similarity",
    "settings": {
        "trunk": "resnet18_half", "length": 32, "parts": 2, "dense": True, "surrogate_classes": 20, "transforms": 2,
        "separation_epochs": 2, "alignment_channels": 8, "restart_every": 5, "lengths": [16, 8],
    },
    "size": [64, 32],
    "batches": {"persons": 6, "pictures": 2},
    "augmentation": {"erase": 0, "shift": 0},
    "schedule": {"epochs": 4, "warm_up": 0},
}  # fmt: skip


def run(
    data: Path, folder: Path, *, resume: bool = False, stop: int | None = None, world: World | None = None
) -> list[Tensor]:
    """Train to the end or to some step; the weights that this process then has."""

    def on_step(report: StepReport) -> None:
        if report.step == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    made: list[SelfSimilarity] = []

    def build(*arguments: Any, **settings: Any) -> Any:
        made.append(build_method(*arguments, **settings))
        return made[-1]

    recipe = NetworkRecipe.model_validate(RECIPE)
    if world is not None:
        recipe = recipe.model_copy(update={"batches": recipe.batches.model_copy(update={"per_step": world.size})})
    plan = Plan(open_data(data, need=("train",)), recipe, folder, seed=3, resume=resume)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("swiftreid.training.network.train.build_method", build)
        try:
            train_network(plan, Reports(on_step=on_step), world=world)
        except Stopped:
            assert stop is not None
        else:
            assert stop is None
    return [weight.detach().cpu() for weight in made[-1].parameters()]


def test_a_run_goes_from_pictures_to_codes_and_resumes_bit_for_bit(drawn_people: Path, tmp_path: Path) -> None:
    run(drawn_people, tmp_path / "whole")  # 4 epochs of 6 steps, the first two of them without adversary and alignment
    run(drawn_people, tmp_path / "parts", stop=9)
    run(drawn_people, tmp_path / "parts", resume=True, stop=20)
    run(drawn_people, tmp_path / "parts", resume=True)
    (ours, our_tensors), (theirs, their_tensors) = (
        load_checkpoint(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "parts")
    )
    assert ours == theirs
    assert our_tensors.keys() == their_tensors.keys()
    for name, value in our_tensors.items():
        assert torch.equal(value, their_tensors[name]), name
    assert int(our_tensors["model.aligned"]) == 12
    assert int(our_tensors["model.epoch"]) == 3
    lines = (tmp_path / "whole" / "log.txt").read_text().splitlines()
    stages = ["alignment" in line for line in lines if "  train  " in line]
    assert stages == [False, False, True, True]
    assert sum("  targets  " in line for line in lines) == 4
    encoder = open_encoder(tmp_path / "whole" / "encoder.safetensors")
    assert str(encoder.spec) == "id8 id16"
    assert encoder.card.embedding == 32


@pytest.mark.slow  # two processes; test_changing_targets.py has the same machinery in the quick suite
def test_two_processes_learn_one_network(drawn_people: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            str(Path(__file__)), str(drawn_people),
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert len(one) == len(other) > 50
    for ours, theirs in zip(one, other, strict=True):
        assert torch.equal(ours, theirs)


if __name__ == "__main__":
    with joined("cpu") as processes:
        torch.save(run(Path(sys.argv[1]), Path("run"), world=processes), f"{processes.rank}.pt")
