"""`swiftreid group` and `swiftreid people`, run as a user does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from command import Ran
from drawn_figures import draw_person

Run = Callable[..., Ran]


@pytest.fixture
def crowd(swiftreid: Run, tmp_path: Path) -> Path:
    """A gallery ``g`` of 30 people, two pictures by each of two cameras; their names do not say who it is."""
    for camera in (1, 2):
        folder = tmp_path / f"camera-{camera}"
        folder.mkdir()
        for person in range(30):
            for shot in (1, 2):
                draw_person(person, camera, shot).save(folder / f"{person:02d}-{shot}.png")
    swiftreid("gallery", "create", "g", "--embeddings", "float16")
    for camera in (1, 2):
        swiftreid("gallery", "add", "g", f"camera-{camera}", "--camera", f"door-{camera}")
    return tmp_path


def groups(ran: Ran) -> dict[str, int]:
    return {id_: person["group"] for person in ran.json["people"] for id_ in person["ids"]}


def test_group_correct_by_hand_and_group_again(swiftreid: Run, crowd: Path) -> None:
    done = swiftreid("group", "g", "--json", "--sheet", "sheets/people.png", "--limit", "5").json
    assert done["by"] == "embedding"
    assert done["changed"] + done["alone"] == 120
    people = done["people"]
    assert len(people) > 10
    assert sum(len(person["ids"]) for person in people) == done["changed"]
    sheet = crowd / "sheets" / "people.png"
    assert Image.open(sheet).height > 5 * 152
    assert sheet.stat().st_mode & 0o077 == 0

    a, b, c = (person["group"] for person in people[:3])
    out = people[2]["ids"][0]
    assert swiftreid("people", "merge", "g", a, b, "--json").json["person"]["group"] == a
    new = swiftreid("people", "split", "g", out, "--json").json["person"]
    assert new["ids"] == [out]
    assert new["by_hand"] == 1
    assert "mia" in swiftreid("people", "name", "g", a, "mia").out

    draw_person(99, 1, 1).save(crowd / "new.png")
    swiftreid("gallery", "add", "g", "new.png", "--camera", "door-1")
    swiftreid("group", "g")
    listed = swiftreid("people", "list", "g", "--json")
    of = groups(listed)
    assert {of[id_] for id_ in people[0]["ids"] + people[1]["ids"]} == {a}
    assert of[out] == new["group"]
    assert {of[id_] for id_ in people[2]["ids"][1:]} == {c}
    assert {person["person"] for person in listed.json["people"]} == {"mia", None}
    entries = swiftreid("gallery", "list", "g", "--label", f"person_group={a}", "--json").json["entries"]
    assert {*people[0]["ids"], *people[1]["ids"]} <= {entry["id"] for entry in entries if entry["person"] == "mia"}

    swiftreid("gallery", "delete", "g", out)
    assert out not in groups(swiftreid("people", "list", "g", "--json"))


def test_answers_are_heard(swiftreid: Run, crowd: Path) -> None:
    people = swiftreid("group", "g", "--json").json["people"]
    one, other = people[0]["ids"][0], people[1]["ids"][0]
    (crowd / "answers.csv").write_text(f"one,other,same\n{one},{other},yes\n")
    of = groups(swiftreid("group", "g", "--answers", "answers.csv", "--json"))
    assert of[one] == of[other]


def test_what_cannot_be_done_is_said(swiftreid: Run, small: Path) -> None:
    assert "0 people" in swiftreid("group", "g").out
    nobody = swiftreid("group", "g", "--sheet", "x.png", "--json")
    assert nobody.json["people"] == []
    assert "no contact sheet was drawn" in nobody.err
    (small / "answers.csv").write_text("one,other,same\nx,y,yes\n")
    ran = swiftreid("group", "g", "--answers", "answers.csv", "--json")
    assert ran.json["unknown"] == 1
    assert "1 answers were left out: g lacks an entry" in ran.err
    assert "no groups to draw" in swiftreid("people", "list", "g", "--sheet", "x.png", code=2).err
    assert "group it first" in swiftreid("people", "merge", "g", 1, 2, code=2).err
    assert "must be a file name ending in .png" in swiftreid("group", "g", "--sheet", "x.jpg", code=2).err
    assert "float16 or float32" in swiftreid("gallery", "create", "h", "--embeddings", "int8", code=2).err
