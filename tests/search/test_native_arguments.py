"""Arguments that make no sense give errors, not crashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from swiftreid.search import kernels

FUZZ = Path(__file__).with_name("native_fuzz.py")

pytestmark = pytest.mark.skipif(kernels.available_kernels() == ["reference"], reason="the native kernels are not built")


def fuzz(folder: Path, examples: int) -> str:
    log = folder / "last call"
    command = [sys.executable, "-X", "faulthandler", str(FUZZ), str(log), str(examples)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = log.read_text(encoding="utf-8") if log.exists() else "none"
    assert done.returncode == 0, f"exit code {done.returncode}, last call: {last}\n{done.stderr[-4000:]}"
    return done.stdout


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    said = fuzz(tmp_path, 400).split()
    accepted, refused = int(said[0]), int(said[3])
    assert accepted > 50  # calls that make sense, or nearly
    assert refused > 100


@pytest.mark.slow
def test_many_wrong_arguments_are_refused(tmp_path: Path) -> None:
    fuzz(tmp_path, 6000)


def test_a_crash_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "crashing.py"
    program.write_text("import os, sys; open(sys.argv[1], 'w').write('this call'); os.abort()", encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "FUZZ", program)
    with pytest.raises(AssertionError, match="exit code -6, last call: this call"):
        fuzz(tmp_path, 1)


def test_a_date_is_refused() -> None:
    program = """
import numpy as np
from swiftreid import _native
try:
    _native.hamming(np.datetime64(0, "s"), np.zeros((1, 4), np.uint8), "portable", np.zeros((1, 1), np.int32))
except TypeError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\n")
