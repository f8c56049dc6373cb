"""Checksums of what the database holds: whatever is altered there is named, and never answered with."""

from __future__ import annotations

import apsw
import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.gallery import Entry, Gallery, GalleryDamaged
from swiftreid.gallery.sqlite import DATABASE

IDS = [f"e{i}" for i in range(25)]


@pytest.fixture
def filled(gallery, add):
    """A closed gallery of two segments and five unsealed entries, e20 to e24."""
    add(gallery, IDS)
    gallery.close()
    return gallery.path


def change(path, sql):
    db = apsw.Connection(str(path / DATABASE))
    db.execute(sql)
    db.close()


def flip(path, table, column, rowid, place):
    db = apsw.Connection(str(path / DATABASE))
    with db.blob_open("main", table, column, rowid, True) as blob:
        blob.seek(place)
        byte = blob.read(1)[0]
        blob.seek(place)
        blob.write(bytes([byte ^ 1]))
    db.close()


def verify(path):
    with Gallery.open(path, read_only=True) as gallery:
        return gallery.verify()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entry SET person = 'somebody else' WHERE id = 'e3'",
        "UPDATE entry SET person = CAST(x'ff41' AS TEXT) WHERE id = 'e3'",
        "UPDATE entry SET person = NULL, source = person WHERE id = 'e3'",
        "UPDATE entry SET source = source || 'x' WHERE id = 'e3'",
        """UPDATE entry SET labels = '{"bag": "no"}' WHERE id = 'e3'""",
        "UPDATE entry SET thumbnail_digest = zeroblob(16) WHERE id = 'e3'",
        "UPDATE entry SET digest = zeroblob(16) WHERE id = 'e3'",
    ],
)
def test_an_altered_entry_is_named_and_not_returned(filled, sql):
    change(filled, sql)
    assert "entry 'e3' (number 4) does not match its checksum" in verify(filled).problems
    with Gallery.open(filled) as gallery, gallery.snapshot() as view:
        with pytest.raises(GalleryDamaged):
            gallery.get("e3")
        with pytest.raises(GalleryDamaged):
            view.entries([2, 3])
        assert view.ids([2, 4]) == ["e2", "e4"]  # the others can be read


def test_a_renamed_id_and_a_renamed_camera_are_named(filled):
    change(filled, "UPDATE entry SET id = 'other' WHERE id = 'e3'")
    assert verify(filled).problems == ["entry 'other' (number 4) does not match its checksum"]
    change(filled, "UPDATE camera SET name = 'elsewhere' WHERE number = 1")
    assert len(verify(filled).problems) > 1


def test_an_altered_or_lost_or_exchanged_thumbnail_is_named(filled, entries_of):
    with_picture = [i for i, entry in enumerate(entries_of(IDS)) if entry.thumbnail is not None]
    one, two, three, four = with_picture[:4]
    without = next(i for i in range(25) if i not in with_picture)
    flip(filled, "thumbnail", "picture", one + 1, 0)
    change(filled, f"DELETE FROM thumbnail WHERE seq = {two + 1}")
    change(filled, f"UPDATE thumbnail SET seq = 999 WHERE seq = {three + 1}")
    change(filled, f"UPDATE thumbnail SET seq = {without + 1} WHERE seq = {four + 1}")
    wrong = sorted([one, two, three, four, without])
    expected = [f"the thumbnail of entry 'e{i}' (number {i + 1}) does not match its checksum" for i in wrong]
    assert [problem for problem in verify(filled).problems if "thumbnail of" in problem] == expected
    with Gallery.open(filled) as gallery, gallery.snapshot() as view:
        for row in wrong:
            with pytest.raises(GalleryDamaged, match="thumbnail"):
                view.thumbnail(row)
            with pytest.raises(GalleryDamaged, match="thumbnail"):
                gallery.get(f"e{row}")
        assert view.thumbnail(with_picture[4]) == entries_of(IDS)[with_picture[4]].thumbnail


@pytest.mark.parametrize("column", ["seqs", "cameras", "times", "codes"])
def test_one_flipped_byte_of_the_tail_refuses_search_and_change(filled, add, column):
    says = "unsealed entries from number 21 on do not match their checksum"
    flip(filled, "chunk", column, 21, 17)
    assert [says in problem for problem in verify(filled).problems] == [True]
    with Gallery.open(filled) as gallery:
        for call in (
            gallery.snapshot,
            gallery.info,
            lambda: gallery.get("e22"),
            lambda: add(gallery, ["new"]),
            lambda: gallery.delete(["e22"]),
        ):
            with pytest.raises(GalleryDamaged, match=says):
                call()
        assert gallery.existing(["new", "e22"]) == {"e22"}
        assert gallery.get("e3").entry.id == "e3"


@pytest.mark.parametrize("column", ["cameras", "times"])
def test_altered_filter_columns_are_named_and_get_no_new_checksum(filled, column):
    says = f"filter columns of segment {samples.segment(filled, 2).name} do not match their checksum"
    with Gallery.open(filled) as used:
        used.delete(["e12"])  # leaves columns in the cache of this process
        flip(filled, "segment_filter", column, 2, 0)
        with pytest.raises(GalleryDamaged, match=says):
            used.delete(["e13"])
    assert [says in problem for problem in verify(filled).problems] == [True]
    with Gallery.open(filled) as gallery:
        for call in (lambda: gallery.snapshot(cameras=["c1"]), lambda: gallery.delete(["e14"]), gallery.compact):
            with pytest.raises(GalleryDamaged, match=says):
                call()


def test_many_altered_entries_are_counted(gallery, add):
    add(gallery, [f"e{i}" for i in range(50)])
    change(gallery.path, "UPDATE entry SET source = 'x'")
    problems = gallery.verify().problems
    assert len(problems) == 21
    assert problems[-1] == "30 more entries do not match their checksums"


def test_checksums_follow_every_change_and_are_counted(gallery, add):
    rng = np.random.default_rng(0)
    alive, checked = [], gallery.verify().bytes_checked
    assert checked == 0
    for step in range(12):
        ids = [f"s{step}-{i}" for i in range(rng.integers(1, 15))]
        add(gallery, ids)
        alive += ids
        gone = rng.choice(alive, rng.integers(0, len(alive) // 2 + 1), replace=False).tolist()
        gallery.delete(gone)
        alive = [id_ for id_ in alive if id_ not in gone]
        if step % 4 == 3:
            gallery.compact()
        report = gallery.verify()
        assert report.ok, report.problems
        assert report.bytes_checked > 100 * len(alive)
    assert gallery.info().segments > 1


def test_minus_zero_is_a_time_like_any_other(gallery, spec, codes_of):
    gallery.add([Entry("a", "c1", -0.0)], codes_of(["a"]), fingerprint=gallery.fingerprint)
    assert gallery.verify().ok
    assert gallery.get("a").entry.time == 0


def test_a_damaged_tail_does_not_turn_an_acknowledged_addition_into_an_error(gallery, add, caplog, monkeypatch):
    monkeypatch.setattr("swiftreid.gallery.chunks.MERGE_ROWS", 0)
    add(gallery, IDS[:5])
    flip(gallery.path, "chunk", "codes", 1, 3)
    assert add(gallery, IDS[5:12]) == 7  # enough for a segment, which can't be made of damaged rows
    assert "put off" in caplog.text
    assert gallery.existing(IDS) == set(IDS[:12])
    assert len(gallery.verify().problems) == 1
