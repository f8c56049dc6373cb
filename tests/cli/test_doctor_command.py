"""`swiftreid doctor` on data sets of several kinds, and what it says that others can do with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import miniatures
from command import Ran

Run = Callable[..., Ran]


def test_doctor_draws_a_sheet_and_tells_published_counts(swiftreid: Run, tmp_path: Path) -> None:
    root = miniatures.market1501(tmp_path / "Market-1501-v15.09.15").root
    ran = swiftreid("doctor", root, "--sheet", "new/sheet.png")
    assert "query differs from Market-1501 as published: 6 pictures instead of 3,368" in ran.out
    assert "contact sheet: new/sheet.png (in a new folder)" in ran.out
    assert Image.open(tmp_path / "new" / "sheet.png").width > 800
    told = swiftreid("doctor", root, "--json", "--no-decode").json
    assert told["published"] == told["benchmark"] == "market1501"
    assert told["counts"]["gallery"]["junk"] == 2
    assert ".png or .jpg" in swiftreid("doctor", root, "--sheet", "sheet.gif", code=2).err


def test_doctor_and_evaluate_by_name_and_manifest(
    swiftreid: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = miniatures.msmt17(tmp_path / "data" / "MSMT17_V2", "v2").root
    monkeypatch.setenv("SWIFTREID_DATA", str(tmp_path / "data"))
    assert swiftreid("doctor", "msmt17-v2", "--json").json["benchmark"] == "msmt17-v2"
    (root / "list_query.txt").unlink()
    ran = swiftreid("doctor", "msmt17-v2", code=1)
    assert "error: the list file list_query.txt is missing" in ran.out
    mini, table = miniatures.manifest(tmp_path / "listed")
    moved = table.rename(tmp_path / "people.csv")
    assert "none of the 4 pictures" in swiftreid("doctor", moved, code=1).out
    assert swiftreid("doctor", moved, "--root", mini.root, "--json").json["ok"] is True
    card = swiftreid("evaluate", moved, "--root", mini.root, "--untimed", "--json").json
    assert card["data"]["pictures"] == {"train": 2, "query": 1, "gallery": 1}


def test_one_camera_evaluates_without_cameras(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    for folder, shots in (("query", (1,)), ("bounding_box_test", (2, 3))):
        for person in (1, 2, 3):
            for shot in shots:
                miniatures.paint(tmp_path / "one" / folder / f"{person:04}_c1s1_{shot:06}_00.png", person, shot)
    ran = swiftreid("doctor", "one", code=1)
    assert "`swiftreid evaluate --no-cameras`" in ran.out
    assert "nothing to measure" in swiftreid("evaluate", "one", "--untimed", code=1).err
    card = swiftreid("evaluate", "one", "--untimed", "--no-cameras", "--json").json
    assert card["protocol"]["cross_camera"] is False
    assert card["protocol"]["queries"] == 3
    assert any("as was asked for" in note for note in card["notes"])


def test_calibrate_reads_any_kind(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    for path in sorted((drawn_people / "bounding_box_train").iterdir()):
        person, camera = path.name.split("_")[:2]
        folder = plain / person / f"cam{camera[1]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    done = swiftreid("calibrate", "stripes", plain, "-o", "c.safetensors", "--beta", 2, "--json").json
    assert done["calibration"]["persons"] == 12
