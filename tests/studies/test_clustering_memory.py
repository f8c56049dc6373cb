"""`studies/clustering_memory.py`: pictures like those of a data set, clustered in processes of their own."""

from __future__ import annotations

import importlib
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "clustering_memory.py"


def test_pictures_drawn_are_spread_like_those_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    study = importlib.import_module("clustering_memory")
    rng = np.random.default_rng(0)
    persons, cameras = np.repeat(np.arange(300), 12), np.tile(np.repeat([1, 2, 3], 4), 300)
    track = np.unique(persons * 10 + cameras, return_inverse=True)[1]
    sizes = (2.0, 1.0, 0.5)  # of people, of what a camera makes of each, of single pictures
    parts = [rng.normal(scale=size, size=(count, 8)) for size, count in zip(sizes, (300, 900, 3600), strict=True)]
    values = (parts[0][persons] + parts[1][track] + parts[2] + rng.normal(size=(4, 8))[cameras]).astype(np.float32)
    given = study.drawn(values, persons, cameras, pictures=4000, number=5, shots=4, seed=1)
    assert [len(part) for part in given] == [4000] * 3
    assert set(given[2].tolist()) == set(range(5))
    moved = given[0] - study.means_of(given[0], given[2])[0][given[2]]
    own = np.unique(given[1] * 5 + given[2], return_inverse=True)[1]
    tracks, counts = study.means_of(moved, own)
    noise = moved - tracks[own]
    assert np.sqrt((noise**2).sum() / (8 * (4000 - len(counts)))) == pytest.approx(0.5, rel=0.05)
    assert moved.std() == pytest.approx(np.sqrt(4 + 1 + 0.25), rel=0.1)
    again = study.drawn(values, persons, cameras, pictures=4000, number=5, shots=4, seed=1)
    np.testing.assert_array_equal(given[0], again[0])


def test_pairs_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    study = importlib.import_module("clustering_memory")
    rng = np.random.default_rng(1)
    groups, persons = rng.integers(-1, 4, 30), rng.integers(0, 5, 30)
    every = list(combinations(range(30), 2))
    together = [(a, b) for a, b in every if groups[a] == groups[b] >= 0]
    same = [(a, b) for a, b in every if persons[a] == persons[b]]
    right = len({*together} & {*same})
    assert study.pairs(groups, persons) == (right / len(together), right / len(same))


def test_both_ways_print_their_peak(drawn_people: Path, tmp_path: Path) -> None:
    options = ("--encoder", "stripes", "--pictures", 500, "--cameras", 3, "--shots", 2)
    ran = run_python(SCRIPT, drawn_people, *options, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "data set: one person, two cameras " in ran.stdout
    for way in ("two_stage", "dbscan"):
        [line] = re.findall(rf"^{way} +(.*)$", ran.stdout, re.M)
        assert 0.01 < float(line.split()[0]) < 8
