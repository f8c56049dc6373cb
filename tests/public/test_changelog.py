"""The map of moved names is true: every new name can be imported, and no old one can."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
UNRELEASED = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
MOVED = re.findall(r"^\| `(swiftreid[\w.]*)` \| `(swiftreid[\w.]*)` \|$", UNRELEASED, re.MULTILINE)


def exists(name: str) -> bool:
    """Whether a module, or a name inside of one, can be imported."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:count]))
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise  # the module is there, and what it needs is not
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_the_map_is_read() -> None:
    rows = [line for line in UNRELEASED.splitlines() if line.startswith("| `")]
    assert len(MOVED) == len(rows) > 50
    assert len({old for old, _ in MOVED}) == len(MOVED)


@pytest.mark.parametrize(("old", "new"), MOVED)
def test_a_moved_name_is_where_the_map_says_and_nowhere_else(old: str, new: str) -> None:
    assert exists(new), new
    assert not exists(old), old


def test_what_does_not_exist_is_not_found() -> None:
    assert exists("swiftreid.gallery.Gallery.open")
    assert not exists("swiftreid.nowhere.Gallery")
    assert not exists("swiftreid.gallery.Gallery.opn")
