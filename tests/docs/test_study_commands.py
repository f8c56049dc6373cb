"""Every `python studies/...` line of the pages names a program that is there and takes these options."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDIES = ROOT / "studies"
HELPERS = {"program"}
"""Modules of that folder that are no programs."""


def lines_of(text: str) -> list[str]:
    """Commands of a page: in console blocks, with lines joined, and between backticks."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    consoles = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = " ".join(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL).split())
    found = [line[2:] for line in consoles if line.startswith("$ python studies/")]
    return found + re.findall(r"`(python studies/[^`]*)`", prose)


def lines_of_docstring(path: Path) -> list[str]:
    """Commands that a program's own docstring shows."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return [
        line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip().startswith("python studies/")
    ]


PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "src/swiftreid/recipes/README.md"]
COMMANDS = sorted(
    {line for page in PAGES if page.is_file() for line in lines_of(page.read_text(encoding="utf-8"))}
    | {line for path in STUDIES.glob("*.py") for line in lines_of_docstring(path)}
)


class Parsed(BaseException):
    """The options were taken; nothing of the program has run."""


@pytest.mark.parametrize("line", COMMANDS)
def test_the_program_takes_these_options(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, script, *arguments = shlex.split(line)
    path = ROOT / script
    assert path.is_file(), f"{script} is not there"
    if not arguments:  # the program is named, and perhaps not shown as it is called
        return
    monkeypatch.syspath_prepend(str(STUDIES))
    spec = importlib.util.spec_from_file_location(f"study_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        pytest.skip(f"{script} needs {error.name}")
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser: argparse.ArgumentParser, *_: Any) -> Any:
        parse(parser, arguments)  # exits where an option is unknown or one is missing
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    with pytest.raises(Parsed):
        module.main()


def test_every_program_shows_how_it_is_called() -> None:
    shown = {shlex.split(line)[1] for line in COMMANDS}
    assert shown == {f"studies/{path.name}" for path in STUDIES.glob("*.py") if path.stem not in HELPERS}
    assert len(COMMANDS) > 30


def test_options_that_are_not_there_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        test_the_program_takes_these_options("python studies/same_cards.py a b --no-such-option", monkeypatch)


def test_commands_are_found_in_prose_and_in_consoles() -> None:
    page = "Run `python\nstudies/a.py --x 1\n--y`, then\n\n```console\n$ python studies/b.py \\\n    --z\n```\n"
    assert lines_of(page) == ["python studies/b.py      --z", "python studies/a.py --x 1 --y"]
