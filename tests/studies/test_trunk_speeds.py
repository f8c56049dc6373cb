"""`studies/trunks.py` counts as the papers count, and runs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from swiftreid.nn.trunks import make_trunk

SCRIPT = Path(__file__).resolve().parents[2] / "studies/trunks.py"


@pytest.mark.parametrize(
    ("name", "stride", "size", "published"),
    [
        ("osnet_x1_0", 1, (256, 128), 978.9e6),  # OSNet's model zoo, as the three below
        ("osnet_x0_75", 1, (256, 128), 571.8e6),
        ("osnet_x0_5", 1, (256, 128), 272.9e6),
        ("osnet_x0_25", 1, (256, 128), 82.3e6),
        ("resnet18", 2, (224, 224), 1.814e9),  # torchvision's documentation, less the classifier's 1 to 2 million
        ("mobilenet_v3_small", 2, (224, 224), 56.5e6),
        ("googlenet", 2, (224, 224), 1.50e9),
    ],
)
def test_multiply_adds_are_the_published_ones(name: str, stride: int, size: tuple[int, int], published: float) -> None:
    spec = importlib.util.spec_from_file_location("trunks_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules["trunks_script"] = script
    spec.loader.exec_module(script)
    assert script.multiply_adds(make_trunk(name, last_stride=stride), *size) == pytest.approx(published, rel=0.04)


@pytest.mark.slow
def test_the_script_prints_every_trunk(tmp_path: Path) -> None:
    options = ["--trunks", "osnet_x0_25", "resnet18_half", "--sizes", "64x32", "--batch", "2", "--seconds", "0"]
    command = [sys.executable, str(SCRIPT), *options, "--json", str(tmp_path / "found.json")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "osnet_x0_25" in ran.stdout
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert [(one["trunk"], one["parameters"]) for one in found["trunks"]] == [
        ("osnet_x0_25", 134_792),
        ("resnet18_half", 2_798_880),
    ]
    assert all(one[rate] > 0 for one in found["trunks"] for rate in ("forward", "training_channels_last"))
    assert found["torch"]
