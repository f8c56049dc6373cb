"""Commands that scripts run once: nothing is reused that is of other settings, and what was stopped goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import commands


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[object]]:
    calls: list[list[object]] = []
    monkeypatch.setattr(commands, "run", lambda *arguments: calls.append(list(arguments)))
    return calls


def test_a_command_is_run_once_and_other_settings_are_refused(ran: list[list[object]], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for _ in range(2):
        commands.once(folder, "train", 1)
    assert ran == [["train", 1]]
    with pytest.raises(SystemExit, match="holds the result of other settings"):
        commands.once(folder, "train", 2)


def test_a_run_that_was_stopped_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[object, ...]] = []

    def stopped(*arguments: object) -> Any:
        calls.append(arguments)
        (tmp_path / "checkpoint").touch()
        raise SystemExit(1)

    monkeypatch.setattr(commands, "run", stopped)
    for _ in range(2):
        with pytest.raises(SystemExit):
            commands.once(tmp_path, "train", resume=("checkpoint", "--resume"))
    assert calls == [("train",), ("train", "--resume")]


def test_figures_of_another_encoder_are_not_taken(ran: list[list[object]], tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    own = commands.open_encoder("stripes").fingerprint
    rows = [{"ranking": "id32 exhaustive", "rank1": 0.5, "map_standard": 0.25}]
    for fingerprint, times in ((own, 0), ("f00d", 1)):
        card.write_text(json.dumps({"encoder": {"fingerprint": fingerprint}, "rows": rows}))
        assert commands.evaluate("stripes", tmp_path, card) == {"id32 exhaustive": (50, 25)}
        assert len(ran) == times


def test_data_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    assert commands.names_of([tmp_path / "a", tmp_path / "b"]) == ["a", "b"]
    with pytest.raises(SystemExit, match="different names, got a, a"):
        commands.names_of([tmp_path / "a", tmp_path / "x" / "a"])
