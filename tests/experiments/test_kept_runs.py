"""Runs kept in folders: made once, refused for other settings, resumed where they were stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import ReidData
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.card import DataCard, EvaluatedEncoder, ProtocolCard, ResultCard, ResultRow
from swiftreid.evaluation.protocol import evaluate_rankings
from swiftreid.experiments import kept_runs
from swiftreid.experiments.kept_runs import RECORD, evaluated, hashed, once, percentages, trained
from swiftreid.experiments.settings import EvaluationSettings

STATION = Path(__file__).resolve().parents[2] / "examples" / "station"
CHANGES = ["training.epochs=1", "training.lengths=[128,32]"]


def test_work_is_done_once_and_other_settings_are_refused(tmp_path: Path) -> None:
    done: list[int] = []
    for _ in range(2):
        once(tmp_path / "run", {"seed": 1, "size": (64, 32)}, lambda: done.append(1))
    assert done == [1]
    with pytest.raises(UsageError, match="holds the result of other settings"):
        once(tmp_path / "run", {"seed": 2, "size": (64, 32)}, lambda: done.append(2))
    assert done == [1]


def test_work_that_was_stopped_goes_on(tmp_path: Path) -> None:
    starts: list[bool] = []

    def work() -> None:
        starts.append((tmp_path / "run" / "half").exists())
        (tmp_path / "run" / "half").touch()
        if len(starts) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once(tmp_path / "run", {}, work)
    assert json.loads((tmp_path / "run" / RECORD).read_text())["finished"] is False
    for _ in range(2):
        once(tmp_path / "run", {}, work)
    assert starts == [False, True]


def test_the_card_of_another_encoder_or_data_set_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    metrics = evaluate_rankings(np.array([[1, 0]]), [1], [1], [1, 0], [2, 2])

    data, path = ReidData("two", tmp_path), tmp_path / "cards" / "card.json"

    def card(fingerprint: str, pictures: str = fingerprint_of(data)) -> ResultCard:
        return ResultCard(
            data=DataCard(name="two", fingerprint=pictures, pictures={"gallery": 2}, persons={}),
            encoder=EvaluatedEncoder(name="stripes", fingerprint=fingerprint),
            protocol=ProtocolCard.of(metrics),
            rows=[ResultRow.of("id32 exhaustive", metrics)],
            run=EvaluationSettings(timed=False, per_query=False).as_run(
                open_encoder("stripes").card.training.get("recipe")
            ),
        )

    own, calls = open_encoder("stripes").fingerprint, []

    def evaluate(*arguments: Any, **_: Any) -> ResultCard:
        calls.append(arguments[0])
        return card(own)

    monkeypatch.setattr(kept_runs, "evaluate", evaluate)
    here = card(own)
    camera_less = here.model_copy(update={"protocol": here.protocol.model_copy(update={"cross_camera": False})})
    cascades = here.model_copy(update={"run": {**here.run, "cascades": ["id32"]}})
    others = (card("f00d"), card(own, "0" * 16), camera_less, cascades)
    for times, before in enumerate((here, *others)):
        before.save(path)
        found = evaluated("stripes", data, path)
        assert percentages(found) == {"id32 exhaustive": (0, 50)}
        assert found.encoder is not None
        assert found.encoder.fingerprint == own
        assert len(calls) == times
    here.save(path)
    evaluated("stripes", data, path, values=True)
    assert len(calls) == 1 + len(others)
    assert (found.encoder, found.data) == (card(own).encoder, card(own).data)


def test_an_encoder_that_was_learned_otherwise_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hashed.safetensors"
    open_encoder("stripes").save(file)
    with pytest.raises(UsageError, match="holds the result of other settings"):
        hashed("stripes", STATION, file)
    made = hashed("stripes", STATION, tmp_path / "made.safetensors", changes=CHANGES)
    content = made.read_bytes()
    assert hashed("stripes", STATION, made, changes=CHANGES) == made
    assert made.read_bytes() == content
    for other in ({"changes": [*CHANGES, "training.epochs=2"]}, {"seed": 1, "changes": CHANGES}):
        with pytest.raises(UsageError, match="holds the result of other settings"):
            hashed("stripes", STATION, made, **other)


def test_a_run_of_a_recipe_or_a_start_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    start, recipe = tmp_path / "start.safetensors", tmp_path / "mine.yaml"
    open_encoder("rendered").save(start)

    def state(epochs: int) -> None:
        recipe.write_text(
            "method: baseline\nsettings: {trunk: resnet18_half_ibn_a}\nsize: [48, 24]\nheld_out: 0\n"
            f"batches: {{persons: 2, pictures: 2}}\nschedule: {{epochs: {epochs}, per_epoch: 4, warm_up: 0}}\n"
        )

    def made() -> Path:
        return trained(recipe, STATION, tmp_path / "run", init=start)

    state(1)
    content = made().read_bytes()
    assert made().read_bytes() == content
    state(2)
    with pytest.raises(UsageError, match="holds the result of other settings"):
        made()
    state(1)
    assert made().read_bytes() == content
    open_encoder("rendered").with_card(open_encoder("rendered").card.model_copy(update={"name": "x"})).save(start)
    with pytest.raises(UsageError, match="holds the result of other settings"):
        made()
