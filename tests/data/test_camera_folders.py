"""Folders named like cameras are not silently read as people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import miniatures
from command import Ran, run_in
from swiftreid.data.camera_folders import AmbiguousFolders, camera_name
from swiftreid.data.folders import NO_CAMERAS
from swiftreid.data.readers import recognise
from swiftreid.data.sources import open_data
from swiftreid.errors import SwiftReIDError, UsageError


def draw(root: Path, *places: str) -> Path:
    for number, place in enumerate(places):
        miniatures.paint(root / place, 1 + number % 3, 1)
    return root


def found(root: Path, **options: str) -> list[tuple[str, str, int]]:
    """Each picture with the name of its person and the number of its camera."""
    data = open_data(root, **options)  # type: ignore[arg-type]
    return [(s.path.relative_to(root).as_posix(), data.called(s.person), s.camera) for s in data.query]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("cam1", "1"), ("CAM01", "1"), ("camera_2", "2"), ("c3", "3"), ("c-4", "4"), ("Camera 5", "5"), ("cam-A", "a"),
        ("c_b", "b"), ("camB", "b"), ("CameraC", "c"), ("left", "left"), ("Entrance", "entrance"),
        ("cami", None), ("came", None), ("ca", None), ("c", None), ("cam", None), ("anna", None), ("0001", None),
        ("c1d", None), ("lefty", None), ("c1234567890", None), ("c١", None),
    ],
)  # fmt: skip
def test_names_of_cameras(folder: str, name: str | None) -> None:
    assert camera_name(folder) == name


def test_people_in_folders_of_cameras_are_guessed_aloud(tmp_path: Path) -> None:
    root = draw(tmp_path / "p", "cam1/anna/1.png", "cam1/bert/1.png", "cam2/anna/1.png", "cam2/bert/x.png")
    assert recognise(root) == ["folder"]
    assert found(root) == found(root, folders="cameras")
    assert found(root) == [
        ("cam1/anna/1.png", "anna", 1),
        ("cam1/bert/1.png", "bert", 1),
        ("cam2/anna/1.png", "anna", 2),
        ("cam2/bert/x.png", "bert", 2),
    ]
    data = open_data(root)
    assert data.cross_camera
    [doubt] = data.doubts
    assert doubt.kind == "folders-as-cameras"
    assert doubt.message == (
        "the folders cam1, cam2 are named like cameras and are read as cameras: the folders in them are people"
    )
    assert open_data(root, folders="cameras").doubts == []


def test_names_that_state_people_in_folders_of_cameras(tmp_path: Path) -> None:
    root = draw(tmp_path / "p", "left/0001_c1_1.png", "left/0002_c1_1.png", "right/0001_c2_1.png", "right/noname.png")
    assert found(root) == [
        ("left/0001_c1_1.png", "1", 1),
        ("left/0002_c1_1.png", "2", 1),
        ("right/0001_c2_1.png", "1", 2),
    ]
    data = open_data(root)
    assert [doubt.kind for doubt in data.doubts] == ["folders-as-cameras"]
    assert data.unparsable == [root / "right/noname.png"]
    assert "cameras are numbered 1 to 2 in the order of their names" in data.notes


def test_the_folder_is_believed_before_the_name(tmp_path: Path) -> None:
    root = draw(tmp_path / "p", "cam7/0001_c1_1.png", "cam9/0001_c1_2.png")
    assert [camera for _, _, camera in found(root)] == [7, 9]


def test_splits_of_cameras(tmp_path: Path) -> None:
    root = draw(
        tmp_path / "p",
        *("query/cam-A/anna/1.png", "query/cam-B/bert/1.png", "gallery/cam-A/bert/1.png", "gallery/cam-B/anna/1.png"),
    )
    data = open_data(root)
    assert [(data.called(s.person), s.camera) for s in data.query] == [("anna", 1), ("bert", 2)]
    assert [(data.called(s.person), s.camera) for s in data.gallery] == [("bert", 1), ("anna", 2)]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (("cam1/a.png", "cam2/b.png"), "the folders cam1, cam2 are named like cameras, and nothing in them says"),
        (("left/a.png", "right/b.png"), "the folders left, right are named like cameras"),
        (("cam1/a.png", "anna/b.png", "bert/c.png"), "cam1 are named like cameras, and anna, bert are not; say"),
        (("cam1/anna/a.png", "bert/b.png"), "cam1 are named like cameras, and bert are not"),
    ],
)  # fmt: skip
def test_what_is_ambiguous_is_refused_with_what_to_do(tmp_path: Path, places: tuple[str, ...], message: str) -> None:
    root = draw(tmp_path / "p", *places)
    with pytest.raises(AmbiguousFolders, match=message) as raised:
        open_data(root)
    assert "folders 'people'" in str(raised.value)
    assert "--" not in str(raised.value)
    people = open_data(root, folders="people")
    assert people.doubts == [] or people.doubts[0].kind == "unread-files"
    assert NO_CAMERAS in people.notes


def test_cameras_that_name_nobody_are_refused_when_asked_for(tmp_path: Path) -> None:
    root = draw(tmp_path / "p", "cam1/a.png", "cam2/b.png")
    with pytest.raises(SwiftReIDError, match=r"no picture in .* states its person; expected .*CAMERA/PERSON"):
        open_data(root, folders="cameras")


def test_folders_of_any_name_are_cameras_when_asked_for(tmp_path: Path) -> None:
    root = draw(tmp_path / "p", "platform/anna/1.png", "stairs/anna/1.png")
    assert found(root, folders="cameras") == [("platform/anna/1.png", "anna", 1), ("stairs/anna/1.png", "anna", 2)]


def test_cameras_below_people_stay_people(tmp_path: Path) -> None:
    plain = draw(tmp_path / "plain", "anna/left/1.png", "anna/right/2.png", "bert/left/1.png")
    cameras = {"anna/left/1.png": 1, "anna/right/2.png": 2, "bert/left/1.png": 1}
    assert found(plain) == [(place, place[:4], camera) for place, camera in cameras.items()]
    assert open_data(plain).doubts == []
    odd = draw(tmp_path / "odd", "c1/cam1/1.png", "c1/cam2/2.png", "c2/cam1/1.png")
    assert found(odd) == [("c1/cam1/1.png", "c1", 1), ("c1/cam2/2.png", "c1", 2), ("c2/cam1/1.png", "c2", 1)]
    assert [doubt.kind for doubt in open_data(odd).doubts] == ["folders-as-people"]


def test_pictures_that_lie_too_deep_are_said(tmp_path: Path) -> None:
    root = draw(tmp_path / "p", "cam1/anna/1.png", "cam2/anna/1.png", "cam2/anna/late/1.png")
    assert [doubt.kind for doubt in open_data(root).doubts] == ["folders-as-cameras", "unread-files"]


def test_folders_where_a_layout_says_what_they_are(tmp_path: Path) -> None:
    market = miniatures.market1501(tmp_path / "m").root
    with pytest.raises(UsageError, match="is read as market, which says what its folders are"):
        open_data(market, folders="cameras")
    (tmp_path / "m.csv").write_text("path,person\n")
    with pytest.raises(UsageError, match="is a manifest"):
        open_data(tmp_path / "m.csv", folders="people")
    with pytest.raises(UsageError, match="folders are 'people' or 'cameras', not 'rooms'"):
        open_data(market, folders="rooms")  # type: ignore[arg-type]


@pytest.fixture
def swiftreid(tmp_path: Path) -> Callable[..., Ran]:
    return run_in(tmp_path)


def test_commands_ask_and_are_told(swiftreid: Callable[..., Ran], tmp_path: Path) -> None:
    draw(tmp_path / "p", "cam1/a.png", "cam1/b.png", "cam2/c.png", "cam2/d.png")
    for command in ("evaluate", "doctor"):
        assert "named like cameras, and nothing in them says" in swiftreid(command, "p", code=2).err
    assert swiftreid("evaluate", "p", "--folders", "people", "--untimed").out
    assert "--folders is people or cameras" in swiftreid("evaluate", "p", "--folders", "rooms", code=2).err
    draw(tmp_path / "q", "cam1/anna/1.png", "cam1/bert/1.png", "cam2/anna/2.png", "cam2/bert/2.png")
    assert "are read as cameras: the folders in them are people" in swiftreid("doctor", "q").out
    assert "warning: q: the folders cam1, cam2 are named" in swiftreid("evaluate", "q", "--untimed").err
