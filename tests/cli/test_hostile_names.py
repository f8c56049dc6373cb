"""Files and cards as nobody meant them, by the commands."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import miniatures
from command import Ran
from swiftreid.cli.console import printable
from swiftreid.data.manifest import read_manifest
from swiftreid.errors import UsageError

Run = Callable[..., Ran]


def test_names_that_are_no_text_and_links_to_nothing(swiftreid: Run, tmp_path: Path) -> None:
    root = miniatures.person_folders(tmp_path / "people").root
    (root / "0007" / "dangling.jpg").symlink_to("nowhere")
    source = root / "0007" / "IMG_1.jpeg"
    for name in (b"bad\xff.jpg", b"red\x1b[31m.jpg"):
        (Path(os.fsdecode(os.fsencode(root / "0007") + b"/" + name))).write_bytes(source.read_bytes())
    ran = swiftreid("evaluate", "people", "--untimed", "--card", "card.json")
    assert "rank-1" in ran.out
    queries = json.loads((tmp_path / "card.json").read_text())["queries"]
    assert "0007/bad\\udcff.jpg" in queries
    told = swiftreid("doctor", "people").out
    assert "\x1b" not in told
    swiftreid("encode", "people", "-o", "codes.safetensors")


def test_control_characters_are_written_out() -> None:
    assert printable("a\x1b[31m\x9bb\tc\nd") == "a\\x1b[31m\\x9bb\tc\nd"
    assert printable("naïve \udcff") == "naïve \\udcff"


def test_junk_and_distractors_keep_their_meaning_among_names(tmp_path: Path) -> None:
    mini, table = miniatures.manifest(tmp_path)
    rows = table.read_text(encoding="utf-8-sig").replace(",1,", ",anna,").replace(",2,", ",bert,")
    paths = [miniatures.paint(mini.root / name, 9, 1).name for name in ("junk.png", "wrong.png")]
    header = rows.splitlines()[0].split(",")
    for path, person in zip(paths, ("-1", "0"), strict=True):
        row = {"path": path, "person": person, "camera": "2", "split": "gallery", "time": "1001"}
        rows += ",".join(row.get(name, "") for name in header) + "\n"
    table.write_text(rows)
    data = read_manifest(table)
    assert [sample.person for sample in data.gallery if sample.path.name in paths] == [-1, 0]
    table.write_text(rows + rows.splitlines()[-1].replace("wrong.png", "./wrong.png").replace(",0,", ",carl,") + "\n")
    with pytest.raises(UsageError, match="again"):
        read_manifest(table)


def test_damaged_cards_are_refused(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    swiftreid("evaluate", drawn_people, "--untimed", "--card", "good.json")
    card = json.loads((tmp_path / "good.json").read_text())
    for change in ("ap", "cmc", "time"):
        bad = json.loads(json.dumps(card))
        row = bad["rows"][0]
        if change == "ap":
            row["per_query"]["ap_standard"].pop()
        elif change == "cmc":
            row["cmc"][3] = 2.0
        else:
            row["microseconds_per_query"] = -1
        (tmp_path / "bad.json").write_text(json.dumps(bad))
        assert "is not a result card" in swiftreid("compare", "good.json", "bad.json", code=1).err


def test_copies_of_the_test_set_are_not_held_out(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'swiftreid[figures]'")
    for number, path in enumerate(sorted((drawn_people / "query").iterdir())):
        folder = tmp_path / "copies" / path.name[:4]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(path.read_bytes())
    ran = swiftreid("figure", "w", drawn_people, "--held-out", "copies", "-o", "w.png", code=2)
    assert "are in the test set itself" in ran.err
