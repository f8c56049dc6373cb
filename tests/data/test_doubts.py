"""What readers cannot use is told, never lost in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

import miniatures
from swiftreid.data.doctor import diagnose
from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.errors import SwiftReIDError, UsageError


def doubt_of(data: ReidData, root: Path) -> str:
    """The one doubt, which the doctor tells too."""
    [doubt] = data.doubts
    findings = [finding for finding in diagnose(root).findings if finding.kind == doubt.kind]
    assert [(f.severity, f.message) for f in findings] == [("warning", doubt.message)]
    return f"{doubt.message}. {doubt.advice}"


def test_folders_that_are_no_cameras_are_told(tmp_path: Path) -> None:
    for person in ("anna", "bert"):
        for folder in ("cam1", "cam2", "lift"):
            for shot in range(2):
                miniatures.paint(tmp_path / person / folder / f"{shot}.png", len(person), shot)
    data = open_data(tmp_path)
    assert len(data.gallery) == 8
    told = doubt_of(data, tmp_path)
    assert told.startswith(
        "4 files that look like pictures are not read (anna/lift/0.png, anna/lift/1.png, bert/lift/0"
    )
    assert "Name folders below a person's cam1, cam2" in told


def test_pictures_that_market_folders_hold_but_are_not_read_are_told(tmp_path: Path) -> None:
    mini = miniatures.market1501(tmp_path / "mini")
    assert open_data(mini.root).doubts == []
    gallery = mini.root / "bounding_box_test"
    miniatures.paint(gallery / "part2" / "0001_c4s1_000001_01.png", 1, 1)
    for name in ("0001_c5s1_000001_01.heic", "0001_c5s1_000001_02", "Thumbs.db", "readme.txt", "notes"):
        (gallery / name).write_bytes(b"x")
    told = doubt_of(open_data(mini.root), mini.root)
    assert "3 files that look like pictures are not read" in told
    assert "bounding_box_test/part2/0001_c4s1_000001_01.png" in told
    assert "Put pictures directly into bounding_box_train, query, bounding_box_test" in told


def test_other_folders_are_named_where_those_wanted_are_missing(tmp_path: Path) -> None:
    mini = miniatures.market1501(tmp_path / "mini")
    (mini.root / "query").rename(mini.root / "Query2")
    with pytest.raises(SwiftReIDError, match=r"has no query; .* There are the folders .*Query2.*: rename those"):
        open_data(mini.root)


def test_a_picture_listed_twice_is_refused(tmp_path: Path) -> None:
    mini = miniatures.msmt17(tmp_path, "v1")
    lists = next(tmp_path.rglob("list_gallery.txt"))
    lines = lists.read_text().splitlines()
    lists.write_text("\n".join([*lines, lines[0]]))
    with pytest.raises(SwiftReIDError, match=rf"line {len(lines) + 1} lists .* again \(line 1\)"):
        open_data(mini.root)


def test_a_manifest_by_one_camera_is_read_without_cameras(tmp_path: Path) -> None:
    rows = [f"{miniatures.paint(tmp_path / f'{n}.png', n, 1)},{n // 2 + 1},door" for n in range(4)]
    (tmp_path / "m.csv").write_text("path,person,camera\n" + "\n".join(rows))
    data = open_data(tmp_path / "m.csv")
    assert not data.cross_camera
    assert any("every picture states the same camera" in note for note in data.notes)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("people.zip", "PK", "is packed: unpack it"),
        ("m.csv", "Path,person\na.png,1\n", "has the column 'Path': names of columns are in lower case"),
        ("m.csv", "path,person\nx\\a.png,1\n", r"none of the 1 pictures .* and have / between folders, not \\"),
    ],
)
def test_what_is_nearly_right_is_told(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SwiftReIDError, match=message):
        open_data(tmp_path / name)


def test_arguments_of_other_types_are_refused() -> None:
    with pytest.raises(UsageError, match="not by NoneType"):
        open_data(None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"train is 'train\+val' or 'train', not 'x'"):
        open_data("examples/station", train="x")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no split is called 'test'; there are train, query, gallery"):
        ReidData("x", Path()).split("test")  # type: ignore[arg-type]


def test_people_are_called_by_their_names(tmp_path: Path) -> None:
    for split in ("train", "query", "gallery"):
        for person in ("anna", "bert"):
            for camera in (1, 2):
                miniatures.paint(tmp_path / split / person / f"cam{camera}" / f"{split}.png", len(person), camera)
    data = open_data(tmp_path)
    assert [data.called(person) for person in (1, 2, 7)] == ["anna", "bert", "7"]
    [both] = [finding for finding in diagnose(tmp_path).findings if finding.kind == "people-in-both"]
    assert "(anna, bert)" in both.advice
