"""`studies/sorting.py`: both sides of each table give the same order and the right distances."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "sorting.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return importlib.import_module("sorting")


def test_both_sides_sort_and_measure(script: ModuleType) -> None:
    rng = np.random.default_rng(1)
    real, whole = script.real_distances(500, rng), script.whole_distances(500, rng)
    assert (np.diff(real[script.quick_sort(real)]) >= 0).all()
    naive = sorted(range(500), key=lambda i: (whole[i], i))
    assert script.counting_sort(whole).tolist() == naive
    features = rng.normal(size=(30, 12)).astype(np.float32)
    got = script.euclidean(features, (features**2).sum(axis=1), features[3])
    np.testing.assert_allclose(got, [np.linalg.norm(row - features[3]) for row in features], atol=2e-3)


def test_both_tables_are_printed(tmp_path: Path) -> None:
    small = ["--sizes", "100,1000", "--lengths", "32,64", "--gallery", "50", "--rounds", "1", "--json", "out.json"]
    ran = run_python(SCRIPT, *small, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "Table 1" in ran.stdout
    assert "Table 2: distances of one query to 50 entries" in ran.stdout
    found = json.loads((tmp_path / "out.json").read_text())
    assert [*found["sorting"]] == ["100", "1000"]
    assert [*found["distances"]] == ["32", "64"]
    assert found["distances"]["32"].keys() == {"Euclidean", "Hamming"}
