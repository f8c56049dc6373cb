"""Search by description through the real command, with an encoder that learned the station's attributes."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from command import Ran, run_in
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.stream import encode_all
from swiftreid.search.codes import unpack_bits

pytest.importorskip("torch")
Run = Callable[..., Ran]
STATION = Path(__file__).resolve().parents[2] / "examples" / "station"


@pytest.fixture(scope="module")
def _described_once(tmp_path_factory: pytest.TempPathFactory, hashed_station: Path) -> Path:
    place = tmp_path_factory.mktemp("described")
    run = run_in(place)
    shutil.copy(hashed_station, place / "e.safetensors")
    run("gallery", "create", "g", "--encoder", "e.safetensors")
    run("gallery", "add", "g", STATION / "bounding_box_train")
    return place


@pytest.fixture
def described(_described_once: Path, tmp_path: Path) -> Run:
    shutil.copytree(_described_once, tmp_path, dirs_exist_ok=True)
    return run_in(tmp_path)


def _told() -> dict[str, dict[str, str]]:
    with (STATION / "attributes.csv").open(encoding="utf-8") as rows:
        return {row["person"]: row for row in csv.DictReader(rows)}


def test_whom_a_description_finds_first_is_as_described(described: Run, tmp_path: Path) -> None:
    found = described("search", "g", "--has", "backpack", "--not", "hat", "-k", 20, "--json").json
    assert found["description"] == {"backpack": True, "hat": False}
    assert found["cascade"] == "attr114"
    assert Path(found["picture"]).name == "search.png"
    (query,) = found["queries"]
    assert (query["query"], query["unknown"], len(query["hits"])) == ("backpack, not hat", None, 20)
    encoder = open_encoder(tmp_path / "e.safetensors")
    names = encoder.card.attributes
    distances = [hit["distance"] for hit in query["hits"]]
    assert distances == sorted(distances)
    for hit in query["hits"]:
        assert (hit["distance"] == 0) == (hit["differs"] == hit["unsure"] == [])
        assert set(hit["differs"]) <= {"backpack", "hat"}
    # The bits that are stored are those that it went by.
    _, shown = encode_all(encoder, [STATION / "bounding_box_train" / hit["id"] for hit in query["hits"]])
    bits = unpack_bits(shown.codes["attr114"], len(names))
    for row, hit in zip(bits, query["hits"], strict=True):
        told = dict(zip(names, row, strict=True))
        differs = [n for n, wanted in (("backpack", True), ("hat", False)) if told[n] != wanted]
        unsure = ["backpack"] if told["backpack"] and not told["surely_backpack"] else []
        assert (hit["differs"], hit["unsure"]) == (differs, unsure)
    people = _told()
    right = [people[f"{int(hit['person']):04d}"]["backpack"] != "no" for hit in query["hits"]]
    share = sum(row["backpack"] != "no" for row in people.values()) / len(people)
    assert sum(right) / len(right) > 2 * share, "better than chance, on the people whom it learned from"


def test_those_who_surely_fit_come_before_those_who_probably_do(described: Run) -> None:
    described("gallery", "create", "others", "--encoder", "e.safetensors")  # than those whom it learned from
    described("gallery", "add", "others", STATION / "query", STATION / "bounding_box_test")
    asked = ("search", "others", "--has", "backpack", "-k", 200, "--no-picture")
    (query,) = described(*asked, "--json").json["queries"]
    answers = [(hit["differs"], hit["unsure"]) for hit in query["hits"]]
    groups = [([], []), ([], ["backpack"]), (["backpack"], [])]
    assert [group for group in groups if group in answers] == groups
    assert answers == sorted(answers, key=groups.index)
    assert "backpack?" in described(*asked).out


def test_a_picture_is_searched_among_those_who_fit(described: Run) -> None:
    query = next((STATION / "query").iterdir())
    fits = [
        hit["id"]
        for hit in described("search", "g", "--has", "backpack", "-k", 450, "--no-picture", "--json").json["queries"][
            0
        ]["hits"]
        if not hit["differs"]
    ]
    assert 45 < len(fits) < 450
    asked = ("search", "g", query, "--has", "backpack", "--no-picture")
    for options in (["-k", 5], ["-k", 450], ["-k", 450, "--exact"], ["-k", 5, "--rerank"]):
        found = described(*asked, *options, "--json").json
        (answer,) = found["queries"]
        assert answer["passing"] == len(fits)
        assert found["stages"][0]["entries_in"] == len(fits)
        hits = [hit["id"] for hit in answer["hits"]]
        assert (len(hits) == 5 and set(hits) <= set(fits)) if options[1] == 5 else sorted(hits) == sorted(fits)
    given = "attr114:top=40 > id2048"  # by the picture's own attributes
    found = described(*asked, "--cascade", given, "--json").json
    assert (found["cascade"], found["stages"][1]["entries_in"]) == (given, 40)
    assert f"the description lets {len(fits)} entries pass, about " in described(*asked).err
    alone = described("search", "g", "--has", "backpack", "--no-picture", "--json").json
    assert alone["queries"][0]["passing"] == len(fits)
    assert alone["by_chance"] == alone["never_measured"] == []
    assert 0 < alone["right_share"] <= 1
    fit = described("search", "g", "--has", "backpack", "--no-picture").err
    assert f"the description fits {len(fits)} entries, surely or not" in fit


def test_nobody_need_fit(described: Run) -> None:
    ran = described(
        "search", "g", "--has", "hat", "--has", "skirt", "--upper", "pink", "--has", "child", "--no-picture"
    )
    assert "no hit fits the whole description: " in ran.err


def test_the_table_says_what_differs(described: Run) -> None:
    ran = described("search", "g", "--has", "backpack", "--upper", "red", "--not", "hat", "-k", 3, "--no-picture")
    assert "backpack, upper_red, not hat" in ran.out
    assert "differs in" in ran.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--has", "bagpack"], "did you mean backpack"),
        (["--upper", "tartan"], "upper tartan: there is no such colour or pattern; there are black"),
        (["--has", "hat", "--not", "hat"], "the description contradicts itself: has 'hat', and lacks 'hat'"),
        (["--has", "hat", "--exact"], "a description alone is one attribute stage"),
        (["--has", "hat", "--rerank"], "a description alone is one attribute stage"),
        (["--has", "hat", "--same-person", "3"], "a description alone is one attribute stage"),
        (["--has", "hat", "--together"], "--together searches for several pictures of one person at once"),
        ([], "give a query: pictures, --like ID, or a description"),
    ],
)
def test_what_cannot_be_searched_is_refused(options: list[str], message: str, described: Run) -> None:
    ran = described("search", "g", *options, "--no-picture", code=2)
    assert message in ran.err
    assert not ran.out


def test_an_encoder_without_attributes_says_so(swiftreid: Run, filled: Path) -> None:
    ran = swiftreid("search", "g", "--has", "hat", "--no-picture", code=2)
    assert "this encoder gives no attributes, so it cannot search by description" in ran.err
