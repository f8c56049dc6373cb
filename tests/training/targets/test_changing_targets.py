"""Labels that change every epoch go through the real loop, and a run of them resumes bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from toy_clusters import MOST, ClusterMemory, run

from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import SwiftReIDError
from swiftreid.methods import METHODS
from swiftreid.training.network.checkpoint import load_checkpoint
from swiftreid.training.network.labelling import Labelling
from swiftreid.training.network.processes import World
from swiftreid.training.targets.targets import Embed, EpochLabels, Targets, TargetsPlan

pytestmark = pytest.mark.timeout(1800)  # a busy machine needs minutes where an idle one needs seconds

STEPS = 4 * (72 // 8 // 2)


@pytest.fixture(autouse=True)
def _toy_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy is registered for these tests only: others look at every method that there is."""
    monkeypatch.setitem(METHODS._methods, "toy_clusters", ClusterMemory)


def same(one: Path, other: Path) -> None:
    (ours, our_tensors), (theirs, their_tensors) = (
        load_checkpoint(folder / "checkpoint.safetensors") for folder in (one, other)
    )
    assert ours == theirs
    assert our_tensors.keys() == their_tensors.keys()
    for name, value in our_tensors.items():
        assert torch.equal(value, their_tensors[name]), name


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in found if line["kind"] == kind]


@pytest.mark.parametrize("method", ["toy_clusters", "baseline"])
def test_clusters_of_every_epoch_resume_bit_for_bit(method: str, drawn_people: Path, tmp_path: Path) -> None:
    [whole] = run(drawn_people, tmp_path / "whole", method=method)
    assert len(whole.embeddings) == 4, "once an epoch"
    assert all((a != b).any() for a, b in zip(whole.embeddings, whole.embeddings[1:], strict=False)), "the current ones"
    told = lines(tmp_path / "whole", "targets")
    assert [line["step"] for line in told] == [0, 4, 8, 12]
    assert len({line["classes"] for line in told}) > 1
    assert all(line["classes"] <= MOST and 8 <= line["pictures"] < 72 for line in told)
    # In the middle of an epoch, whose labels must not be asked for again; then at the end of one.
    run(drawn_people, tmp_path / "parts", stop=6, method=method)
    [second] = run(drawn_people, tmp_path / "parts", resume=True, stop=12, method=method)
    [third] = run(drawn_people, tmp_path / "parts", resume=True, method=method)
    assert [len(part.embeddings) for part in (second, third)] == [1, 1]
    same(tmp_path / "whole", tmp_path / "parts")
    encoders = [open_encoder(tmp_path / name / "encoder.safetensors") for name in ("whole", "parts")]
    assert encoders[0].fingerprint == encoders[1].fingerprint


def test_two_processes_learn_the_same_clusters_and_resume_bit_for_bit(drawn_people: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            str(Path(__file__).with_name("toy_clusters.py")), str(drawn_people),
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    same(tmp_path / "whole", tmp_path / "parts")
    header, tensors = load_checkpoint(tmp_path / "whole" / "checkpoint.safetensors")
    assert header.step == STEPS
    assert "targets.labels.memory.centroids" in tensors


class Given(Targets):
    """The same labels in every epoch, whatever they are."""

    def __init__(self, rows: NDArray[np.int64], groups: NDArray[np.int64], values: torch.Tensor) -> None:
        super().__init__(TargetsPlan([], (32, 16), 0, "f"))
        self._labels = EpochLabels(rows, groups, values, 2)

    def labels(self, epoch: int, embed: Embed) -> EpochLabels:
        return self._labels


@pytest.mark.parametrize(
    ("rows", "groups", "values", "message"),
    [
        ([0, 1, 2], [4, 4, 4], [0, 0, 0], "targets of epoch 8: 3 pictures in 1 group; training needs 2 or more"),
        ([], [], [], "0 pictures in 0 groups"),
        ([0, 10], [1, 2], [0, 1], "rows must be from 0 to 9, got 10"),
        ([0, 1], [1, 2], [0], "2 rows, 2 groups and 1 values"),
    ],
)
def test_labels_that_nothing_can_be_learned_from_stop_the_run(
    rows: list[int], groups: list[int], values: list[int], message: str
) -> None:
    targets = Given(np.array(rows, np.int64), np.array(groups, np.int64), torch.tensor(values))
    labelling = Labelling(targets, 10, World(0, 1, torch.device("cpu")))
    with pytest.raises(SwiftReIDError, match=message):
        labelling.start_epoch(7, lambda: pytest.fail("not needed"))


def test_a_checkpoint_of_other_targets_is_refused() -> None:
    labels = Given(np.arange(4), np.array([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1]))
    labelling = Labelling(labels, 4, World(0, 1, torch.device("cpu")))
    with pytest.raises(SwiftReIDError, match="holds no labels"):
        labelling.restore({})
    with pytest.raises(SwiftReIDError, match=r"of other targets, with a state \(left_out\)"):
        labelling.restore({"state.left_out": torch.zeros(3)})
