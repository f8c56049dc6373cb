"""What commands say of galleries that others may read, of deletions that a reader holds up, and of odd file names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from command import Ran
from drawn_figures import draw_person
from swiftreid.gallery.store import Gallery

Run = Callable[..., Ran]


def test_a_wide_gallery_is_warned_of_once_in_one_line(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    swiftreid("gallery", "create", "g")
    assert "chmod" not in swiftreid("gallery", "add", "g", drawn_people / "query").err
    (tmp_path / "g").chmod(0o755)
    ran = swiftreid("search", "g", drawn_people / "query", "--no-picture", "--json")
    assert [line.partition("gallery g")[0] for line in ran.err.splitlines() if "chmod" in line] == ["warning: "]
    assert "remove them with 'chmod -R go-rwx g'" in ran.err
    assert ran.json["queries"]


def test_what_a_reader_holds_up_is_an_error_that_names_it(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    swiftreid("gallery", "create", "g")
    swiftreid("gallery", "add", "g", drawn_people / "bounding_box_test")
    with Gallery.open(tmp_path / "g", read_only=True) as reader:
        with reader.snapshot():
            person = ("gallery", "delete", "g", "--person", "15", "--compact", "--timeout", "0.1")
            ran = swiftreid(*person, "--json", code=1)
            assert ran.json["deleted"] == 3
            assert "gallery.db-wal" in ran.json["remaining"][0]
            assert (
                "deleted content is still on the disk of g after waiting 0.1 s: gallery.db and gallery.db-wal"
                in ran.err
            )
            again = swiftreid("gallery", "compact", "g", "--timeout", 0, code=1)
            assert "gallery.db and gallery.db-wal" in again.err
        assert swiftreid("gallery", "compact", "g", "--json").json["remaining"] == []
    for file in (tmp_path / "g").rglob("*"):
        assert file.is_dir() or b"0015_c" not in file.read_bytes()


def test_a_name_that_is_not_utf_8_goes_in_with_the_others(swiftreid: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for person in (1, 2):
        draw_person(person, 1, 1).save(folder / f"000{person}_c1_01.jpg")
    os.rename(os.fsencode(folder / "0002_c1_01.jpg"), os.fsencode(folder) + b"/0002_c1_caf\xe9.jpg")  # noqa: PTH104
    swiftreid("gallery", "create", "g")
    ran = swiftreid("gallery", "add", "g", folder)
    assert "added 2 pictures" in ran.out
    assert r"1 file names are not UTF-8: their ids have \x and two digits for each such byte" in ran.err
    with Gallery.open(tmp_path / "g", read_only=True) as opened:
        assert opened.existing([r"0002_c1_caf\xe9.jpg"])
        assert opened.get(r"0002_c1_caf\xe9.jpg").entry.source == str(folder.resolve() / r"0002_c1_caf\xe9.jpg")
    again = swiftreid("gallery", "add", "g", folder, "--skip-existing", "--json").json
    assert (again["added"], again["already_there"]) == (0, 2)
