"""Every command has a call on docs/calls.md, and some page's Python makes each of these calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from command import all_commands

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/calls.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z -]+)` \| (.*) \|$", PAGE, re.MULTILINE))
PYTHON = "".join(
    block
    for page in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
)


def test_every_command_has_a_row() -> None:
    assert set(ROWS) == {" ".join(words) for words in all_commands()}, "docs/calls.md has a row for each command"


@pytest.mark.parametrize("command", ROWS)
def test_the_page_or_another_one_makes_the_call(command: str) -> None:
    calls = [re.split(r"\W+", call.removesuffix(".card"))[-1] for call in re.findall(r"`([^`]+)`", ROWS[command])]
    if command == "demo":
        assert not calls
        return
    assert calls
    for call in calls:
        name = call or "open_gallery"
        assert re.search(rf"\b{name}\(", PYTHON), f"no Python on the pages calls {name}, which {command!r} stands for"
