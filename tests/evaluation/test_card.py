from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.market import read_market
from swiftreid.errors import SwiftReIDError
from swiftreid.evaluation.card import DataCard, EvaluatedEncoder, ProtocolCard, ResultCard, ResultRow
from swiftreid.evaluation.protocol import evaluate_rankings


def data_set(root: Path) -> Path:
    for name in ("query/0001_c1_0.jpg", "bounding_box_test/0001_c2_0.jpg", "bounding_box_test/0000_c2_0.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


@pytest.fixture
def card(tmp_path: Path) -> ResultCard:
    metrics = evaluate_rankings(np.array([[1, 0]]), [1], [1], [1, 0], [2, 2])
    rows = [
        ResultRow.of("id2048 exhaustive", metrics, bytes_per_entry=256, microseconds_per_query=12.34),
        ResultRow.of("CtF", metrics, extra={"kept": 0.125}),
    ]
    return ResultCard(
        data=DataCard.of(read_market(data_set(tmp_path / "mini"))),
        encoder=EvaluatedEncoder(name="stripes", fingerprint="abc"),
        seed=3,
        protocol=ProtocolCard.of(metrics),
        rows=rows,
    )


def test_round_trip(card: ResultCard, tmp_path: Path) -> None:
    path = tmp_path / "new" / "card.json"
    card.save(path)
    assert ResultCard.load(path) == card
    content = json.loads(path.read_text())
    assert content["format"] == 2
    assert content["data"]["pictures"] == {"train": 0, "query": 1, "gallery": 2}
    assert content["protocol"]["cross_camera"] is True
    assert {"python", "numpy", "swiftreid"} <= set(content["software"])
    assert [file.name for file in path.parent.iterdir()] == ["card.json"]


def test_a_failed_save_leaves_the_old_card(card: ResultCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cards" / "card.json"
    card.save(path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SwiftReIDError, match=r"could not write .*No space left"):
        card.model_copy(update={"seed": 4}).save(path)
    assert ResultCard.load(path).seed == 3
    assert [file.name for file in path.parent.iterdir()] == ["card.json"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(SwiftReIDError, match="could not write"):
        card.save(tmp_path / "file" / "card.json")


def test_what_is_no_card_is_said(card: ResultCard, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    with pytest.raises(SwiftReIDError, match="cannot be read"):
        ResultCard.load(path)
    path.write_text("not json")
    with pytest.raises(SwiftReIDError, match="is not a result card"):
        ResultCard.load(path)
    card.save(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format": 3, "novelty": 1}))
    with pytest.raises(SwiftReIDError, match=r"format 3.*update swiftreid"):
        ResultCard.load(path)
    path.write_text(json.dumps({**content, "rows": [{}]}))
    with pytest.raises(SwiftReIDError, match=r"rows\.0\.ranking"):
        ResultCard.load(path)


def test_figures_that_are_not_numbers_are_refused(card: ResultCard) -> None:
    with pytest.raises(ValueError, match="finite"):
        ResultRow(**{**card.rows[0].model_dump(), "rank1": float("nan")})


def test_fingerprint_follows_content_and_not_place(tmp_path: Path) -> None:
    root = data_set(tmp_path / "a")
    before = fingerprint_of(read_market(root))
    shutil.copytree(root, tmp_path / "elsewhere")
    assert fingerprint_of(read_market(tmp_path / "elsewhere")) == before
    changed = tmp_path / "elsewhere" / "query" / "0001_c1_0.jpg"
    changed.write_bytes(b"longer than it was before")
    assert fingerprint_of(read_market(tmp_path / "elsewhere")) != before
    data = read_market(root)
    changed = root / "query" / "0001_c1_0.jpg"
    changed.rename(changed.with_name("0001_c3_0.jpg"))
    assert fingerprint_of(read_market(root)) != before
    assert fingerprint_of(data) not in (before, fingerprint_of(read_market(root))), "the listed file is gone"


def test_what_format_2_brought(card: ResultCard, tmp_path: Path) -> None:
    card = card.model_copy(update={"queries": ["query/0001_c1_0.jpg"], "notes": ["a, 1"], "run": {"cascade": ["x"]}})
    card.save(tmp_path / "card.json")
    assert ResultCard.load(tmp_path / "card.json") == card
    row = card.rows[0]
    assert row.cmc == [0, *[1] * 49], "the distractor stands first"
    assert row.confidence["map_trapezoid"] == (0.25, 0.25), "one query is as sure as one query can be"
    assert row.per_query is not None
    assert row.per_query.model_dump() == {
        "ap_standard": [0.5], "ap_trapezoid": [0.25], "ap_short_list": [0.5], "inp": [0.5], "first_match": [2],
    }  # fmt: skip
    assert '"cmc": [ 0.0, 1.0,' in (tmp_path / "card.json").read_text(), "on one line"
    assert card.row("CtF") is card.rows[1]
    assert card.row("ctf") is None


def test_queries_left_out_are_null() -> None:
    metrics = evaluate_rankings(np.array([[1, 0], [0, 1]]), [1, 7], [1, 1], [1, 0], [2, 2])
    row = ResultRow.of("x", metrics)
    assert row.per_query is not None
    assert row.per_query.ap_standard == [0.5, None]
    assert row.per_query.first_match == [2, 0]
    assert ResultRow.of("x", metrics, per_query=False).per_query is None


def test_a_card_of_format_1_loads(card: ResultCard, tmp_path: Path) -> None:
    old = {
        "format": 1, "created": "2026-11-01T00:00:00+00:00", "software": {"numpy": "2.0"},
        "data": card.data.model_dump(), "encoder": {"name": "stripes", "fingerprint": "abc"}, "seed": None,
        "protocol": {"words": "w", "cross_camera": True, "empty": "skip", "queries": 1, "skipped": 0},
        "unreadable": 0,
        "rows": [
            {
                "ranking": "r", "rank1": 0.5, "rank5": 1.0, "rank10": 1.0, "map_standard": 0.5, "map_trapezoid": 0.25,
                "minp": 0.5, "incomplete": 0, "bytes_per_entry": 256, "microseconds_per_query": None, "extra": {"a": 1},
            }
        ],
    }  # fmt: skip
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old))
    loaded = ResultCard.load(path)
    assert (loaded.format, loaded.queries, loaded.notes, loaded.run) == (1, [], [], {})
    assert (loaded.protocol.multi_query, loaded.protocol.distractors, loaded.protocol.ap) == (False, 0, "standard")
    assert loaded.rows[0].per_query is None
    assert loaded.rows[0].confidence == {}
    loaded.save(path)
    assert ResultCard.load(path) == loaded, "and stays what it is"


def test_the_protocol_in_words() -> None:
    metrics = evaluate_rankings(np.array([[1, 0]]), [1], [1], [1, 0], [2, 2])
    many = ProtocolCard.of(metrics, multi_query=True, distractors=500_000, ap="trapezoid")
    assert "multi query" in many.words
    assert "single query" not in many.words
    assert "500,000 distractors added" in many.words
    assert (many.multi_query, many.distractors, many.ap) == (True, 500_000, "trapezoid")
    assert "distractor" not in ProtocolCard.of(metrics).words


def test_figures_that_are_no_shares_are_refused(card: ResultCard, tmp_path: Path) -> None:
    path = str(tmp_path / "card.json")
    card.save(path)
    assert ResultCard.load(path) == card
    content = json.loads(Path(path).read_text())
    content["rows"][0]["map_standard"] = 12.5
    Path(path).write_text(json.dumps(content))
    with pytest.raises(SwiftReIDError, match="map_standard: Input should be less than or equal to 1"):
        ResultCard.load(path)


def test_nobody_is_not_counted_as_a_person(tmp_path: Path) -> None:
    assert DataCard.of(read_market(data_set(tmp_path))).persons == {"train": 0, "query": 1, "gallery": 1}
