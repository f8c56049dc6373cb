from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np
import pytest

from swiftreid.errors import UsageError
from swiftreid.gallery import (
    BadEntry,
    DuplicateIds,
    Entry,
    EntryNotFound,
    Gallery,
    GalleryDamaged,
    NewerFormat,
    NotAGallery,
    OtherEncoder,
)
from swiftreid.gallery.sqlite import DATABASE

IDS = [f"e{i}" for i in range(34)]


def assert_holds(gallery, ids, entries_of, codes_of):
    """The gallery holds exactly these ids, in this order, with their own entries and codes."""
    with gallery.snapshot() as view:
        positions = np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask)
        assert view.ids(positions) == ids
        assert view.live == len(ids)
        expected, wanted = codes_of(ids), entries_of(ids)
        for name in gallery.spec:
            assert np.array_equal(view.table.rows(name, positions), expected[name])
        assert view.entries(positions) == [replace(entry, thumbnail=None) for entry in wanted]
        assert [view.thumbnail(position) for position in positions] == [entry.thumbnail for entry in wanted]
    for row, entry in enumerate(wanted):
        stored = gallery.get(entry.id)
        assert stored.entry == entry
        assert stored.thumbnail == entry.thumbnail
        for name in gallery.spec:
            assert np.array_equal(stored.codes[name], expected[name][row])


def test_what_was_added_comes_back_sealed_or_not_and_after_reopening(gallery, add, entries_of, codes_of):
    assert add(gallery, IDS[:7]) == 7
    assert_holds(gallery, IDS[:7], entries_of, codes_of)
    assert add(gallery, IDS[7:]) == 27
    assert (gallery.info().segments, gallery.info().unsealed) == (3, 4)
    assert_holds(gallery, IDS, entries_of, codes_of)
    gallery.close()
    for read_only in (True, False):
        with Gallery.open(gallery.path, read_only=read_only) as again:
            assert_holds(again, IDS, entries_of, codes_of)
            assert again.verify().problems == []


def test_an_empty_gallery_can_be_searched_and_verified(gallery):
    with gallery.snapshot() as view:
        assert (len(view), view.live, view.mask, len(view.table)) == (0, 0, None, 0)
        assert view.table.names == gallery.spec.names
    assert gallery.verify().ok
    assert gallery.info().entries == 0
    assert (
        gallery.add(
            [],
            {n: np.empty((0, b), np.uint8) for n, b in gallery.spec.row_bytes.items()},
            fingerprint=gallery.fingerprint,
        )
        == 0
    )
    assert gallery.delete(["nobody"]) == 0
    assert gallery.compact().erased == 0


def test_info(gallery, add, entries_of):
    add(gallery, IDS)
    gallery.delete(["e3", "e33"])
    info, left = gallery.info(), [e for e in entries_of(IDS) if e.id not in {"e3", "e33"}]
    assert (info.entries, info.deleted, info.segments, info.unsealed) == (32, 1, 3, 3)
    assert info.cameras == {c: n for c in ("c0", "c1", "c2", "c3") if (n := sum(e.camera == c for e in left))}
    times = [e.time for e in left if e.time is not None]
    assert (info.first_time, info.last_time) == (min(times), max(times))
    assert (info.encoder_name, info.fingerprint, info.spec) == ("stripes", gallery.fingerprint, str(gallery.spec))
    assert info.bytes_on_disk == sum(p.stat().st_size for p in gallery.path.rglob("*") if p.is_file())
    assert info.format == 3


def test_existing_and_person(gallery, add, entries_of):
    add(gallery, IDS)
    assert gallery.existing(["e1", "nobody", "e30"]) == {"e1", "e30"}
    assert gallery.existing([]) == set()
    assert gallery.ids_of_person("p3") == [e.id for e in entries_of(IDS) if e.person == "p3"]
    with pytest.raises(EntryNotFound, match="'nobody'"):
        gallery.get("nobody")


def test_another_encoder_is_refused_naming_both(gallery, codes_of):
    with pytest.raises(OtherEncoder) as error:
        gallery.add([Entry("a", "c1")], codes_of(["a"]), fingerprint="beef", encoder_name="pyramid")
    for part in ("'stripes'", gallery.fingerprint, "'pyramid'", "beef"):
        assert part in str(error.value)
    assert gallery.info().entries == 0


def test_another_encoder_of_the_same_name_is_pointed_to_the_galleries_own_copy(tmp_path, spec):
    (tmp_path / "e").write_bytes(b"weights")
    with Gallery.create(
        tmp_path / "g", encoder_name="stripes", fingerprint="f", spec=spec, encoder_file=tmp_path / "e"
    ) as made:
        with pytest.raises(OtherEncoder, match=r"another encoder 'stripes' .*g/encoder\.safetensors") as error:
            made.check_encoder("beef", "stripes")
        assert "encode with 'stripes'" not in str(error.value)


def test_duplicates_write_nothing_and_are_listed(gallery, add, entries_of, codes_of):
    add(gallery, ["a", "b", "c"])
    with pytest.raises(DuplicateIds, match=r"2 id.*'a', 'c'") as error:
        add(gallery, ["x", "c", "y", "a"])
    assert error.value.ids == ["a", "c"]
    with pytest.raises(DuplicateIds, match=r"1 id.*more than once.*'y'. Nothing.*was written; give each entry an id"):
        add(gallery, ["x", "y", "y"])
    assert_holds(gallery, ["a", "b", "c"], entries_of, codes_of)
    gallery.delete(["a"])
    add(gallery, ["a"])
    assert_holds(gallery, ["b", "c", "a"], entries_of, codes_of)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.pop("id96"),
        lambda c: c.update(id64=c["id32"]),
        lambda c: c.update(id96=c["id96"][:, :8].copy()),
        lambda c: c.update(id96=c["id96"][:1]),
        lambda c: c.update(id32=c["id32"].astype(np.int16)),
        lambda c: c.update({name: column[:1] for name, column in c.items()}),
        lambda c: c.update(id32=c["id32"].tolist()),
    ],
)
def test_wrong_codes_are_refused(gallery, codes_of, spoil):
    codes = codes_of(["a", "b"])
    spoil(codes)
    with pytest.raises(UsageError):
        gallery.add([Entry("a", "c1"), Entry("b", "c1")], codes, fingerprint=gallery.fingerprint)
    assert gallery.info().entries == 0
    assert gallery.verify().ok


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"id": ""}, "id is empty"),
        ({"id": 7}, "id must be text, got 7"),
        ({"id": "a\0b"}, "zero character"),
        ({"id": "a\udcff"}, "not valid Unicode"),
        ({"camera": ""}, "camera is empty"),
        ({"camera": "  "}, "camera is empty"),
        ({"camera": None}, "camera must be text"),
        ({"camera": 3}, "camera must be text, got 3"),
        ({"time": float("nan")}, "time is nan"),
        ({"time": float("inf")}, "time is inf"),
        ({"time": 1e20}, "outside the years 1 to 9999"),
        ({"time": "2024-01-01"}, "time must be seconds"),
        ({"time": True}, "time must be seconds"),
        ({"person": 12}, "person must be text"),
        ({"source": Path("x")}, "source must be text"),
        ({"labels": {"bag": 1}}, "label 'bag' must be text"),
        ({"labels": {2: "x"}}, "label 2 must be text"),
        ({"labels": [("bag", "x")]}, "labels must map"),
        ({"thumbnail": "jpeg"}, "thumbnail must be bytes"),
    ],
)
def test_bad_fields_are_refused_naming_entry_and_field(gallery, codes_of, bad, says):
    spoiled = Entry(**({"id": "b", "camera": "c1"} | bad))
    with pytest.raises(BadEntry, match="entry 1 of the batch") as error:
        gallery.add([Entry("a", "c1"), spoiled], codes_of(["a", "b"]), fingerprint=gallery.fingerprint)
    assert says in str(error.value)
    assert gallery.info().entries == 0


def test_something_else_than_an_entry_is_refused(gallery, codes_of):
    with pytest.raises(BadEntry, match="dict"):
        gallery.add([{"id": "a", "camera": "c"}], codes_of(["a"]), fingerprint=gallery.fingerprint)


def test_unusual_text_and_numpy_values_are_kept(gallery, codes_of):
    ids = ["ü/人.jpg", "a'b\"c", "x" * 500, "emoji 😀"]
    entries = [Entry(i, "Gleis 3 / süd", np.float32(1.5), "人", "s", {"k é": "v\n"}, b"") for i in ids]
    gallery.add(entries, codes_of(ids), fingerprint=gallery.fingerprint)
    assert [gallery.get(i).entry for i in ids] == [replace(e, time=1.5) for e in entries]
    assert gallery.existing(ids) == set(ids)
    assert gallery.delete(ids) == 4


def test_create_refuses_what_exists_and_leaves_nothing_behind_when_it_fails(path, create, spec, tmp_path):
    path.write_text("a file")
    with pytest.raises(UsageError, match="exists already and is not a folder"):
        create(path)
    with pytest.raises(UsageError, match="no encoder file"):
        Gallery.create(tmp_path / "g", encoder_name="e", fingerprint="f", spec=spec, encoder_file=tmp_path / "none")
    with pytest.raises(UsageError, match="segment size"):
        create(tmp_path / "g", segment_size=0)
    assert [p.name for p in tmp_path.iterdir()] == ["people"]


def test_create_keeps_the_encoder_file(path, spec, tmp_path):
    (tmp_path / "e.safetensors").write_bytes(b"weights" * 99)
    with Gallery.create(
        path, encoder_name="e", fingerprint="f", spec=spec, encoder_file=tmp_path / "e.safetensors"
    ) as made:
        copy = path / "encoder.safetensors"
        assert made.encoder_file == copy
        assert copy.read_bytes() == b"weights" * 99
        assert made.verify().ok
        copy.write_bytes(b"weights" * 98 + b"altered")
        assert made.verify().problems == ["encoder.safetensors does not match its checksum"]
        with pytest.raises(GalleryDamaged, match=r"encoder\.safetensors does not match its checksum"):
            made.encoder_file  # noqa: B018
        copy.write_bytes(b"weights" * 99)
        assert made.encoder_file == copy
        copy.unlink()
        assert made.verify().problems == ["encoder.safetensors is missing"]
        with pytest.raises(GalleryDamaged, match=r"encoder\.safetensors is missing"):
            made.encoder_file  # noqa: B018


def test_paths_that_are_no_gallery(tmp_path):
    with pytest.raises(NotAGallery, match="gallery create"):
        Gallery.open(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    for other in (tmp_path, tmp_path / "file"):
        with pytest.raises(NotAGallery, match="is not a gallery"):
            Gallery.open(other)
    apsw.Connection(str(tmp_path / DATABASE)).execute("CREATE TABLE t (x)")
    with pytest.raises(NotAGallery, match="another program"):
        Gallery.open(tmp_path)


def test_a_newer_format_is_refused_naming_both(gallery):
    gallery.close()
    db = apsw.Connection(str(gallery.path / DATABASE))
    db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(NewerFormat, match=r"format 7.*up to 3.*upgrade"):
        Gallery.open(gallery.path)


def test_read_only_refuses_changes_and_closed_refuses_all(gallery, add):
    add(gallery, ["a"])
    with Gallery.open(gallery.path, read_only=True) as reader:
        for change in (lambda: add(reader, ["b"]), lambda: reader.delete(["a"]), reader.compact):
            with pytest.raises(UsageError, match="read-only"):
                change()
        assert reader.get("a").entry.id == "a"
    gallery.close()
    for use in (gallery.info, gallery.snapshot, lambda: add(gallery, ["b"])):
        with pytest.raises(UsageError, match="closed"):
            use()


def test_a_closed_snapshot_keeps_its_codes_but_not_its_entries(gallery, add, codes_of):
    add(gallery, IDS[:12])
    view = gallery.snapshot(after=0)
    view.close()
    assert np.array_equal(view.table.rows("id32", np.arange(12)), codes_of(IDS[:12])["id32"])
    for read in (lambda: view.entries([0]), lambda: view.thumbnail(0)):
        with pytest.raises(UsageError, match="closed"):
            read()


def test_positions_outside_and_deleted_are_refused_and_unknown_cameras_have_no_entries(gallery, add):
    add(gallery, IDS[:12])
    gallery.delete(["e3"])
    with gallery.snapshot() as view:
        for position in (-1, 12):
            with pytest.raises(UsageError, match=f"position {position} is outside"):
                view.entries([0, position])
        with pytest.raises(UsageError, match="position 3 is deleted"):
            view.ids([3])
    with gallery.snapshot(cameras=["c1"]) as known, gallery.snapshot(cameras=["c1", "hall"]) as more:
        assert known.live == more.live > 0
    with gallery.snapshot(cameras=["hall"]) as view:
        assert view.live == 0
    with gallery.snapshot(not_cameras=["hall"]) as view:
        assert view.live == 11


def test_text_instead_of_a_list_of_ids_is_refused(gallery):
    with pytest.raises(UsageError, match=r"\['abc'\]"):
        gallery.delete("abc")
    with pytest.raises(UsageError, match="cameras"):
        gallery.snapshot(cameras="c1")


def test_the_gallery_starts_without_torch():
    code = "import sys, swiftreid.gallery; print(sorted({'torch', 'anny'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
