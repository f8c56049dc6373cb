"""`studies/gradient_similarity.py`: figures of a run's pairs, against all pairs counted one by one."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
import torch

from swiftreid.data.sources import open_data
from swiftreid.nn.losses.gradient_similarity import GradientFactors, gradient_separation, gradient_similarity
from swiftreid.training.network.plan import Plan
from swiftreid.training.network.recipe import NetworkRecipe
from swiftreid.training.network.train import train_network
from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "gradient_similarity.py"


@pytest.fixture(scope="module")
def finished(drawn_people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = {"trunk": "osnet_x0_25", "length": 16, "surrogate_classes": 20, "transforms": 2, "alignment_channels": 4}
    recipe = NetworkRecipe.model_validate(
        {
            "method": "self_similarity",
            "settings": {**settings, "separation_epochs": 0},
            "size": [64, 32],
            "batches": {"persons": 4, "pictures": 2},
            "schedule": {"epochs": 1, "warm_up": 0},
            "held_out": 0.34,
        }
    )
    train_network(Plan(open_data(drawn_people, need=("train",)), recipe, folder))
    return folder


def test_every_pair_is_counted(finished: Path, drawn_people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    study = importlib.import_module("gradient_similarity")
    found = study.learned(finished, drawn_people)
    monkeypatch.setattr(study, "AT_A_TIME", 7)
    got = study.report(found)
    d = gradient_similarity(GradientFactors(torch.from_numpy(found.x), torch.from_numpy(found.u)))
    persons, cameras = found.pictures.persons, found.pictures.cameras
    assert len(persons) == 48, "held-out people are not among them"
    across = [(s, t) for s, t in permutations(range(48), 2) if cameras[s] != cameras[t]]
    own = [float(d[s, t]) for s, t in across if persons[s] == persons[t]]
    assert got["histograms"].sum(axis=1).tolist() == [len(own), len(across) - len(own)]
    middles = (study.BINS[1:] + study.BINS[:-1]) / 2
    mean = (got["histograms"][0] * middles).sum() / len(own)
    assert mean == pytest.approx(sum(own) / len(own), abs=1e-3)
    pairs = [(s, t) for s, t in across if found.labels[s] == found.labels[t] >= 0]
    assert (got["paired"], got["right"]) == (len(pairs), sum(persons[s] == persons[t] for s, t in pairs))
    first = [max((t for s2, t in across if s2 == s), key=lambda t: float(d[s, t])) for s in range(48)]
    right = sum(persons[s] == persons[t] for s, t in enumerate(first))
    assert got["rank1"] == pytest.approx(100 * right / 48)


def test_the_drawing_has_every_picture_of_the_query(
    finished: Path, drawn_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    study = importlib.import_module("gradient_similarity")
    found = study.learned(finished, drawn_people)
    got = study.report(found)
    precisions = got["precisions"]
    assert len(precisions) == 48
    assert 100 * sum(precisions.values()) / 48 == pytest.approx(got["map"])
    d = gradient_similarity(GradientFactors(torch.from_numpy(found.x), torch.from_numpy(found.u))).numpy()
    persons, cameras = found.pictures.persons, found.pictures.cameras
    drawn, same = study.of_query(found, 5)
    rows = [row for row in range(48) if cameras[row] != cameras[5]]
    assert drawn == pytest.approx(d[5, rows], abs=1e-5)
    assert same.tolist() == [persons[row] == persons[5] for row in rows]
    order = sorted(range(len(rows)), key=lambda place: -drawn[place])
    hits = [rank for rank, place in enumerate(order, 1) if same[place]]
    assert precisions[5] == pytest.approx(sum(n / rank for n, rank in enumerate(hits, 1)) / len(hits))
    config = found.method.config
    values = torch.linspace(-1, 1, 9, dtype=torch.float64, requires_grad=True)
    for separation in ("formula", "slope"):
        loss = gradient_separation(values, torch.ones(9, dtype=torch.bool), reading=separation)
        wanted = torch.autograd.grad(loss * 9, values)[0]
        read = replace(config, separation=separation)
        assert study.derivative(read, values.detach().numpy()) == pytest.approx(wanted.numpy())


def test_it_prints_people_and_strangers(finished: Path, drawn_people: Path, tmp_path: Path) -> None:
    ran = run_python(SCRIPT, finished, drawn_people, "--plot", "fig7.svg", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "48 pictures, after epoch 1; pairs by different cameras" in ran.stdout
    assert re.search(r"^of one person +192 ", ran.stdout, re.M)
    assert re.search(r"^of strangers +1,344 ", ran.stdout, re.M)
    assert "ranked by d_st: rank-1 " in ran.stdout
    picture = (tmp_path / "fig7.svg").read_text()
    assert "<svg" in picture
    assert picture.count("<use ") > 32, "a mark for each picture by another camera"
    other = run_python(SCRIPT, finished, Path(__file__).resolve().parents[2] / "examples/station", folder=tmp_path)
    assert other.returncode == 1
    assert "the run learned from 48 pictures" in other.stderr
