"""`studies/same_cards.py`: any figure that differs is found, and times and dates are not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swiftreid.experiments.evaluate import evaluate
from swiftreid.experiments.settings import EvaluationSettings
from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "same_cards.py"


def run(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return run_python(SCRIPT, "old", "new", folder=tmp_path)


@pytest.fixture(scope="module")
def card(drawn_people: Path) -> dict[str, Any]:
    found = evaluate(drawn_people, "stripes", EvaluationSettings(timed=False)).model_dump(mode="json")
    return dict(found)


def written(card: dict[str, Any], tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        changed = json.loads(json.dumps(card))
        if folder == "new":
            change(changed)
        (tmp_path / folder / "drawn.json").write_text(json.dumps(changed), encoding="utf-8")


def test_times_dates_and_versions_may_differ(card: dict[str, Any], tmp_path: Path) -> None:
    def change(new: dict[str, Any]) -> None:
        new["created"], new["software"], new["run"] = "2020-01-01T00:00:00+00:00", {}, {}
        new["rows"][0]["microseconds_per_query"] = 12.5
        new["rows"][0]["full_ranking_microseconds"] = 20.0
        new["rows"][0]["extra"]["speed_up"] = 3.0

    written(card, tmp_path, change)
    ran = run(tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "1 cards, all figures the same\n"), ran.stderr


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda new: new["rows"][2].update(rank1=0.123), "drawn.json: rows[2].rank1: "),
        (lambda new: new["rows"][0]["per_query"]["inp"].__setitem__(3, 0.5), "drawn.json: rows[0].per_query.inp[3]: "),
        (lambda new: new["rows"][1]["extra"].pop("bytes_per_query"), "rows[1].extra.bytes_per_query: only in the old"),
        (lambda new: new["rows"].pop(), "drawn.json: rows: "),
        (lambda new: new["encoder"].update(created="now"), "drawn.json: encoder.created: only in the new card"),
    ],
)
def test_any_other_field_is_named(
    card: dict[str, Any], tmp_path: Path, change: Callable[[dict[str, Any]], None], line: str
) -> None:
    written(card, tmp_path, change)
    ran = run(tmp_path)
    assert ran.returncode == 1
    [found] = ran.stdout.splitlines()
    assert line in found


def test_a_card_that_one_folder_lacks_is_a_difference(card: dict[str, Any], tmp_path: Path) -> None:
    written(card, tmp_path, lambda _: None)
    (tmp_path / "old" / "other.json").write_text("{}", encoding="utf-8")
    ran = run(tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "other.json: only in old\n")
    for path in (tmp_path / "old").iterdir():
        path.unlink()
    assert "holds no result card" in run(tmp_path).stderr
