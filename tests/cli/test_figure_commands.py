"""`swiftreid figure ...` as a user runs it, on drawn figures."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from command import Ran, run_in

pytest.importorskip("matplotlib")

Command = Callable[..., Ran]
STATION = Path(__file__).resolve().parents[2] / "examples" / "station"


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory, drawn_people: Path) -> Path:
    """Cards of the drawn people, made once: one as it is, one of other pictures."""
    folder = tmp_path_factory.mktemp("cards")
    run_in(folder)("evaluate", drawn_people, "--card", "a.json", "--quiet")
    card = json.loads((folder / "a.json").read_text())
    card["data"]["fingerprint"] = "1" * 16
    (folder / "other.json").write_text(json.dumps(card))
    return folder


def test_figures_of_cards_are_written_and_state_their_numbers(swiftreid: Command, cards: Path, tmp_path: Path) -> None:
    card = json.loads((cards / "a.json").read_text())
    shown = swiftreid("figure", "cmc", cards / "a.json", "--ranks", 5, "--json").json
    assert Image.open(tmp_path / "cmc.png").format == "PNG"
    rows = {row["ranking"]: row for row in card["rows"]}
    assert [c["label"] for c in shown["curves"]] == [r for r in rows if "exhaustive" in r or r == "float embedding"]
    assert all(c["cmc"] == rows[c["label"]]["cmc"][:5] for c in shown["curves"])

    shown = swiftreid("figure", "time", cards / "a.json", "--full", "-o", "new/time.svg", "--json").json
    assert (tmp_path / "new/time.svg").read_bytes().startswith(b"<?xml")
    assert {r["label"]: r["microseconds"] for r in shown["rankings"]} == {
        name: row["full_ranking_microseconds"] for name, row in rows.items() if row["full_ranking_microseconds"]
    }

    ran = swiftreid("figure", "changes", cards / "a.json", "--ranking", "id32", "--ranking", "id2048", "-o", "c.pdf")
    assert (tmp_path / "c.pdf").read_bytes().startswith(b"%PDF")
    assert "first match's rank by query" in ran.out


def test_unlike_cards_are_refused_unless_forced(swiftreid: Command, cards: Path) -> None:
    ran = swiftreid("figure", "cmc", cards / "a.json", cards / "other.json", code=2)
    assert "--force" in ran.err
    assert "fingerprint" in ran.err


def test_a_sweep_of_distractors_is_drawn_by_gallery_size(swiftreid: Command, cards: Path, tmp_path: Path) -> None:
    card = json.loads((cards / "a.json").read_text())
    entries = card["data"]["pictures"]["gallery"]
    for count in (50, 1000):
        grown = json.loads(json.dumps(card))
        grown["data"]["fingerprint"] = f"{count:016d}"
        grown["protocol"]["distractors"] = count
        (tmp_path / f"{count}.json").write_text(json.dumps(grown))
    shown = swiftreid("figure", "distractors", "1000.json", cards / "a.json", "50.json", "--full", "--json").json
    assert Image.open(tmp_path / "distractors.png").format == "PNG"
    times = {row["ranking"]: row["full_ranking_microseconds"] for row in card["rows"]}
    assert [line["label"] for line in shown["rankings"]] == [
        *(r for r in times if "exhaustive" in r),
        "float embedding",
    ]
    for line in shown["rankings"]:
        assert [size["entries"] for size in line["sizes"]] == [entries, entries + 50, entries + 1000]
        assert {size["microseconds"] for size in line["sizes"]} == {times[line["label"]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "two or more cards with different numbers of distractors"),
        ({"encoder": {"name": "another", "fingerprint": "2"}}, "encoder \\(.* and another\\)"),
        ({"data": {"name": "elsewhere"}}, "data set \\(.* and elsewhere\\)"),
        ({"protocol": {"cross_camera": False}}, "own camera"),
    ],
)
def test_cards_that_are_no_sweep_are_refused(
    swiftreid: Command, cards: Path, tmp_path: Path, change: dict[str, dict[str, object]], message: str
) -> None:
    card = json.loads((cards / "a.json").read_text())
    if change:
        card["protocol"]["distractors"] = 50
    for part, fields in change.items():
        card[part].update(fields)
    (tmp_path / "b.json").write_text(json.dumps(card))
    ran = swiftreid("figure", "distractors", cards / "a.json", "b.json", code=2)
    assert re.search(message, ran.err.replace("\n", " "))


@pytest.mark.slow
def test_unlike_cards_are_drawn_when_forced(swiftreid: Command, cards: Path) -> None:
    swiftreid("figure", "cmc", cards / "a.json", cards / "other.json", "--force")


def test_figures_of_data_are_fitted_on_the_train_split(swiftreid: Command, drawn_people: Path, tmp_path: Path) -> None:
    shown = swiftreid("figure", "beta", drawn_people, "--betas", "0.5,4", "--json").json
    assert shown["fitted_on"] == "drawn train"
    assert [trial["at"] for trial in shown["trials"]] == [0.5, 4]
    assert Image.open(tmp_path / "beta.png").format == "PNG"


@pytest.mark.slow
def test_w_and_distances_are_fitted_on_the_train_split(swiftreid: Command, drawn_people: Path, tmp_path: Path) -> None:
    shown = swiftreid("figure", "w", drawn_people, "--lengths", "3,20", "--json").json
    assert {3, 20} < {trial["at"] for trial in shown["trials"]} | {shown["rule"]}
    shown = swiftreid("figure", "w", drawn_people, "--json").json
    assert shown["fitted_on"] == "drawn train"
    assert shown["rule"] in [trial["at"] for trial in shown["trials"]]
    shown = swiftreid("figure", "distances", drawn_people, "--json").json
    assert [h["code"] for h in shown["histograms"]] == ["id32", "id128", "id512", "id2048"]
    assert all(h["thresholds"] for h in shown["histograms"])
    for name in ("w", "distances"):
        assert Image.open(tmp_path / f"{name}.png").format == "PNG"


def test_the_test_set_is_never_fitted_on(swiftreid: Command, drawn_people: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for folder in ("query", "bounding_box_test"):
        (bare / folder).symlink_to(drawn_people / folder)
    assert "--held-out" in swiftreid("figure", "beta", bare, code=2).err
    ran = swiftreid("figure", "w", bare, "--held-out", bare, code=2)
    assert "in the test set itself" in ran.err


@pytest.mark.slow
def test_other_people_are_fitted_on_when_named(swiftreid: Command, drawn_people: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for folder in ("query", "bounding_box_test"):
        (bare / folder).symlink_to(drawn_people / folder)
    shown = swiftreid("figure", "beta", bare, "--held-out", drawn_people, "--betas", "2", "--json").json
    assert shown["fitted_on"] == "drawn train"


def test_ranked_lists_say_that_people_may_be_real(swiftreid: Command, drawn_people: Path, tmp_path: Path) -> None:
    ran = swiftreid("figure", "ranked", drawn_people, "--worst", 2, "--json")
    assert "real people" in ran.err
    assert ran.json["real_people"] is True
    assert len(ran.json["lists"]) == 2
    assert Image.open(tmp_path / "ranked.png").format == "PNG"
    name = ran.json["lists"][0]["query"]
    named = swiftreid("figure", "ranked", drawn_people, "--queries", Path(name).name, "-o", "one.jpg", "--json").json
    assert named["lists"] == ran.json["lists"][:1]
    assert Image.open(io.BytesIO((tmp_path / "one.jpg").read_bytes())).format == "JPEG"


@pytest.mark.slow
def test_rendered_people_are_not_real(swiftreid: Command, drawn_people: Path, tmp_path: Path) -> None:
    rendered = tmp_path / "rendered"
    rendered.mkdir()
    for folder in ("query", "bounding_box_test"):
        (rendered / folder).symlink_to(drawn_people / folder)
    (rendered / "dataset.json").write_text('{"real_people": false}')
    ran = swiftreid("figure", "ranked", rendered, "--best", 1, "--json")
    assert ran.json["real_people"] is False
    assert "real people" not in ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["cmc", "a.json", "-o", "x.gif"], "must be a file name ending in"),
        (["beta", "data", "--betas", "0,1"], "numbers above 0"),
        (["ranked", "data", "--worst", "1", "--best", "1"], "one of --queries"),
    ],
)
def test_wrong_options_are_refused_before_any_work(swiftreid: Command, options: list[str], message: str) -> None:
    assert message in swiftreid("figure", *options, code=2).err


def test_the_map_by_camera_is_written(swiftreid: Command, tmp_path: Path) -> None:
    shown = swiftreid("figure", "map", STATION, "--encoder", "stripes", "-o", "m.svg", "--json").json
    assert (tmp_path / "m.svg").read_bytes().startswith(b"<?xml")
    assert 0 <= shown["between_after"] < shown["between_before"] < 1
