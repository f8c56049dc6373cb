from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from command import Ran


def test_pictures_are_encoded_once_and_figures_stay(
    swiftreid: Callable[..., Ran], drawn_people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(name: str) -> object:
        swiftreid("evaluate", drawn_people, "--untimed", "--card", name, "-q")
        card = json.loads((tmp_path / name).read_text())
        return card["rows"], card["data"], card["encoder"]

    without = rows("without.json")
    monkeypatch.setenv("SWIFTREID_CACHE", str(tmp_path / "cache"))
    first = rows("first.json")
    found = swiftreid("cache", "info", "--json").json
    assert (found["lists"], found["encoders"]) == (2, {"stripes": 2})
    assert rows("second.json") == first == without
    assert swiftreid("cache", "info", "--json").json["lists"] == 2
    assert "2 lists of pictures" in swiftreid("cache", "info").out
    assert swiftreid("cache", "clear", "--json").json["freed"] == found["bytes"]
    assert swiftreid("cache", "info", "--json").json["bytes"] == 0
    monkeypatch.setenv("SWIFTREID_CACHE", "")
    assert "nothing is kept" in swiftreid("cache", "info").out
