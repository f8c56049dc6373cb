"""`studies/hosts.py`: MGN and ABD-Net are trained, given attributes, and searched with and without them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ("init=null", "size=[96, 32]", "settings.trunk=resnet18_half", "schedule.epochs=1", "schedule.per_epoch=64")
TINY += ("schedule.warm_up=0", "evaluate_every=0")


@pytest.mark.slow
def test_hosts_are_searched_with_and_without_attributes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    changes = [part for change in TINY for part in ("--set", change)]
    script, station = ROOT / "studies" / "hosts.py", ROOT / "examples" / "station"
    command = [sys.executable, str(script), str(station), "--out", "hosts", "--seeds", "1", *changes]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for host in ("mgn", "abd_net"):
        assert f"{host}, seed 0: attr" in ran.stdout
        rows = {}
        for label in ("float", "+ AFR"):
            (row,) = [line for line in ran.stdout.splitlines() if f"{host} {label}" in line]
            rows[label] = row.split(f"{host} {label}")[1].split()
        floats, searched = ([float(rows[label][i]) for i in (0, 2, 4, 5)] for label in ("float", "+ AFR"))
        assert all(0 < share <= 100 for share in (*floats[:3], *searched[:3]))
        assert floats[1] == floats[2]  # the whole gallery is on the list
        assert searched[1] <= searched[2]
        assert floats[3] == 8192  # 2,048 numbers of 4 bytes
        assert searched[3] > 8192
