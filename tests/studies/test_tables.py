"""`studies/tables.py`: runs are made once, goes on where it was, and says which orderings hold in every seed."""

from __future__ import annotations

import argparse
import importlib
import shutil
from pathlib import Path

import pytest

from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "tables.py"
TINY = [
    part
    for change in ("init=null", "size=[32, 16]", "settings.trunk=osnet_x0_25", "schedule.epochs=1", "held_out=0.34")
    for part in ("--set", change)
] + ["--set", "schedule.per_epoch=64", "--set", "schedule.warm_up=0", "--set", "evaluate_every=0"]


def run(tmp_path: Path, *arguments: object) -> str:
    ran = run_python(SCRIPT, *arguments, "--out", "runs", *TINY, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_rows_are_trained_once_and_compared(drawn_people: Path, tmp_path: Path) -> None:
    arguments = ("all_in_one", drawn_people, "--seeds", 2, "--rows", "pyramid", "+ probability")
    first = run(tmp_path, *arguments)
    assert "drawn: rank-1 / mAP, mean ± standard deviation over 2 seeds" in first
    assert "pyramid, id32 < + probability, id32: " in first
    assert "separate" not in first
    cards = {card: card.stat().st_mtime for card in tmp_path.rglob("card.json")}
    assert len(cards) == 4
    next(iter(cards)).unlink()  # measured again, but not trained again
    assert run(tmp_path, *arguments) == first
    assert sum(card.stat().st_mtime == made for card, made in cards.items()) == 3
    assert "id32 real values" in first
    shutil.copytree(drawn_people, tmp_path / "others")
    across = run(tmp_path, "ranking", drawn_people, "others", "--across", "--seeds", 1, "--rows", "both")
    assert [line.partition(":")[0] for line in across.splitlines() if "rank-1" in line] == [
        "drawn", "drawn -> others", "others", "others -> drawn",
    ]  # fmt: skip
    single = run(tmp_path, "ranking", drawn_people, "--seeds", 1, "--rows", "baseline", "both")
    assert "drawn: rank-1 / mAP, one seed" in single
    assert "baseline, float embedding < both, float embedding: one seed says nothing (" in single
    assert "±" not in single


def test_one_seed_has_no_deviation_and_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    program, tables = (importlib.import_module(name) for name in ("program", "tables"))
    assert program.spread([50.0, 52.0]) == " 51.0 ± 1.4"
    assert program.spread([50.0]) == " 50.0"
    verdicts = {
        name: tables.verdict(gains) for name, gains in {"up": [1, 2], "down": [-1, -2], "both": [1, -1]}.items()
    }
    assert verdicts == {"up": "holds", "down": "is reversed", "both": "is not seen"}
    assert tables.verdict([3.0]) == tables.verdict([0.0]) == "one seed says nothing"


def test_data_sets_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    program = importlib.import_module("program")
    assert program.names_of([tmp_path / "a", tmp_path / "b"]) == ["a", "b"]
    with pytest.raises(SystemExit, match="different names, got a, a"):
        program.names_of([tmp_path / "a", tmp_path / "x" / "a"])


@pytest.mark.parametrize("table", ["all_in_one", "length", "relaxation", "ranking"])
def test_rankings_of_cards_are_the_columns(table: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    tables = importlib.import_module("tables")
    on_cards = {
        column: {"CtF": "CtF, DTO beta 2"}.get(column, f"{column} exhaustive" if column.startswith("id") else column)
        for column in tables.COLUMNS[table]
        if not column.endswith("real values")
    }
    monkeypatch.setattr(tables, "encoder_of", lambda *_: tmp_path)
    monkeypatch.setattr(tables, "evaluated", lambda *_, **__: {})
    monkeypatch.setattr(tables, "percentages", lambda _: dict.fromkeys(on_cards.values(), (50.0, 40.0)))
    args = argparse.Namespace(out=tmp_path, table=table)
    found = tables.measured(tables.TABLES[table][0], tmp_path, 0, args)
    assert set(on_cards) == set(found)
