"""Runs the real command in a process of its own, as a user does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command import COMMAND, Ran


@pytest.fixture
def swiftreid(tmp_path: Path) -> Callable[..., Ran]:
    """Call as ``swiftreid("gallery", "info", path, code=0)``; the working directory is empty and private."""

    def run(*arguments: object, code: int = 0) -> Ran:
        done = subprocess.run(
            [COMMAND, *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, f"exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
