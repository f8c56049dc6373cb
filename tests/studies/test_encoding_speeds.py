"""`studies/encoding.py` runs and gives a figure of each encoder."""

from __future__ import annotations

import json
from pathlib import Path

from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "encoding.py"


def test_every_encoder_is_timed(drawn_people: Path, tmp_path: Path) -> None:
    options = ["--encoder", "stripes", "--rounds", "1", "--limit", "8", "--json", str(tmp_path / "found.json")]
    ran = run_python(SCRIPT, drawn_people, *options)
    assert ran.returncode == 0, ran.stderr
    assert "8 pictures, 1 rounds" in ran.stdout
    (found,) = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert (found["encoder"], found["size"]) == ("stripes", "128x64")
    assert 0 < found["median"] <= found["best"]
