"""The installed command, and what one run of it gave."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.main import get_command

from swiftreid.cli.main import COMMANDS, app
from warm import run_python

COMMAND = str(Path(sys.executable).with_name("swiftreid"))


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run_in(folder: Path) -> Callable[..., Ran]:
    """A function that runs the command in that folder and checks its exit code."""

    def run(*arguments: object, code: int = 0) -> Ran:
        done = run_python(COMMAND, *arguments, folder=folder, package=True)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, f"exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def all_commands() -> list[list[str]]:
    """Every command as the words that call it."""
    root = get_command(app)
    context = root.make_context("swiftreid", ["--help"], resilient_parsing=True)
    found: list[list[str]] = []
    for name in COMMANDS:
        command = root.get_command(context, name)  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [[name]] if inner is None else [[name, each] for each in inner]
    return found
