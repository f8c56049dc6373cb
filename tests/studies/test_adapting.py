"""`studies/adapting.py` and `studies/guard.py`: runs with their figures, and what the guard says of them."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_figures import draw_person
from warm import run_python

STUDIES = Path(__file__).resolve().parents[2] / "studies"


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(STUDIES))
    return importlib.import_module("guard")


def test_of_every_person_one_camera_remains(guard: Any) -> None:
    rng = np.random.default_rng(0)
    persons, cameras = rng.integers(0, 20, 200), rng.integers(0, 3, 200)
    kept = guard.by_one_camera(persons, cameras, rng)
    for person in range(20):
        [camera] = set(cameras[kept & (persons == person)].tolist())
        np.testing.assert_array_equal(kept[persons == person], cameras[persons == person] == camera)


def test_correlations_are_pearsons_and_spearmans(guard: Any) -> None:
    assert guard.correlations([1, 2, 3, 40], [1, 2, 3, 40]) == "1.00 / 1.00"
    assert guard.correlations([1, 2, 3, 4], [-1, -4, -9, -1000]).endswith("/ -1.00")
    assert guard.correlations([1, 2, 3], [1, float("nan"), 3]) == "-"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_runs_are_measured_and_judged(tmp_path: Path) -> None:
    data = tmp_path / "figures"
    for part, persons in (("bounding_box_train", range(1, 141)), ("query", range(141, 153))):
        (data / part).mkdir(parents=True)
        for person in persons:
            for camera in (1, 2):
                folder = "bounding_box_test" if part == "query" and camera == 2 else part
                (data / folder).mkdir(exist_ok=True)
                draw_person(person, camera, 1).save(data / folder / f"{person:04d}_c{camera}s1_000001_01.jpg")
    short = ["schedule.epochs=1", "schedule.per_epoch=16", "batches.persons=4"]
    changes = [word for change in short for word in ("--set", change)]
    out = tmp_path / "runs"
    ran = run_python(STUDIES / "adapting.py", data, "--out", out, "--seeds", 0, 1, 2, *changes, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert len(re.findall(r"^  seed \d: .*true gain of mAP", ran.stdout, re.M)) == 3
    result = json.loads((out / "figures/adapted/1/result.json").read_text())
    assert result["verdict"]["clusters"] >= 60
    assert {"float", "id128"} <= set(result["found"])
    again = run_python(STUDIES / "adapting.py", data, "--out", out, "--seeds", 0, 1, 2, *changes, folder=tmp_path)
    assert again.stdout == ran.stdout, "what is there is not run again"
    trial = ["--out", out, "--seeds", 0, "--trial-only", "--name", "trial"]
    alone = run_python(STUDIES / "adapting.py", data, *trial, *changes, folder=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert not (out / "figures/trial/0/final").exists()
    judged = run_python(STUDIES / "guard.py", out, folder=tmp_path)
    assert judged.returncode == 0, judged.stderr
    rows = re.findall(r"^figures/(adapted|trial)/(\d) (.*(?: yes| no).*)", judged.stdout, re.M)
    assert len(rows) == 4
    words = {(name, seed): row.split() for name, seed, row in rows}
    assert words["trial", "0"] == words["adapted", "0"], "the trial is judged, and what it gained is its own"
    assert re.search(r"^the guard was right about [0-4] of 4$", judged.stdout, re.M)
    codes = run_python(STUDIES / "group_codes.py", out, "--shrinkage", 1, 10, folder=tmp_path)
    assert codes.returncode == 0, codes.stderr
    found = re.findall(r"^(1|10) +([\d. ]+)$", codes.stdout, re.M)
    assert len(found) == 8
    for _, row in found:
        figures = [float(word) for word in row.split()]
        assert len(figures) == 5
        assert 1 < figures[4] <= figures[0] + 5, "32 bits beside the float"
