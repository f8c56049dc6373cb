"""`swiftreid explain` as a user runs it, on drawn figures."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from PIL import Image

from command import COMMAND, Ran
from drawn_figures import draw_person
from swiftreid.data.pictures import read_picture
from swiftreid.encoding.composed import compose
from swiftreid.encoding.covering import Covering
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.match_maps import match_maps

Run = Callable[..., Ran]
TOLD = ["hat_none", "bag", "female", "carries_shopping_bag"]
COARSE = ("--patch", 32, "--stride", 32)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """a.png and b.png show one person by two cameras, c.png another person."""
    for name, person, camera in (("a", 1, 1), ("b", 1, 2), ("c", 2, 1)):
        draw_person(person, camera, 1).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture
def telling(tmp_path: Path) -> str:
    """The file of an encoder that tells some attributes, off made-up weights."""
    base = open_encoder("stripes")
    rng = np.random.default_rng(0)

    def layer(rows: int) -> np.ndarray:
        return rng.normal(size=(rows, base.card.embedding)).astype(np.float32)

    ends = {"bias": np.zeros(32), "scale": np.ones(32), "shift": np.zeros(32)}
    pyramid = {f"pyramid.32.{name}": value.astype(np.float32) for name, value in ends.items()}
    pyramid |= {"pyramid.32.weight": layer(32), "input.unit": np.ones(1, np.float32)}
    attributes = {"weight": layer(len(TOLD)), "bias": np.zeros(len(TOLD), np.float32)}
    compose(base, pyramid, name="telling", provenance="made up", attributes=attributes, attribute_names=TOLD).save(
        tmp_path / "telling.safetensors"
    )
    return "telling.safetensors"


def test_pairs_are_explained_in_words_in_numbers_and_in_a_picture(swiftreid: Run, people: Path) -> None:
    ran = swiftreid("explain", "stripes", "a.png", "b.png", "c.png", *COARSE)
    assert "picture: explain.png" in ran.out.splitlines()
    assert "agree by up" in ran.out
    assert "b.png" in ran.out
    shown = swiftreid("explain", "stripes", "a.png", "b.png", "c.png", *COARSE, "--json", "-o", "new/why.jpg").json
    assert Image.open(people / "new/why.jpg").format == "JPEG"
    assert Image.open(people / "explain.png").size == Image.open(people / "new/why.jpg").size
    query, *others = (read_picture(people / f"{name}.png") for name in "abc")
    found = match_maps(open_encoder("stripes"), query, others, covering=Covering(32, 32))
    for said, one, name in zip(shown["candidates"], found, "bc", strict=True):
        assert said["candidate"] == f"{name}.png"
        assert said["distance"] == one.distance
        assert said["query_changes"] == one.query.changes.tolist()
        assert said["candidate_changes"] == one.candidate.changes.tolist()
    assert (shown["code"], shown["unit"], shown["patch"]) == ("id2048", "bits", 32)
    assert (shown["tops"], shown["lefts"]) == ([0, 32, 64, 96], [0, 32])


def test_codes_embeddings_and_one_picture_alone(swiftreid: Run, people: Path) -> None:
    explain = ("explain", "stripes", "a.png", *COARSE)
    embedded = swiftreid(*explain, "b.png", "--code", "embedding", "--json").json
    assert embedded["unit"] == "cosine"
    assert 0 < embedded["candidates"][0]["distance"] < 2
    fine = swiftreid(*explain, "b.png", "--code", "id32", "--fine", "--fill", "blur", "--json").json
    assert (fine["fine"], fine["fill"]) == (True, "blur")
    assert not float(fine["candidates"][0]["distance"]).is_integer()
    alone = swiftreid(*explain, "--json").json
    assert np.array(alone["changes"]).shape == (4, 2)
    assert np.array(alone["changes"]).max() > 0
    assert "moves by up to" in swiftreid(*explain).out


def test_attributes_are_explained(swiftreid: Run, people: Path, telling: str) -> None:
    ran = swiftreid("explain", telling, "a.png", "c.png", *COARSE, "--attribute", "bag", "--attribute", "Hat", "--json")
    said = ran.json["attributes"]
    assert [(one["picture"], one["attribute"]) for one in said] == [
        ("a.png", "bag"), ("a.png", "hat_none"), ("c.png", "bag"), ("c.png", "hat_none"),
    ]  # fmt: skip
    assert all(np.array(one["changes"]).shape == (4, 2) for one in said)
    table = swiftreid("explain", telling, "a.png", *COARSE, "--attribute", "bag").out
    assert ("yes" if said[0]["logit"] > 0 else "no") in table
    assert "female" in swiftreid("explain", telling, "a.png", *COARSE, "--attribute", "male").out
    unknown = swiftreid("explain", telling, "a.png", "--attribute", "beg", code=2)
    assert "there is no attribute 'beg'; did you mean bag?" in unknown.err
    assert "predicts no attributes" in swiftreid("explain", "stripes", "a.png", "--attribute", "hat", code=2).err


def test_pictures_that_cannot_be_read_are_skipped(swiftreid: Run, people: Path) -> None:
    (people / "text.png").write_text("no picture")
    (people / "empty.png").touch()
    ran = swiftreid("explain", "stripes", "a.png", "b.png", "text.png", "c.png", "empty.png", *COARSE, "--json")
    assert "skipped text.png: it is not a picture" in ran.err
    assert [one["candidate"] for one in ran.json["candidates"]] == ["b.png", "c.png"]
    assert ran.json["unreadable"] == 2
    assert [one["file"] for one in ran.json["unreadable_files"]] == ["text.png", "empty.png"]
    nothing = swiftreid("explain", "stripes", "a.png", "text.png", "empty.png", "-o", "none.png", code=1)
    assert "none of the 2 pictures to compare with could be read" in nothing.err
    assert "text.png" in swiftreid("explain", "stripes", "text.png", "b.png", "-o", "none.png", code=1).err
    assert not (people / "none.png").exists()


def test_tables_fit_a_terminal_of_80_columns(people: Path, telling: str) -> None:
    name = "0004_c2s2_084013_01_of_the_camera_by_the_door.png"
    (people / "b.png").rename(people / name)
    pair = printed_in_terminal(people, "explain", "stripes", "a.png", name, *COARSE)
    told = [part for attribute in TOLD for part in ("--attribute", attribute)]
    attributes = printed_in_terminal(people, "explain", telling, "a.png", *COARSE, *told)
    for text, words in ((pair, ("candidate", "agree", "differ")), (attributes, (*TOLD, "attribute", "against"))):
        assert max(len(line) for line in text.splitlines() if line.startswith("│")) <= 80
        cells = text.replace("┃", "│").split("│")
        assert all(any(word in cell for cell in cells) for word in words)


def printed_in_terminal(folder: Path, *arguments: object) -> str:
    """What the command prints on a terminal of 80 columns."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    command = [COMMAND, *map(str, arguments)]
    with (
        subprocess.Popen(command, cwd=folder, stdout=theirs, stderr=subprocess.DEVNULL, env=environment) as process,
        os.fdopen(ours) as terminal,
    ):
        os.close(theirs)
        text = "".join(iter(lambda: _line(terminal), ""))
    assert process.returncode == 0, text
    return text


def _line(terminal: TextIO) -> str:
    try:
        return terminal.readline()
    except OSError:  # how Linux says that nothing more comes from a terminal
        return ""


def test_entries_of_a_gallery_are_explained_by_their_thumbnails(swiftreid: Run, small: Path) -> None:
    draw_person(2, 1, 1).save(small / "q.png")
    ran = swiftreid("explain", "stripes", "q.png", "--gallery", "g", "--entry", "1/a.png", *COARSE)
    assert "from their thumbnails" in ran.err
    assert "1/a.png" in ran.out
    quiet = swiftreid("explain", "stripes", "q.png", "--gallery", "g", "--entry", "1/a.png", *COARSE, "-q")
    assert not quiet.err
    assert "nobody" in swiftreid("explain", "stripes", "q.png", "--gallery", "g", "--entry", "nobody", code=1).err
    other = swiftreid("explain", "rendered", "q.png", "--gallery", "g", "--entry", "1/a.png", code=1)
    assert "stripes" in other.err


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["nothere.png"], "nothere.png: the file does not exist", 1),
        (["a.png", "text.png"], "text.png: it is not a picture", 1),
        (["a.png", "."], "it is a folder, not a picture file", 1),
        (["a.png", "b.png", "--code", "id64"], "has no code 'id64'; it has id32 id128 id512 id2048, or embedding", 2),
        (["a.png", "--fine", "--code", "embedding"], "leave out fine", 2),
        (["a.png", "--attribute", "hat", "--fine"], "--attribute has a code of its own", 2),
        (["a.png", "--gallery", "g"], "--gallery and --entry go together", 2),
        (["a.png", "--entry", "e"], "--gallery and --entry go together", 2),
        (["a.png", "--patch", "65"], "a patch of 65 pixels does not fit pictures of 128 x 64: 1 to 64 do", 2),
        (["a.png", "--patch", "8", "--stride", "9"], "a stride of 1 to 8, got 9", 2),
        (["a.png", "--fill", "paint"], "--fill is mean or blur, not 'paint'", 2),
        (["a.png", *["b.png"] * 25], "25 pictures are too many to compare with", 2),
        (["a.png", "-o", "why.txt"], "--output why.txt must be a file name ending in .png or .jpg or .webp", 2),
    ],
)
def test_what_cannot_be_explained_is_refused(
    arguments: list[str], message: str, code: int, swiftreid: Run, people: Path
) -> None:
    (people / "text.png").write_text("no picture")
    ran = swiftreid("explain", "stripes", *arguments, code=code)
    assert message in ran.err
    assert not ran.out
    assert not list(people.glob("explain.*"))
