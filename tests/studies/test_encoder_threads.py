"""`studies/encoder_threads.py` runs, and gives the cost of each kind of work with each setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "encoder_threads.py"


def test_every_setting_is_measured(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    options = ["--devices", "cpu", "--threads", "1", "--rounds", "1", "--calls", "1", "--json", tmp_path / "t.json"]
    ran = run_python(SCRIPT, *options)
    assert ran.returncode == 0, ran.stderr
    document = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    settings = {(cost["device"], cost["threads"], cost["work"]) for cost in document["costs"]}
    works = ("one picture", "batch of 16", "stream")
    assert settings == {("cpu", threads, work) for threads in ("1", "spinning") for work in works}
    assert all(cost["wall"] > 0 and cost["processor"] > 0 for cost in document["costs"])
    assert all(work in ran.stdout for work in works)
