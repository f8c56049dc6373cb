"""Galleries of format 1, written by the last code that did, become the current format and answer as they did."""

from __future__ import annotations

import base64
import json
import os
import tarfile
from pathlib import Path

import apsw
import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.gallery import Entry, Gallery, GalleryDamaged, OlderFormat
from swiftreid.gallery.sqlite import DATABASE, migration
from swiftreid.search.cascade import Cascade

ARCHIVE = Path(__file__).parent / "format1" / "galleries.tar.gz"
NAMES = ("tail", "sealed", "deleted", "full")


@pytest.fixture
def old(tmp_path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    for path in tmp_path.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return tmp_path


def expected(old: Path, name: str) -> dict:
    return json.loads((old / "expected.json").read_text(encoding="utf-8"))[name]


def entry_of(stated: dict) -> tuple[Entry, dict[str, bytes]]:
    fields = dict(stated)
    codes = {name: bytes.fromhex(text) for name, text in fields.pop("codes").items()}
    if fields["thumbnail"] is not None:
        fields["thumbnail"] = base64.b64decode(fields["thumbnail"])
    return Entry(**fields), codes


def format_of(path: Path) -> int:
    db = apsw.Connection(str(path / DATABASE))
    version = db.pragma("user_version")
    db.close()
    return version


def assert_as_before(path: Path, stated: dict, *, read_only: bool) -> None:
    with Gallery.open(path, read_only=read_only) as gallery, gallery.snapshot() as view:
        report = gallery.verify()
        assert (report.problems, report.notes) == ([], [])
        live = np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask)
        entries = [entry_of(one) for one in stated["entries"]]
        assert view.ids(live) == [entry.id for entry, _ in entries]
        assert len(gallery) == len(entries)
        for entry, codes in entries:
            found = gallery.get(entry.id)
            assert found.entry == entry
            assert found.entry.arrival is None
            assert {name: code.tobytes() for name, code in found.codes.items()} == codes
        assert list(gallery) == [Entry(**(vars(entry) | {"thumbnail": None})) for entry, _ in entries]
        for text, asked, ids, distances in stated["answers"]:
            result = Cascade.parse(text).search(view.table, samples.codes_of([asked]), k=8, mask=view.mask)
            found = slice(int(result.counts[0]))
            assert (view.ids(result.indices[0, found]), result.distances[0, found].tolist()) == (ids, distances)
        assert gallery.info().segments == stated["segments"]


@pytest.mark.parametrize("name", NAMES)
def test_a_gallery_of_format_1_holds_and_answers_the_same(old, name):
    path, stated = old / name, expected(old, name)
    assert format_of(path) == 1
    files = {file.name: file.read_bytes() for file in (path / "segments").iterdir()}
    assert_as_before(path, stated, read_only=False)
    assert format_of(path) == 3
    assert {file.name: file.read_bytes() for file in (path / "segments").iterdir()} == files  # kept as they are
    assert_as_before(path, stated, read_only=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_migrated_gallery_goes_on_like_any_other(old, name):
    path, stated = old / name, expected(old, name)
    there = [one["id"] for one in stated["entries"]]
    with Gallery.open(path) as gallery:
        samples.add(gallery, [f"n{i}" for i in range(25)])
        gallery.delete([there[0], "n3"])
        gallery.update(there[1], person="someone", camera="c9")
        gallery.compact()
        report = gallery.verify()
        assert (report.problems, report.notes) == ([], [])
        assert [entry.id for entry in gallery] == [*there[1:], *(f"n{i}" for i in range(25) if i != 3)]
        assert gallery.get(there[1]).codes["id96"].tobytes() == entry_of(stated["entries"][1])[1]["id96"]


def test_labels_of_format_1_can_be_filtered_by(old):
    stated = expected(old, "full")
    with Gallery.open(old / "full") as gallery:
        for name, value in (("bag", "yes"), ("bag", "no"), ("k é", "v\n1"), ("bag", "maybe"), ("x", "yes")):
            wanted = [one["id"] for one in stated["entries"] if one["labels"].get(name) == value]
            assert [entry.id for entry in gallery.list(labels={name: value})] == wanted
            with gallery.snapshot(labels={name: value}) as view:
                found = np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask)
                assert view.ids(found) == wanted
        assert gallery.encoder_file.read_bytes() == b"weights " * 50


def test_reading_only_says_what_to_do_and_changes_nothing(old):
    before = (old / "sealed" / DATABASE).read_bytes()
    with pytest.raises(OlderFormat, match=r"format 1.*reads format 3.*'swiftreid gallery upgrade'.*once for writing"):
        Gallery.open(old / "sealed", read_only=True)
    assert (old / "sealed" / DATABASE).read_bytes() == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", ["index_all_labels", "check_tables", "transaction"])
def test_killed_in_the_middle_the_old_gallery_still_opens(old, name, step, monkeypatch):
    child = os.fork()
    if child == 0:
        try:
            if step == "transaction":  # all is done but the commit
                from contextlib import contextmanager

                @contextmanager
                def dies(db):
                    db.execute("BEGIN IMMEDIATE")
                    yield
                    os._exit(9)

                monkeypatch.setattr(migration, "transaction", dies)
            else:
                monkeypatch.setattr(migration, step, lambda *_: os._exit(9))
            Gallery.open(old / name)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert format_of(old / name) == 1
    db = apsw.Connection(str(old / name / DATABASE))
    columns = [row[1] for row in db.execute("PRAGMA table_info(entry)")]
    assert columns[-1] == "digest"  # what the old version's queries find
    assert db.execute("PRAGMA integrity_check").get == "ok"
    db.close()
    assert_as_before(old / name, expected(old, name), read_only=False)


def test_a_damaged_gallery_of_format_1_is_not_migrated(old):
    db = apsw.Connection(str(old / "full" / DATABASE))
    db.execute("DROP TABLE thumbnail")
    db.close()
    with pytest.raises(GalleryDamaged, match="table thumbnail"):
        Gallery.open(old / "full")
    assert format_of(old / "full") == 1


def test_altered_labels_do_not_stop_the_migration_and_get_no_new_checksum(old):
    db = apsw.Connection(str(old / "full" / DATABASE))
    db.execute("""UPDATE entry SET labels = '{"bag": ' WHERE id = 'e1'""")
    db.close()
    with Gallery.open(old / "full") as gallery:
        assert any("entry 'e1'" in problem for problem in gallery.verify().problems)
        with pytest.raises(GalleryDamaged):
            gallery.get("e1")
        assert gallery.get("e2").entry.id == "e2"
