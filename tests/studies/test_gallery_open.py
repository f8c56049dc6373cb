"""The measurement of opening runs, and its probe times every step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "studies/gallery_open.py"


def test_a_small_gallery_is_made_and_opened(tmp_path: Path) -> None:
    out = tmp_path / "open.json"
    command = [sys.executable, str(PROGRAM), "--n", "3000", "--runs", "1", "--cold", "--json", str(out)]
    done = subprocess.run([*command, "--folder", str(tmp_path / "made")], check=True, capture_output=True, text=True)
    assert "3,000 entries" in done.stdout
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["entries"] == 3000
    assert figures["build_seconds"] > 0
    steps = figures["seconds"]
    parts = sum(steps[name] for name in ("open", "snapshot", "first query"))
    assert steps["open to first answer"] == parts
    assert 0 < parts < steps["until the first answer"]
    assert figures["processor_seconds"].keys() == steps.keys()
