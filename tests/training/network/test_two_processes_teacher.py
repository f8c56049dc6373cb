"""A teacher with two processes: one asks, the other waits for its file, and both learn from the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

RECIPE = {
    "method": "distilled",
    "settings": {"trunk": "osnet_x0_25"},
    "views": 2,
    "size": [32, 16],
    "batches": {"persons": 4, "pictures": 2, "per_step": 2},
    "schedule": {"epochs": 1, "warm_up": 0},
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_process_asks_the_teacher(drawn_people: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    # Whatever process encodes says so on its error stream.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'RANK' in os.environ:\n"
        "    from swiftreid.encoding.stripes import StripesEncoder\n"
        "    before = StripesEncoder._embed\n"
        "    def reported(self, inputs):\n"
        "        print('rank', os.environ['RANK'], 'encodes', file=sys.stderr)\n"
        "        return before(self, inputs)\n"
        "    StripesEncoder._embed = reported\n"
    )
    ran = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "swiftreid",
            "train", "recipe.yaml", str(drawn_people), "-o", "both", "--teacher", "stripes", "--device", "cpu",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("rank 0 encodes") == 4, "72 pictures in two batches, two views of each"
    assert "rank 1 encodes" not in ran.stderr
    assert ran.stdout.count("wrote both/encoder.safetensors") == 1
