from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import miniatures
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.folders import read_folders
from swiftreid.data.manifest import read_manifest
from swiftreid.data.market import read_market
from swiftreid.data.msmt17 import read_msmt17
from swiftreid.data.sources import open_data


def test_market_layout_is_hashed_as_it_always_was(tmp_path: Path) -> None:
    mini = miniatures.market1501(tmp_path / "m", distractors="../images")
    data = read_market(mini.root, distractors=True)
    lines = sorted(
        f"{split}\t{name}\t{(mini.root / name).stat().st_size}"
        for split in ("train", "query", "gallery")
        for name, _, _ in mini.expected[split]
    )
    assert fingerprint_of(data) == hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert fingerprint_of(open_data(Path(__file__).resolve().parents[2] / "examples/station")) == "af5d83da198bbc36"


def test_what_a_figure_did_not_use_does_not_count(tmp_path: Path) -> None:
    mini = miniatures.market1501(tmp_path / "m", distractors="images")
    data = read_market(mini.root, distractors=True)
    prints = {fingerprint_of(data, distractors=d, multi_query=m) for d in (True, False) for m in (True, False)}
    assert len(prints) == 4
    plain, large = fingerprint_of(data), fingerprint_of(data, distractors=True)
    shutil.move(mini.root / "images", tmp_path / "images")  # beside instead of inside
    moved = read_market(mini.root, distractors=True)
    assert (fingerprint_of(moved), fingerprint_of(moved, distractors=True)) == (plain, large)
    next((tmp_path / "images").glob("0000*")).unlink()
    fewer = read_market(mini.root, distractors=True)
    assert fingerprint_of(fewer) == plain
    assert fingerprint_of(fewer, distractors=True) != large


def test_labels_count_where_names_do_not_state_them(tmp_path: Path) -> None:
    _, path = miniatures.manifest(tmp_path / "a")
    before = fingerprint_of(read_manifest(path))
    path.write_text(path.read_text("utf-8-sig").replace(",2,,", ",3,,"))
    assert fingerprint_of(read_manifest(path)) != before
    mini = miniatures.person_folders(tmp_path / "b", cameras="names")
    with_cameras = fingerprint_of(read_folders(mini.root))
    miniatures.paint(mini.root / "3/face.jpg", 3, 1)
    without = fingerprint_of(read_folders(mini.root))
    (mini.root / "3/face.jpg").unlink()
    assert len({with_cameras, without}) == 2
    for version in ("v1", "v2"):
        root = miniatures.msmt17(tmp_path / version, version).root
        assert len(fingerprint_of(read_msmt17(root, version))) == 16  # type: ignore[arg-type]
    assert fingerprint_of(read_msmt17(tmp_path / "v1", "v1")) != fingerprint_of(read_msmt17(tmp_path / "v2", "v2"))


def test_lost_files_make_another_data_set(tmp_path: Path) -> None:
    mini = miniatures.split_folders(tmp_path)
    data = read_folders(mini.root)
    before = fingerprint_of(data)
    data.query[0].path.unlink()
    assert fingerprint_of(data) != before
    (mini.root / "query" / "bert" / "gone.webp").symlink_to("nowhere")
    assert len(fingerprint_of(read_folders(mini.root))) == 16
