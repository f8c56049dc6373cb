"""Search by description through the real command, with an encoder that learned the station's attributes."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from command import Ran, run_in
from swiftreid.cli.describing import Described, Likeness
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.stream import encode_all
from swiftreid.search.codes import pack_bits, unpack_bits
from swiftreid.search.description import Description
from swiftreid.search.table import CodeTable

pytest.importorskip("torch")
Run = Callable[..., Ran]
STATION = Path(__file__).resolve().parents[2] / "examples" / "station"


@pytest.fixture(scope="module")
def _described_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("described")
    run = run_in(place)
    run("hash", STATION, "--encoder", "stripes", "--set", "attributes=true", "-o", "e.safetensors", "-q")
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


@pytest.mark.parametrize(("weight", "unsure"), [(3, ["hat"]), (0, [])])
def test_a_second_bit_that_does_not_count_leaves_nothing_unsure(weight: int, unsure: list[str]) -> None:
    names = ["hat", "bag", "surely_hat", "surely_bag"]
    said = Description({"hat": True})
    row, weights = said.code(names)[None], np.array([[5, 0, weight, 0]], np.uint8)
    people = CodeTable({"attr4": pack_bits(np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]], np.uint8))})
    asked = Described(said, names, "attr4", row, weights)
    assert asked.compared(people, range(3)) == [Likeness([], unsure), Likeness([], []), Likeness(["hat"], [])]


def test_whom_a_description_finds_first_is_as_described(described: Run, tmp_path: Path) -> None:
    found = described("search", "g", "--has", "backpack", "--not", "hat", "-k", 20, "--json").json
    assert found["description"] == {"backpack": True, "hat": False}
    assert found["cascade"] == "attr114"
    assert Path(found["picture"]).name == "search.png"
    (query,) = found["queries"]
    assert (query["query"], query["unknown"], len(query["results"])) == ("backpack, not hat", None, 20)
    encoder = open_encoder(tmp_path / "e.safetensors")
    names = encoder.card.attributes
    distances = [hit["distance"] for hit in query["results"]]
    assert distances == sorted(distances)
    for hit in query["results"]:
        assert (hit["distance"] == 0) == (hit["differs"] == hit["unsure"] == [])
        assert set(hit["differs"]) <= {"backpack", "hat"}
    # The bits that are stored are those that it went by.
    _, shown = encode_all(encoder, [STATION / "bounding_box_train" / hit["id"] for hit in query["results"]])
    bits = unpack_bits(shown.codes["attr114"], len(names))
    for row, hit in zip(bits, query["results"], strict=True):
        told = dict(zip(names, row, strict=True))
        differs = [n for n, wanted in (("backpack", True), ("hat", False)) if told[n] != wanted]
        unsure = ["backpack"] if told["backpack"] and not told["surely_backpack"] else []
        assert (hit["differs"], hit["unsure"]) == (differs, unsure)
    people = _told()
    right = [people[f"{int(hit['person']):04d}"]["backpack"] != "no" for hit in query["results"]]
    share = sum(row["backpack"] != "no" for row in people.values()) / len(people)
    assert sum(right) / len(right) > 2 * share, "better than chance, on the people whom it learned from"


def test_those_who_surely_fit_come_before_those_who_probably_do(described: Run) -> None:
    described("gallery", "create", "others", "--encoder", "e.safetensors")  # than those whom it learned from
    described("gallery", "add", "others", STATION / "query", STATION / "bounding_box_test")
    asked = ("search", "others", "--has", "backpack", "-k", 200, "--no-picture")
    (query,) = described(*asked, "--json").json["queries"]
    answers = [(hit["differs"], hit["unsure"]) for hit in query["results"]]
    groups = [([], []), ([], ["backpack"]), (["backpack"], [])]
    assert [group for group in groups if group in answers] == groups
    assert answers == sorted(answers, key=groups.index)
    assert "backpack?" in described(*asked).out


def test_a_picture_is_searched_among_those_who_fit(described: Run) -> None:
    query = next((STATION / "query").iterdir())
    found = described("search", "g", query, "--has", "backpack", "-k", 5, "--no-picture", "--json").json
    assert found["cascade"].startswith("attr114:share=0.1+ > id32")
    first, last = found["stages"][0], found["stages"][-1]
    assert (first["entries_in"], last["code"]) == (450, "id2048")
    assert first["entries_kept"] >= 45
    for hit in found["queries"][0]["results"]:
        assert hit["differs"] in ([], ["backpack"])
    given = "attr114:top=40 > id2048"
    found = described("search", "g", query, "--has", "backpack", "--cascade", given, "--no-picture", "--json").json
    assert found["cascade"] == given


def test_the_table_says_what_differs(described: Run) -> None:
    ran = described("search", "g", "--has", "backpack", "--upper", "red", "--not", "hat", "-k", 3, "--no-picture")
    assert "backpack, upper_red, not hat" in ran.out
    assert "differs in" in ran.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--has", "bagpack"], "did you mean backpack"),
        (["--upper", "tartan"], "--upper tartan: there is no such colour or pattern; there are black"),
        (["--has", "hat", "--not", "hat"], "wants hat and does not want it"),
        (["--has", "hat", "--exact"], "a description alone is one stage"),
        (["--has", "hat", "--rerank"], "a description alone is one stage"),
        ([], "say whom to search: query pictures, --like ID, or a description"),
    ],
)
def test_what_cannot_be_searched_is_refused(options: list[str], message: str, described: Run) -> None:
    ran = described("search", "g", *options, "--no-picture", code=2)
    assert message in ran.err
    assert not ran.out


def test_an_encoder_without_attributes_says_so(swiftreid: Run, filled: Path) -> None:
    ran = swiftreid("search", "g", "--has", "hat", "--no-picture", code=2)
    assert "this encoder gives no attributes, so nobody can be searched by description" in ran.err
