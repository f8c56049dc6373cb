"""Every module of the room can be the first that is imported: none needs another to have been imported before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import swiftreid.search

MODULES = sorted(path.stem for path in Path(swiftreid.search.__path__[0]).glob("[a-z]*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_first_import(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import swiftreid.search.{module}"], check=True, capture_output=True)
