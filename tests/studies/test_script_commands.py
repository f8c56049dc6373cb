"""Commands that scripts run once: nothing is reused that is of other settings, and what was stopped goes on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swiftreid.evaluation.card import DataCard, EvaluatedEncoder, ProtocolCard, ResultCard, ResultRow
from swiftreid.evaluation.protocol import evaluate_rankings

sys.path.append(str(Path(__file__).resolve().parents[2] / "studies"))
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
    path = tmp_path / "card.json"
    own = commands.open_encoder("stripes").fingerprint
    metrics = evaluate_rankings(np.array([[1, 0]]), [1], [1], [1, 0], [2, 2])
    for fingerprint, times in ((own, 0), ("f00d", 1)):
        ResultCard(
            data=DataCard(name="two", fingerprint="0" * 16, pictures={"gallery": 2}, persons={}),
            encoder=EvaluatedEncoder(name="stripes", fingerprint=fingerprint),
            protocol=ProtocolCard.of(metrics),
            rows=[ResultRow.of("id32 exhaustive", metrics)],
        ).save(path)
        assert commands.evaluate("stripes", tmp_path, path) == {"id32 exhaustive": (0, 50)}
        assert len(ran) == times


def test_data_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    assert commands.names_of([tmp_path / "a", tmp_path / "b"]) == ["a", "b"]
    with pytest.raises(SystemExit, match="different names, got a, a"):
        commands.names_of([tmp_path / "a", tmp_path / "x" / "a"])
