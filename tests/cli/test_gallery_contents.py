"""`swiftreid gallery list`, `export` and `upgrade`."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from command import Ran
from drawn_figures import draw_person

Run = Callable[..., Ran]
FORMAT_1 = Path(__file__).parents[1] / "gallery" / "format1" / "galleries.tar.gz"


@pytest.fixture
def listed(swiftreid: Run, tmp_path: Path) -> Path:
    lines = ["path,camera,time,person,track,frame,bag"]
    for i in range(6):
        draw_person(i, 1, 1).save(tmp_path / f"{i}.png")
        lines.append(
            f"{i}.png,door-{i % 2},2026-11-0{i + 1}T12:00:00,p{i // 2},t{i // 3},{5 * i},{'yes' if i % 3 else 'no'}"
        )
    (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    swiftreid("gallery", "create", "g")
    swiftreid("gallery", "add", "g", "--manifest", "list.csv")
    return tmp_path


def test_list_by_filters(swiftreid: Run, listed: Path) -> None:
    def ids(*filters: str) -> list[str]:
        return [entry["id"] for entry in swiftreid("gallery", "list", "g", "--json", *filters).json["entries"]]

    assert ids() == [f"{i}.png" for i in range(6)]
    assert ids("--label", "bag=no") == ["0.png", "3.png"]
    assert ids("--label", "bag=no", "--label", "bag=yes", "--camera", "door-1") == ["1.png", "3.png", "5.png"]
    assert ids("--person", "p0", "--person", "p2") == ["0.png", "1.png", "4.png", "5.png"]
    assert ids("--track", "t1", "--after", "2026-11-05") == ["4.png", "5.png"]
    assert ids("--before", "2026-11-03", "--limit", "1") == ["0.png"]
    assert ids("--after-id", "3.png") == ["4.png", "5.png"]
    shown = swiftreid("gallery", "list", "g", "--limit", "2")
    assert "2 entries of g" in shown.out
    assert "bag=no" in shown.out
    first = swiftreid("gallery", "list", "g", "--json", "--limit", 1).json["entries"][0]
    assert (first["track"], first["frame"], first["labels"]) == ("t0", 0, {"bag": "no"})
    assert first["time"] == 1793534400.0
    assert first["arrival"] > 1793534400
    assert "write NAME=VALUE" in swiftreid("gallery", "list", "g", "--label", "bag", code=2).err
    for option in ("--after", "--before"):  # as from a variable of a shell that is not set
        assert f"{option}: '' is no time" in swiftreid("gallery", "list", "g", option, "", code=2).err
    assert "--camera: gallery g has no camera 'x'" in swiftreid("gallery", "list", "g", "--camera", "x", code=2).err


def test_search_by_labels_which_results_show(swiftreid: Run, listed: Path) -> None:
    search = ("search", "g", "--like", "1.png", "--no-picture")
    found = swiftreid(*search, "--label", "bag=no", "--json").json["queries"][0]["hits"]
    assert {result["id"]: result["labels"]["bag"] for result in found} == {"0.png": "no", "3.png": "no"}
    assert "no entry passes --label bag=perhaps" in swiftreid(*search, "--label", "bag=perhaps").err
    assert "write NAME=VALUE" in swiftreid(*search, "--label", "=x", code=2).err


def test_export_to_each_format(swiftreid: Run, listed: Path) -> None:
    faiss = pytest.importorskip("faiss")
    parquet = pytest.importorskip("pyarrow.parquet")
    made = swiftreid("gallery", "export", "g", "out", "--camera", "door-1", "--json").json
    assert (made["format"], made["entries"]) == ("numpy", 3)
    assert np.load(listed / "out" / "ids.npy").tolist() == ["1.png", "3.png", "5.png"]
    assert np.load(listed / "out" / "id2048.npy").shape == (3, 256)
    swiftreid("gallery", "export", "g", "people.parquet", "--label", "bag=no")
    assert parquet.read_table(listed / "people.parquet")["id"].to_pylist() == ["0.png", "3.png"]
    assert "wrote 6 entries" in swiftreid("gallery", "export", "g", "people.faiss", "--code", "id128").out
    assert faiss.read_index_binary(str(listed / "people.faiss")).d == 128
    assert "not an empty folder" in swiftreid("gallery", "export", "g", "out", code=2).err
    assert "--code is for .faiss" in swiftreid("gallery", "export", "g", "x.parquet", "--code", "id32", code=2).err


def test_a_gallery_of_the_last_version_says_what_to_do_and_is_upgraded(swiftreid: Run, tmp_path: Path) -> None:
    with tarfile.open(FORMAT_1) as archive:
        archive.extractall(tmp_path, filter="data")
    assert "'swiftreid gallery upgrade'" in swiftreid("gallery", "info", "sealed", code=1).err
    assert swiftreid("gallery", "upgrade", "sealed", "--json").json["format"] == 3
    assert swiftreid("gallery", "info", "sealed", "--json").json["entries"] == 34
    assert swiftreid("gallery", "verify", "sealed", "--json").json["ok"] is True
