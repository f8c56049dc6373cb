from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.synthetic import dataset, synthesize
from swiftreid.synthetic.people import CHOICES, Attributes

SIZE = (64, 32)
SMALL = {"people": 3, "cameras": 2, "shots": 2, "seed": 5, "size": SIZE}
NAME = re.compile(r"(\d{4})_c(\d)s(\d)_(\d{6})_(\d\d)\.jpg")


def pictures(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.jpg"))}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("anny")
    root = tmp_path_factory.mktemp("synthetic") / "small"
    steps: list[tuple[int, int]] = []
    report = synthesize(root, **SMALL, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(k, 12) for k in range(1, 13)]
    assert (report.written, report.skipped) == (12, 0)
    assert report.counts == {"bounding_box_train": 4, "query": 4, "bounding_box_test": 4}
    return root


def test_layout_is_market1501s(small: Path) -> None:
    assert {path.name for path in small.iterdir()} == {
        "bounding_box_train", "query", "bounding_box_test", "attributes.csv", "dataset.json", "README.md",
    }  # fmt: skip
    seen = Counter()
    for name in pictures(small):
        folder, file = name.split("/")
        match = NAME.fullmatch(file)
        assert match, file
        seen[folder, match[1], match[2]] += 1
    people = {folder: {key[1] for key in seen if key[0] == folder} for folder in ("bounding_box_train", "query")}
    assert len(people["bounding_box_train"]) == 1
    assert people["bounding_box_train"].isdisjoint(people["query"])
    assert {key[1] for key in seen if key[0] == "bounding_box_test"} == people["query"]
    for person in people["query"]:
        for camera in "12":
            assert seen["query", person, camera] == 1
            assert seen["bounding_box_test", person, camera] == 1
    for path in small.rglob("*.jpg"):
        with Image.open(path) as picture:
            assert picture.size == (32, 64)
            assert picture.mode == "RGB"


def test_attributes_and_card_are_complete(small: Path) -> None:
    with (small / "attributes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["person"] for row in rows] == ["0001", "0002", "0003"]
    assert sorted(row["split"] for row in rows) == ["test", "test", "train"]
    for row in rows:
        assert set(row) == {"person", "split", *Attributes.names()}
        assert all(row.values())
        for name, choices in CHOICES.items():
            assert row[name] in choices
        folder = "bounding_box_train" if row["split"] == "train" else "query"
        assert list((small / folder).glob(f"{row['person']}_*.jpg"))
    card = json.loads((small / "dataset.json").read_text())
    assert card["settings"] == {
        "people": 3, "cameras": 2, "shots": 2, "seed": 5, "size": [64, 32], "generator": dataset.GENERATOR,
    }  # fmt: skip
    assert card["counts"] == {"bounding_box_train": 4, "query": 4, "bounding_box_test": 4, "pictures": 12}
    assert card["complete"] is True
    assert card["real_people"] is False
    assert card["licence"] == "CC0-1.0"
    assert "no real person" in card["statement"]
    readme = (small / "README.md").read_text()
    assert "swiftreid synth --people 3 --cameras 2 --shots 2 --seed 5" in readme
    assert str(small.parent) not in readme


def test_same_seed_same_bytes_and_resumes_after_a_stop(small: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop_after_five(done: int, total: int) -> None:
        if done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        synthesize(tmp_path / "again", **SMALL, progress=stop_after_five)
    assert json.loads((tmp_path / "again" / "dataset.json").read_text())["complete"] is False
    assert len(pictures(tmp_path / "again")) == 5
    first = next(iter(sorted((tmp_path / "again").rglob("*.jpg"))))
    first.write_bytes(first.read_bytes()[:-40])  # as if the disk had lost the end
    report = synthesize(tmp_path / "again", **SMALL)
    assert (report.written, report.skipped) == (8, 4)
    assert pictures(tmp_path / "again") == pictures(small)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_run_killed_before_its_first_picture_goes_on(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    mkdir = Path.mkdir

    def killed_at_query(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        if path.name == "query":
            raise Killed
        mkdir(path, mode, parents, exist_ok)

    root = tmp_path / "early"
    root.mkdir()
    monkeypatch.chdir(root)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", killed_at_query)
        with pytest.raises(Killed):
            synthesize(Path(), **SMALL)
    assert synthesize(Path(), **SMALL).written == 12
    assert pictures(root) == pictures(small)
    assert json.loads((root / "dataset.json").read_text())["name"] == "early"
    assert (root / "README.md").read_text().startswith("# early: ")


@pytest.mark.slow
def test_a_killed_run_leaves_no_half_file_and_goes_on(small: Path, tmp_path: Path) -> None:
    root = tmp_path / "killed"
    code = f"import pathlib, swiftreid.synthetic as s; s.synthesize(pathlib.Path({str(root)!r}), **{SMALL!r})"
    for wanted in (2, 6, 9):
        child = subprocess.Popen([sys.executable, "-c", code])
        deadline = time.monotonic() + 200
        while len(pictures(root)) < wanted and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        expected = pictures(small)
        for name, content in pictures(root).items():
            assert content == expected[name]
    (root / "query" / "left.jpg.partial").write_bytes(b"half")
    assert synthesize(root, **SMALL).skipped >= 9
    assert pictures(root) == pictures(small)
    assert not list(root.rglob("*.partial"))


def test_another_seed_gives_other_people() -> None:
    one, two = (dataset.sample_people(6, seed) for seed in (5, 6))
    assert [person.attributes for person in one] != [person.attributes for person in two]
    assert dataset.sample_people(3, 5) == one[:3]


@pytest.mark.parametrize(("people", "cameras", "shots"), [(2, 1, 2), (60, 5, 3), (7, 3, 1)])
def test_plan_splits_people_in_halves(people: int, cameras: int, shots: int) -> None:
    todo = dataset.plan(people, cameras, shots, seed=3)
    assert len(todo) == people * cameras * shots == len({(shot.split, shot.name) for shot in todo})
    train = {shot.person for shot in todo if shot.split == "bounding_box_train"}
    test = {shot.person for shot in todo if shot.split != "bounding_box_train"}
    assert len(train) == people // 2
    assert train.isdisjoint(test)
    assert train | test == set(range(1, people + 1))
    queries = Counter((shot.person, shot.camera) for shot in todo if shot.split == "query")
    assert set(queries.values()) == {1}
    assert len(queries) == len(test) * cameras


def test_a_folder_with_other_things_is_refused(tmp_path: Path, small: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SwiftReIDError, match="is not empty"):
        synthesize(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(SwiftReIDError, match="other settings"):
        synthesize(small, **{**SMALL, "seed": 6})
    with pytest.raises(SwiftReIDError, match="is a file"):
        synthesize(tmp_path / "notes.txt", **SMALL)
    for content in ("", "[]", "{}"):
        (tmp_path / "odd").mkdir(exist_ok=True)
        (tmp_path / "odd" / "dataset.json").write_text(content)
        with pytest.raises(SwiftReIDError, match="other settings"):
            synthesize(tmp_path / "odd", **SMALL)


def test_a_full_disk_names_the_file_and_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anny")

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("swiftreid.durable.flush", refuse)
    with pytest.raises(SwiftReIDError, match=r"full: No space left on device; free space or .* same command again"):
        synthesize(tmp_path / "full", **SMALL)
    assert list((tmp_path / "full").iterdir()) == []


@pytest.mark.parametrize("wrong", [{"people": 1}, {"cameras": 0}, {"shots": 0}, {"seed": -1}, {"size": (8, 8)}])
def test_impossible_numbers_are_named(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="must lie between"):
        synthesize(tmp_path / "none", **{**SMALL, **wrong})
    assert not (tmp_path / "none").exists()


def test_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from swiftreid.synthetic import extra

    extra.load_anny.cache_clear()
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(SwiftReIDError, match=re.escape('pip install "swiftreid[synthetic]"')):
        synthesize(tmp_path / "none", **SMALL)
    assert not (tmp_path / "none").exists()
