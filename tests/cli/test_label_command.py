"""`swiftreid label` through a pipe: what is asked, what is kept, and what is gone afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import COMMAND
from drawn_figures import draw_person
from swiftreid import open_gallery
from swiftreid.clustering.answers import PairAnswer, load_answers, save_answers

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    for person in range(1, 41):
        for camera in (1, 2):
            draw_person(person, camera, 1).save(folder / f"{person:04d}_c{camera}_01.png")
    return folder


def label(
    folder: Path, figures: Path | None, *options: str, keys: str = "", code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [COMMAND, "label", "rendered", *([] if figures is None else [str(figures)]), *options],
        input=keys,
        text=True,
        capture_output=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def pairs(file: Path) -> list[tuple[str, str, bool]]:
    return [(answer.one, answer.other, answer.same) for answer in load_answers(file)]


def test_answers_are_kept_taken_back_and_not_asked_again(figures: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    done = label(tmp_path, figures, "--questions", "3", keys="u\ny\nn\nu\nwhat\nyes\nskip\nN\ny\n")
    assert "nothing to take back" in done.stderr
    assert "answer with y (yes)" in done.stderr
    asked = re.findall(r"\d/3 (\S+ and \S+): one person", done.stderr)
    kept = pairs(file)
    assert [same for _, _, same in kept] == [True, True, False], "the answer that was taken back was given again"
    assert asked[0] == asked[1] == f"{kept[0][0]} and {kept[0][1]}", "the first was asked again: nothing to take back"
    assert asked[2] == asked[4] == asked[5] == f"{kept[1][0]} and {kept[1][1]}"
    assert "3 answers, 2 of them yes" in done.stdout
    assert file.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("swiftreid-*")), "no picture is left"
    more = label(tmp_path, figures, "--json", keys="n\n")
    document = json.loads(more.stdout)
    assert (document["asked"], document["yes"], document["no"]) == (1, 2, 2)
    assert pairs(file)[:3] == kept
    assert {frozenset(pair[:2]) for pair in pairs(file)} == {frozenset(pair[:2]) for pair in kept} | {
        frozenset(pairs(file)[3][:2])
    }
    assert len(pairs(file)) == 4


def test_a_killed_run_has_lost_no_answer_and_its_picture_shows_the_pair(figures: Path, tmp_path: Path) -> None:
    started = subprocess.Popen(
        [COMMAND, "label", "rendered", figures, "--picture", "pair.png"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    assert started.stdin is not None
    started.stdin.write(b"y\nn\n")
    started.stdin.flush()
    file = tmp_path / "answers.csv"
    while not (file.exists() and len(load_answers(file)) == 2):
        assert started.poll() is None
        time.sleep(0.05)
    started.kill()
    started.wait()
    started.stdin.close()
    assert [same for _, _, same in pairs(file)] == [True, False]
    picture = tmp_path / "pair.png"
    assert picture.stat().st_mode & 0o077 == 0
    with Image.open(picture) as drawn:
        values = np.asarray(drawn.convert("RGB"))
    left, right = np.array_split(values, 2, axis=1)
    assert values.shape[0] > 512
    assert min(part.std() for part in (left, right)) > 20, "there is a person on both sides"
    assert "2 answers, 1 of them yes" in label(tmp_path, figures, "--picture", "pair.png", keys="q\n").stdout
    assert not picture.exists()


def test_what_cannot_be_asked_is_refused_and_strange_answers_are_noted(figures: Path, tmp_path: Path) -> None:
    assert (
        "give pictures"
        in subprocess.run(
            [COMMAND, "label", "rendered"], capture_output=True, text=True, check=False, cwd=tmp_path
        ).stderr
    )
    assert ".csv" in label(tmp_path, figures, "--answers", "answers.txt", code=2).stderr
    save_answers(tmp_path / "answers.csv", [PairAnswer("elsewhere/a.jpg", "elsewhere/b.jpg", True)])
    done = label(tmp_path, figures, keys="")
    assert "1 of 1 answers in answers.csv are about other pictures, such as elsewhere/a.jpg" in done.stderr
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(figures.iterdir())[:4]:
        (few / path.name).write_bytes(path.read_bytes())
    assert "nothing is left to ask" in label(tmp_path, few, "--answers", "few.csv").stderr
    assert not (tmp_path / "few.csv").exists()


def test_the_source_pictures_of_a_gallery_are_asked_about(figures: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    shutil.copytree(figures, copies)
    with open_gallery(tmp_path / "people", encoder="stripes", create=True) as people:
        people.add(copies)
        ids = set(people.ids())
    (copies / "0001_c1_01.png").unlink()
    done = label(tmp_path, None, "--gallery", "people", "--questions", "2", keys="y\nn\n")
    assert "1 of 80 entries of people are left out: their source pictures are not there" in done.stderr
    asked = {id_ for one, other, _ in pairs(tmp_path / "answers.csv") for id_ in (one, other)}
    assert len(asked) >= 3
    assert asked <= ids - {"0001_c1_01.png"}
    both = label(tmp_path, figures, "--gallery", "people", code=2)
    assert "one of the four" in both.stderr
    camera = label(tmp_path, None, "--gallery", "people", "--camera", "door", code=2)
    assert "have cameras of their own" in camera.stderr
    shutil.rmtree(copies)
    none = label(tmp_path, None, "--gallery", "people", code=2)
    assert "has no entry whose source picture is there" in none.stderr
