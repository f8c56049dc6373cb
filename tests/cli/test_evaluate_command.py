"""`swiftreid evaluate` and `swiftreid compare` on miniatures, as a user types them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from command import Ran
from miniatures import market1501, person_folders
from swiftreid.cli.main import app
from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard
from swiftreid.evaluation.labelled import LabelledCodes, own_pictures

Run = Callable[..., Ran]


def test_a_sweep_of_distractors_writes_a_card_for_each_size(swiftreid: Run, tmp_path: Path) -> None:
    mini = market1501(tmp_path / "market", distractors="images")
    table = swiftreid(
        "evaluate", mini.root, "--kind", "market1501+500k", "--distractors", "0,3,all", "--untimed", "--card", "r.json"
    ).out
    cards = {size: ResultCard.load(tmp_path / f"r-{size}.json") for size in (0, 3, 7)}
    assert "number of distractors" in table
    for size, card in cards.items():
        assert card.protocol.distractors == size
        assert ("distractors added" in card.protocol.words) == (size > 0)
        assert card.queries == sorted(name for name, _, _ in mini.expected["query"])
        row = card.rows[-1]
        assert row.per_query is not None
        assert len(row.per_query.ap_standard) == len(card.queries) == 6
        assert set(row.confidence) == {"rank1", "map_standard", "map_trapezoid", "map_short_list", "minp"}
        assert len(row.cmc) == 50
        assert row.codes == ["embedding"]
    for ours, fewer in ((7, 3), (3, 0)):
        for one, other in zip(cards[ours].rows, cards[fewer].rows, strict=True):
            assert one.map_standard <= other.map_standard + 1e-12, "distractors cannot help"
    assert len({card.data.fingerprint for card in cards.values()}) == 3
    refused = swiftreid("compare", "r-0.json", "r-7.json", code=2).err
    assert "distractors (0 and 7)" in refused
    forced = swiftreid("compare", "r-0.json", "r-7.json", "--force", "--ranking", "float embedding", "--json")
    assert [d["field"] for d in forced.json["differences"]["r-7"]] == ["data set", "distractors"]
    assert "distractors (0 and 7)" in forced.err
    assert len(forced.json["tests"]) == 2
    # Named after its distractors, it has all of them unless told otherwise.
    told = swiftreid("evaluate", mini.root, "--kind", "market1501+500k", "--untimed", "--json", "--no-per-query").json
    assert told["protocol"]["distractors"] == 7
    assert told["rows"][0]["per_query"] is None
    assert [row["map_standard"] for row in told["rows"]] == [row.map_standard for row in cards[7].rows]


def test_multi_query_the_zero_rule_and_the_other_ap(swiftreid: Run, tmp_path: Path) -> None:
    mini = market1501(tmp_path / "market1501")
    arguments = ("evaluate", mini.root, "--untimed", "--empty", "zero", "--ap", "trapezoid", "--card", "m.json")
    table = swiftreid(*arguments, "--multi-query").out
    card = ResultCard.load(tmp_path / "m.json")
    assert (card.protocol.multi_query, card.protocol.empty, card.protocol.ap) == (True, "zero", "trapezoid")
    assert card.protocol.words.startswith("multi query")
    assert "mAP (trapezoid)" in table
    assert "counted as 0" in table
    plain = swiftreid(*arguments[:3], "--json", "--card", "s.json").json
    assert plain["protocol"]["multi_query"] is False
    assert plain["data"]["fingerprint"] != card.data.fingerprint
    refused = swiftreid("compare", "s.json", "m.json", code=2).err
    for field in ("query (single query and multi query)", "skip and zero", "standard and trapezoid", "--ap"):
        assert field in refused


def test_camera_less_data_is_measured_and_says_so(swiftreid: Run, tmp_path: Path) -> None:
    mini = person_folders(tmp_path / "people")
    told = swiftreid("evaluate", mini.root, "--json").json
    assert told["protocol"]["cross_camera"] is False
    assert "camera-less" in told["protocol"]["words"]
    best = told["rows"][-1]
    assert (told["protocol"]["queries"], told["protocol"]["skipped"]) == (9, 0)
    assert best["rank1"] > 0.5
    assert min(best["per_query"]["first_match"]) >= 1
    assert best["map_standard"] < 1.001
    assert best["microseconds_per_query"] > 0
    assert best["full_ranking_microseconds"] > 0


def test_a_query_finds_its_own_file_in_the_gallery(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    none = np.zeros(2, np.int64)
    query = LabelledCodes({}, none, none, None, [tmp_path / "link.jpg", tmp_path / "b.jpg"])
    gallery = LabelledCodes({}, none, none, None, [tmp_path / "c.jpg", tmp_path / "a.jpg"])
    assert own_pictures(query, gallery).tolist() == [1, -1]


def test_compare_says_what_is_more_than_chance(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    swiftreid("evaluate", drawn_people, "--untimed", "--card", "a.json")
    card = ResultCard.load(tmp_path / "a.json")
    row = card.row("float embedding")
    assert row is not None
    assert row.per_query is not None
    halved = [value and value / 2 for value in row.per_query.ap_standard]
    each = row.per_query.model_copy(update={"ap_standard": halved, "first_match": [2] * 24})
    changed = row.model_copy(update={"per_query": each, "map_standard": row.map_standard / 2, "rank1": 0.0})
    card.model_copy(update={"rows": [*card.rows[:-1], changed]}).save(tmp_path / "b.json")
    out = swiftreid("compare", "a.json", "b.json", "--ranking", "FLOAT").out
    assert "float embedding: b is worse than a by" in out
    assert "10,000 random sign flips" in out
    told = swiftreid("compare", "a.json", "b.json", "--json").json
    tests = {(test["ranking"], test["figure"]): test for test in told["tests"]}
    change = tests["float embedding", "mAP"]
    assert change["difference"] == pytest.approx(-row.map_standard / 2)
    assert change["significant"] is True
    assert tests["id32 exhaustive", "mAP"]["difference"] == 0
    assert len(told["verdict"]) == len(card.rows)
    assert "no ranking 'y'" in swiftreid("compare", "a.json", "b.json", "--ranking", "y", code=2).err
    assert "at least two" in swiftreid("compare", "a.json", code=2).err
    assert "cannot be read" in swiftreid("compare", "a.json", "nowhere.json", code=1).err


def test_options_that_cannot_be_are_refused(drawn_people: Path) -> None:
    for options, message in (
        (["--multi-query"], "no further pictures"),
        (["--multi-query", "--no-cameras"], "pools pictures by camera"),
        (["--distractors", "5"], "has 0 distractors"),
        (["--distractors", "many"], "neither a number"),
        (["--empty", "one"], "--empty must be"),
        (["--ap", "area"], "--ap must be"),
        (["--kind", "imagenet"], "no kind of data set"),
    ):
        ran = CliRunner().invoke(app, ["evaluate", str(drawn_people), *options])
        assert isinstance(ran.exception, UsageError)
        assert message in str(ran.exception)


def test_doubts_and_shared_people_are_warned_of(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_people, tmp_path / "mixed")
    for picture in (tmp_path / "mixed" / "bounding_box_test").glob("0013_*"):
        shutil.copy(picture, tmp_path / "mixed" / "bounding_box_train")
    (tmp_path / "mixed" / "query" / "0013_c1s1_000009_01.heic").write_bytes(b"x")
    err = swiftreid("evaluate", "mixed", "--untimed").err
    assert "mixed: 1 file that looks like a picture is not read (query/0013_c1s1_000009_01.heic)" in err
    assert "1 queried people are in the training split too" in err
    assert "--card" in swiftreid("evaluate", "mixed", "--card", "a.txt", code=2).err
