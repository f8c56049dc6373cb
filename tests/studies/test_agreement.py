"""`studies/agreement.py`: cosines of two encoders' embeddings."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from drawn_figures import draw_person
from swiftreid.data.pictures import read_batches
from swiftreid.encoding.encoder import open_encoder
from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "agreement.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run_python(SCRIPT, *arguments)


def test_an_encoder_agrees_with_itself_and_not_with_its_permuted_self(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for person in range(9):
        draw_person(person, 1, 1).save(folder / f"{person}.png")
    stripes = open_encoder("stripes")
    other = type(stripes)(
        stripes.card.model_copy(update={"name": "other", "fingerprint": ""}),
        {**stripes.tensors, "whitening": np.roll(stripes.tensors["whitening"], 1, axis=0)},
    )
    other.save(tmp_path / "other.safetensors")
    said = run("stripes", "stripes", folder).stdout.splitlines()[-1].split()
    assert said[-3:] == ["9", "1.000", "1.000"]
    said = run("stripes", tmp_path / "other.safetensors", folder, "--limit", 4).stdout.splitlines()[-1].split()
    assert said[-3] == "4"
    paths = sorted(folder.iterdir())[::2][:4]
    pictures = next(iter(read_batches(paths, *stripes.size, batch=4))).pictures
    ours, theirs = (encoder.encode(pictures).embedding for encoder in (stripes, other))
    assert ours is not None
    assert theirs is not None
    expected = np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(ours, theirs, strict=True)])
    assert float(said[-2]) == pytest.approx(expected, abs=6e-4)
    assert float(said[-2]) < 0.99


def test_embeddings_of_other_lengths_are_refused(tmp_path: Path) -> None:
    ran = run("stripes", "rendered", tmp_path)
    assert ran.returncode == 1
    assert "cannot be compared" in ran.stderr
