from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from swiftreid.data.doctor import diagnose
from swiftreid.data.doctor.diagnosis import Diagnosis, Finding
from swiftreid.data.doctor.duplicates import find_duplicates
from swiftreid.data.doctor.queries import query_findings
from swiftreid.data.doctor.words import some
from swiftreid.data.samples import ReidData, Sample, cameras_of, persons_of
from swiftreid.data.schemas import DUKEMTMC
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.protocol import evaluate_rankings

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
_drawn = iter(range(10**6))


def paint(path: Path) -> Path:
    """A picture unlike every other one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(_drawn)).integers(0, 256, (16, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def build(root: Path, train: str = "", query: str = "", gallery: str = "") -> Path:
    """A data set from names such as ``"1c1 1c2 -1c3"``."""
    for split, names in (("train", train), ("query", query), ("gallery", gallery)):
        for number, name in enumerate(names.split()):
            person, camera = name.split("c")
            paint(root / FOLDERS[split] / f"{int(person):04d}_c{camera}s1_{number:06d}_00.png".replace("-001", "-1"))
    return root


SOUND = {"train": "7c1 7c2 8c1 8c2", "query": "1c1 2c2", "gallery": "1c2 2c1 1c1"}


def sound(root: Path, **changes: str) -> Path:
    return build(root, **{**SOUND, **changes})


def kinds(diagnosis: Diagnosis, severity: str | None = None) -> list[str]:
    return [finding.kind for finding in diagnosis.findings if severity in (None, finding.severity)]


def only(diagnosis: Diagnosis, kind: str) -> Finding:
    [finding] = [finding for finding in diagnosis.findings if finding.kind == kind]
    return finding


def test_a_sound_data_set_has_no_finding(tmp_path: Path) -> None:
    diagnosis = diagnose(sound(tmp_path))
    assert diagnosis.ok
    assert diagnosis.findings == []
    assert diagnosis.valid_queries == 2
    assert diagnosis.count_rows() == [("train", 4, 2, 2, 0, 0), ("query", 2, 2, 2, 0, 0), ("gallery", 3, 2, 2, 0, 0)]


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"query": ""}, "no-query", "no folder query"),
        ({"gallery": ""}, "no-gallery", "no folder bounding_box_test"),
        ({"gallery": "3c1 4c2"}, "no-shared-person", "2 because their person is not in the gallery"),
        ({"query": "1c1 2c1", "gallery": "1c1 2c1"}, "one-camera", "only by the query's own camera"),
        ({"query": "-1c1 -1c2"}, "all-junk", "their person is -1"),
        ({"query": "1c1 2c2", "gallery": "1c1 2c2"}, "no-valid-query", "only by the query's own camera"),
        ({"query": "1c1 3c1", "gallery": "1c1 4c2"}, "no-valid-query", "1 because their person is not in the gallery"),
    ],
)
def test_why_there_is_no_valid_query(tmp_path: Path, changes: dict[str, str], kind: str, words: str) -> None:
    diagnosis = diagnose(sound(tmp_path, **changes))
    assert not diagnosis.ok
    assert kinds(diagnosis, "error") == [kind]
    assert diagnosis.valid_queries == 0
    assert words in only(diagnosis, kind).message
    assert only(diagnosis, kind).advice


def test_one_camera_advice_names_the_camera_less_way(tmp_path: Path) -> None:
    finding = only(diagnose(sound(tmp_path, query="1c4", gallery="1c4 2c4")), "one-camera")
    assert "camera 4" in finding.advice
    assert "evaluate without cameras" in finding.advice


def test_some_invalid_queries_are_a_warning_with_reasons(tmp_path: Path) -> None:
    diagnosis = diagnose(sound(tmp_path, query="1c1 2c2 9c1 -1c1"))
    assert diagnosis.ok
    assert diagnosis.valid_queries == 2
    finding = only(diagnosis, "invalid-queries")
    assert finding.severity == "warning"
    assert finding.message.startswith("2 of 4 queries")
    assert "not in the gallery" in finding.message
    assert "junk" in finding.message


PEOPLE = st.lists(st.tuples(st.integers(-1, 3), st.integers(1, 3)), min_size=1, max_size=6)


@given(query=PEOPLE, gallery=PEOPLE)
def test_valid_queries_are_those_that_evaluation_counts(
    query: list[tuple[int, int]], gallery: list[tuple[int, int]]
) -> None:
    asked, among = ([Sample(Path("x.jpg"), *who) for who in split] for split in (query, gallery))
    valid, _ = query_findings(ReidData("drawn", Path(), query=asked, gallery=among))
    rankings = np.tile(np.arange(len(among)), (len(asked), 1))
    labels = [ids(split) for split in (asked, among) for ids in (persons_of, cameras_of)]
    try:
        counted = evaluate_rankings(rankings, *labels).valid
    except SwiftReIDError:
        counted = 0
    assert valid == counted


def test_no_layout_at_all(tmp_path: Path) -> None:
    diagnosis = diagnose(tmp_path)
    assert kinds(diagnosis) == ["no-layout"]
    assert not diagnosis.ok
    build(tmp_path / "inner", **SOUND)
    assert "Did you mean" in only(diagnose(tmp_path), "no-layout").message


def test_no_folder(tmp_path: Path) -> None:
    diagnosis = diagnose(tmp_path / "gone")
    assert kinds(diagnosis, "error") == kinds(diagnosis) == ["no-folder"]
    assert f"{tmp_path / 'gone'} does not exist" in only(diagnosis, "no-folder").message
    with pytest.raises(UsageError, match="is a file but no manifest"):
        diagnose(paint(tmp_path / "file.png"))


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(_: Path) -> list[str]:
        raise PermissionError(13, "Permission denied")

    root = sound(tmp_path)
    monkeypatch.setattr(os, "listdir", deny)
    with pytest.raises(SwiftReIDError, match="cannot be listed: Permission denied"):
        diagnose(root)


def test_names_without_camera(tmp_path: Path) -> None:
    root = sound(tmp_path, query="")
    paint(root / "query" / "0001_00.png")
    paint(root / "bounding_box_test" / "face.png")
    diagnosis = diagnose(root)
    assert "no picture in query has a name that states person and camera" in only(diagnosis, "no-query").message
    assert "0844_c3s2" in only(diagnosis, "no-query").advice
    finding = only(diagnosis, "unparsable")
    assert finding.message.startswith("2 pictures left out")
    assert "face.png" in finding.message
    assert [Path(name).name for name in diagnosis.unparsable] == ["0001_00.png", "face.png"]


def test_pictures_in_subfolders_and_empty_folders(tmp_path: Path) -> None:
    root = sound(tmp_path, query="", train="")
    paint(root / "query" / "0001" / "0001_c1_00.png")
    (root / "bounding_box_train").mkdir()
    diagnosis = diagnose(root)
    assert "subfolders" in only(diagnosis, "no-query").advice
    assert only(diagnosis, "no-train").severity == "note"
    assert "holds no picture" in only(diagnosis, "no-train").message
    assert "`swiftreid train`, `hash` and `calibrate` need it" in only(diagnosis, "no-train").advice


def test_unreadable_pictures_are_named_with_reasons_and_do_not_count(tmp_path: Path) -> None:
    root = sound(tmp_path)
    victim = sorted((root / "query").iterdir())[0]
    victim.write_bytes(b"")
    diagnosis = diagnose(root)
    assert diagnosis.unreadable == {str(victim): "the file is empty"}
    assert diagnosis.ok
    assert diagnosis.valid_queries == 1
    assert f"1 picture cannot be read ({victim.name}: the file is empty)" == only(diagnosis, "unreadable").message
    for path in (root / "query").iterdir():
        path.write_text("no picture")
    diagnosis = diagnose(root)
    assert kinds(diagnosis, "error") == ["no-query"]
    assert "can be read" in only(diagnosis, "no-query").message
    unopened = diagnose(root, decode=False)
    assert unopened.ok
    assert unopened.unreadable == {}


def test_leaks_between_training_and_test(tmp_path: Path) -> None:
    root = sound(tmp_path, train="7c1 7c2 2c1 2c2")
    leaked = next((root / "bounding_box_train").glob("0002_c2*"))
    next((root / "query").glob("0002*")).write_bytes(leaked.read_bytes())
    diagnosis = diagnose(root)
    assert diagnosis.ok
    assert leaked.name in only(diagnosis, "train-test-duplicates").advice
    assert "(2)" in only(diagnosis, "people-in-both").advice
    assert kinds(diagnosis, "warning") == ["people-in-both", "train-test-duplicates"]


def test_the_same_picture_under_two_people_and_twice_under_one(tmp_path: Path) -> None:
    root = sound(tmp_path, gallery="1c2 2c1 1c1 5c1")
    gallery = root / "bounding_box_test"
    wrong = next(gallery.glob("0005*"))
    wrong.write_bytes(next(gallery.glob("0002*")).read_bytes())
    query = next((root / "query").glob("0001_c1*"))
    next(gallery.glob("0001_c1*")).write_bytes(query.read_bytes())
    extra = gallery / "0002_c1s1_000099_00.png"
    extra.write_bytes(paint(gallery / "0002_c1s1_000098_00.png").read_bytes())
    diagnosis = diagnose(root)
    assert wrong.name in only(diagnosis, "torn-duplicates").advice
    assert only(diagnosis, "torn-duplicates").message.endswith("persons or cameras: 1 picture")
    assert only(diagnosis, "query-in-gallery").message.endswith("for the same person and camera: 1 picture")
    assert query.name in only(diagnosis, "query-in-gallery").advice
    assert only(diagnosis, "duplicates").message.endswith(
        "1 picture (0002_c1s1_000098_00.png = 0002_c1s1_000099_00.png)"
    )


def test_a_query_copied_into_the_gallery_under_another_camera_is_a_false_match(tmp_path: Path) -> None:
    root = sound(tmp_path)
    match = next((root / "bounding_box_test").glob("0001_c2*"))
    match.write_bytes(next((root / "query").glob("0001_c1*")).read_bytes())
    finding = only(diagnose(root), "torn-duplicates")
    assert finding.severity == "warning"
    assert match.name in finding.advice


def test_people_in_one_camera_junk_and_distractors(tmp_path: Path) -> None:
    root = sound(tmp_path, train="7c1 7c2 8c1 8c1 -1c1 0c2", gallery="1c2 2c1 -1c1 -1c2 0c3", query="1c1 2c2 0c1")
    diagnosis = diagnose(root)
    assert only(diagnosis, "one-camera-people").message.startswith("1 of 2 training people")
    assert only(diagnosis, "junk-in-train").severity == "note"
    assert only(diagnosis, "junk-in-train").message.endswith("not used for training: 2 pictures")
    assert only(diagnosis, "person-0-queried").message.endswith("is a query (1 picture)")
    assert only(diagnosis, "junk").message.endswith("ignored in rankings: 2 pictures")
    assert only(diagnosis, "distractors").message.endswith("wrong for every query: 1 picture")
    assert diagnosis.count_rows()[2] == ("gallery", 5, 2, 3, 2, 1)
    severities = [finding.severity for finding in diagnosis.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


def test_attribute_file(tmp_path: Path) -> None:
    root = sound(tmp_path)
    (root / "attributes.csv").write_text("person,hat\n1,no\n2,yes\n7,no\n")
    assert "(8)" in only(diagnose(root), "attributes-missing").advice
    finding = only(diagnose(root), "attributes-unusable")
    assert finding.severity == "warning"
    assert "what comes nearest, " in finding.message, "a column is missing"
    columns = {attribute.name: attribute.values[0] for attribute in DUKEMTMC.attributes}
    (root / "attributes.csv").write_text(f"person,{','.join(columns)}\n7,{','.join(columns.values())}\n")
    assert "attributes-unusable" not in {finding.kind for finding in diagnose(root).findings}
    columns["boots"] = "zigzag"
    (root / "attributes.csv").write_text(f"person,{','.join(columns)}\n7,{','.join(columns.values())}\n")
    message = only(diagnose(root), "attributes-unusable").message
    assert message.startswith("attributes.csv: person 7: attribute boots is 'zigzag', but the schema dukemtmc-reid")
    (root / "attributes.csv").write_text("id,hat\n")
    diagnosis = diagnose(root)
    assert kinds(diagnosis, "error") == ["attributes"]


def test_report_is_json_and_progress_reaches_the_end(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    diagnosis = diagnose(sound(tmp_path), progress=lambda _task, done, total, _detail="": steps.append((done, total)))
    assert steps[-1] == (9, 9)
    report = json.loads(json.dumps(diagnosis.to_dict()))
    assert report["ok"] is True
    assert report["counts"]["query"]["pictures"] == 2


def test_an_error_in_progress_ends_the_examination(tmp_path: Path) -> None:
    def stop(task: str, done: int, total: int, detail: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        diagnose(sound(tmp_path), progress=stop)


def test_many_examples_are_cut() -> None:
    assert some(map(str, range(9))) == "0, 1, 2, and 6 more"


def test_duplicates_by_content_and_not_by_size(tmp_path: Path) -> None:
    contents = {"a": b"xyz", "b": b"xyz", "c": b"xyy", "d": b"", "e": b"", "f": b"q"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = {tmp_path / name: name for name in [*contents, "gone"]}
    assert find_duplicates(files) == [["a", "b"]]
