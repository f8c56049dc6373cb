from __future__ import annotations

import csv
import hashlib
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
from swiftreid.synthetic import INGREDIENTS, dataset, synthesize
from swiftreid.synthetic.people import CHOICES, Attributes
from swiftreid.synthetic.plan import STRANGER, Numbers, plan, training_people
from swiftreid.synthetic.studio import Studio, StudioSettings

SIZE = (64, 32)
SMALL = {"people": 3, "cameras": 2, "shots": 2, "seed": 5, "size": SIZE, "scenes": 4}
NAME = re.compile(r"(\d{4})_c(\d+)s(\d+)_(\d{6})_(\d\d)\.jpg")


def pictures(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.jpg"))}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("anny")
    root = tmp_path_factory.mktemp("synthetic") / "small"
    steps: list[tuple[int, int]] = []
    report = synthesize(root, **SMALL, progress=lambda _, *counts: steps.append(counts))
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
        "seen_by": 2, "scenes": 4, "distractors": 0, "train_share": 0.5, "without": [],
    }  # fmt: skip
    assert card["counts"] == {"bounding_box_train": 4, "query": 4, "bounding_box_test": 4, "pictures": 12}
    assert card["complete"] is True
    assert card["real_people"] is False
    assert card["licence"] == "CC0-1.0"
    assert "no real person" in card["statement"]
    readme = (small / "README.md").read_text()
    assert "swiftreid synth --people 3 --cameras 2 --shots 2 --seed 5 --scenes 4 --height 64 --width 32" in readme
    assert str(small.parent) not in readme


def test_same_seed_same_bytes_and_resumes_after_a_stop(small: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop_after_five(task: str, done: int, total: int, detail: str = "") -> None:
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
        if wanted == 9:
            code = code.replace("**{", "workers=2, **{")
        child = subprocess.Popen([sys.executable, "-c", code])
        while len(pictures(root)) < wanted and child.poll() is None:
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


def test_a_picture_does_not_depend_on_what_was_rendered_before(small: Path) -> None:
    stage = StudioSettings(5, 2, 4, SIZE)
    groups = plan(Numbers(3, 0, 2, 2, 0.5), stage)
    studio = Studio(stage, keep=1)  # everybody is dressed anew each time
    for group in reversed(groups):
        for shot in reversed(group.shots):
            company = [person for person in group.people if person != shot.person]
            content = studio.picture(shot.person, shot.camera, shot.scene, shot.shot, company)
            assert content == (small / shot.split / shot.name).read_bytes()


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes(small: Path, tmp_path: Path) -> None:
    """Two processes, each with a part of the people; one of them finds a picture there already."""
    root = tmp_path / "together"
    steps: list[tuple[int, int]] = []
    report = synthesize(root, **SMALL, workers=2, progress=lambda _, *counts: steps.append(counts))
    assert (report.written, report.skipped) == (12, 0)
    assert steps == [(k, 12) for k in range(1, 13)]
    assert pictures(root) == pictures(small)
    assert (
        json.loads((root / "dataset.json").read_text())["settings"]
        == json.loads((small / "dataset.json").read_text())["settings"]
    )


@pytest.mark.slow
def test_a_failing_worker_is_told(tmp_path: Path) -> None:
    root = tmp_path / "full"
    synthesize(root, **SMALL)
    for folder in ("query", "bounding_box_train"):
        for path in (root / folder).iterdir():
            path.unlink()
            path.mkdir()  # what cannot be replaced by a file
            (path / "mine").write_text("")
    with pytest.raises(SwiftReIDError, match=r"cannot write .*jpg"):
        synthesize(root, **SMALL, workers=2)


def test_another_seed_gives_other_people() -> None:
    one, two = ([StudioSettings(seed, 2, 4, SIZE).person(number) for number in range(1, 7)] for seed in (5, 6))
    assert [person.attributes for person in one] != [person.attributes for person in two]


@pytest.mark.parametrize(
    ("people", "cameras", "shots", "seen_by", "strangers", "share"),
    [(2, 1, 2, 1, 0, 0.5), (60, 5, 3, 5, 0, 0.5), (7, 3, 1, 2, 5, 0.5), (40, 12, 2, 6, 30, 0.9), (9, 2, 1, 1, 0, 1.0)],
)
def test_plan_shares_people_out(
    people: int, cameras: int, shots: int, seen_by: int, strangers: int, share: float
) -> None:
    numbers = Numbers(people, strangers, shots, seen_by, share)
    groups = plan(numbers, StudioSettings(3, cameras, 4, SIZE))
    todo = [shot for group in groups for shot in group.shots]
    assert len(todo) == (people * seen_by + strangers) * shots == len({(shot.split, shot.name) for shot in todo})
    train = {shot.person for shot in todo if shot.split == "bounding_box_train"}
    test = {shot.person for shot in todo if shot.split == "query"}
    others = {shot.person for shot in todo if shot.person >= STRANGER}
    assert train == training_people(numbers, 3)
    assert len(train) == int(people * share)
    assert train.isdisjoint(test)
    assert train | test == set(range(1, people + 1))
    assert len(others) == strangers
    assert {shot.person for shot in todo if shot.split == "bounding_box_test"} <= test | others
    queries = Counter((shot.person, shot.camera) for shot in todo if shot.split == "query")
    assert set(queries.values()) <= {1}
    assert len(queries) == len(test) * (1 if shots == 1 else seen_by)
    if seen_by > 1:  # whoever is asked for is in the gallery at another camera, at every other if pictures are single
        found = Counter(shot.person for shot in todo if shot.split == "bounding_box_test")
        assert all(found[person] == (seen_by - 1 if shots == 1 else seen_by * (shots - 1)) for person in test)
    for shot in todo:
        match = NAME.fullmatch(shot.name)
        assert match
        assert int(match[1]) == (0 if shot.person >= STRANGER else shot.person)
        assert (int(match[2]), int(match[3])) == (shot.camera, shot.scene)
        assert 1 <= shot.camera <= cameras
        assert 1 <= shot.scene <= 4
    for group in groups:
        assert {shot.person for shot in group.shots} == set(group.people)
        assert len({person in train for person in group.people}) == 1


def test_with_one_picture_at_a_camera_every_camera_asks_for_some() -> None:
    numbers = Numbers(200, 0, 1, 3, 0.0)
    one, again = (plan(numbers, StudioSettings(3, 6, 4, SIZE)) for _ in range(2))
    assert one == again
    asked = Counter(shot.camera for group in one for shot in group.shots if shot.split == "query")
    assert sum(asked.values()) == 200
    assert set(asked) == set(range(1, 7))
    assert max(asked.values()) < 80
    other = plan(numbers, StudioSettings(4, 6, 4, SIZE))
    assert [shot.split for group in one for shot in group.shots] != [s.split for group in other for s in group.shots]


def test_plans_are_those_of_earlier_versions() -> None:
    """Folders that were begun go on: nothing that a plan draws may change, but queries among single pictures."""

    def digest(shots: int, share: float) -> str:
        groups = plan(Numbers(30, 5, shots, 3, share), StudioSettings(3, 6, 4, SIZE))
        return hashlib.sha256(repr(groups).encode()).hexdigest()[:16]

    assert digest(2, 0.5) == "e0496ab17a210fff"
    assert digest(3, 0.0) == "51b1463ed06f1144"
    assert digest(1, 1.0) == "b89b8bbb092925b3"


def test_more_people_leave_the_pictures_of_the_first_as_planned() -> None:
    stage = StudioSettings(3, 6, 4, SIZE)
    few, many = (plan(Numbers(people, 0, 2, 3, 1.0), stage) for people in (5, 9))
    first = [shot for group in many for shot in group.shots if shot.person <= 5]
    assert first == [shot for group in few for shot in group.shots]


def test_distractors_are_in_the_gallery_as_person_zero(tmp_path: Path) -> None:
    pytest.importorskip("anny")
    root = tmp_path / "strangers"
    report = synthesize(root, people=2, cameras=2, shots=1, seed=5, size=SIZE, scenes=2, distractors=2, train_share=0)
    assert report.counts == {"bounding_box_train": 0, "query": 2, "bounding_box_test": 4}
    assert sorted(path.name[:4] for path in (root / "bounding_box_test").iterdir()) == ["0000", "0000", "0001", "0002"]
    assert json.loads((root / "dataset.json").read_text())["settings"]["queries"] == "one camera"
    with (root / "attributes.csv").open() as file:
        assert [row["person"] for row in csv.DictReader(file)] == ["0001", "0002"]
    assert "2 distractors" in (root / "README.md").read_text()


def test_ingredients_left_out_are_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anny")
    from swiftreid.synthetic import studio as rooms

    whole = Studio(StudioSettings(4, 3, 4, (64, 32)))
    bare = Studio(StudioSettings(4, 3, 4, (64, 32), tuple(INGREDIENTS)))
    assert len({id(scene) for scene in whole._scenes}) == 4
    assert len({id(scene) for scene in bare._scenes}) == 1
    assert {surface.texture for surface in bare._scenes[0].scenery.surfaces} == {bare._scenes[0].floor.texture}
    assert whole._light(1, 1, whole._scenes[0]) != whole._light(2, 1, whole._scenes[0])
    assert bare._light(1, 1, bare._scenes[0]) == bare._light(2, 1, bare._scenes[0])
    assert len({camera.look.white for camera in whole._cameras}) == 3
    assert {camera.look.white for camera in bare._cameras} == {(1.0, 1.0, 1.0)}
    people = [(whole.stage.person(k).attributes, bare.stage.person(k).attributes) for k in range(1, 40)]
    assert {one.upper_pattern for one, _ in people} > {"plain"}
    assert {other.upper_pattern for _, other in people} == {"plain"}
    assert [one.gender for one, _ in people] == [other.gender for _, other in people]
    crowds: dict[str, list[int]] = {}
    errors: dict[str, list[bool]] = {}
    for name, studio in (("whole", whole), ("bare", bare)):
        real_trace, real_detect = rooms.trace, rooms.detect

        def counting(instances, *rest, _name=name, _trace=real_trace, **more):  # type: ignore[no-untyped-def]
            crowds.setdefault(_name, []).append(len(instances))
            return _trace(instances, *rest, **more)

        def watching(*rest, _name=name, _detect=real_detect, **more):  # type: ignore[no-untyped-def]
            errors.setdefault(_name, []).append(more["errors"])
            return _detect(*rest, **more)

        with monkeypatch.context() as patched:
            patched.setattr(rooms, "trace", counting)
            patched.setattr(rooms, "detect", watching)
            for shot in range(10):
                studio.picture(1, 1 + shot % 3, 1 + shot % 4, shot, [2, 3])
    assert max(crowds["whole"]) > 1
    assert set(crowds["bare"]) == {1}
    assert (set(errors["whole"]), set(errors["bare"])) == ({True}, {False})


def test_what_is_left_out_is_written_down(tmp_path: Path) -> None:
    pytest.importorskip("anny")
    root = tmp_path / "plain"
    settings = {"people": 2, "cameras": 1, "shots": 1, "seed": 5, "size": SIZE, "scenes": 1}
    synthesize(root, **settings, without=["crops", "patterns"])
    assert json.loads((root / "dataset.json").read_text())["settings"]["without"] == ["patterns", "crops"]
    assert "--without patterns,crops" in (root / "README.md").read_text()
    with pytest.raises(SwiftReIDError, match="other settings"):
        synthesize(root, **settings)
    with pytest.raises(UsageError, match="'hats' is no ingredient"):
        synthesize(tmp_path / "none", **settings, without=["hats"])


def test_a_folder_of_another_generator_is_refused(tmp_path: Path) -> None:
    before = Path(__file__).resolve().parents[2] / "examples" / "station" / "dataset.json"
    card = json.loads(before.read_text())
    assert card["settings"]["generator"] == 1
    (tmp_path / "dataset.json").write_text(json.dumps(card))
    with pytest.raises(SwiftReIDError, match=f"generator 1 .* generator {dataset.GENERATOR}"):
        synthesize(tmp_path, people=60, cameras=5, shots=3, seed=card["settings"]["seed"])
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]


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
    with pytest.raises(SwiftReIDError, match=r"full: No space left on device; free space or .* same settings"):
        synthesize(tmp_path / "full", **SMALL)
    assert list((tmp_path / "full").iterdir()) == []


@pytest.mark.parametrize("wrong", [
    {"people": 1}, {"cameras": 0}, {"shots": 0}, {"seed": -1}, {"size": (8, 8)},
    {"seen_by": 0}, {"scenes": 0}, {"distractors": -1}, {"train_share": 1.5}, {"workers": 0},
])  # fmt: skip
def test_impossible_numbers_are_named(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="must be between"):
        synthesize(tmp_path / "none", **{**SMALL, **wrong})
    assert not (tmp_path / "none").exists()


def test_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from swiftreid.synthetic import extra

    extra.load_anny.cache_clear()
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(SwiftReIDError, match=re.escape('pip install "swiftreid[synthetic]"')):
        synthesize(tmp_path / "none", **SMALL)
    assert not (tmp_path / "none").exists()
