"""Arguments that make no sense are refused in words, and nothing is done silently by half."""

from __future__ import annotations

import errno
import threading
from dataclasses import replace

import apsw
import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery import EntryNotFound, Gallery, GalleryBusy
from swiftreid.gallery.export import export
from swiftreid.gallery.filters import Filters

BAD_IDS = [None, 5, "1", [1], [None], [b"1"], [["1"]], np.arange(3)]


@pytest.fixture
def filled(gallery):
    samples.add(gallery, ["1", "2", "a"])
    return gallery


@pytest.mark.parametrize("ids", BAD_IDS, ids=repr)
@pytest.mark.parametrize(
    "call",
    [
        lambda gallery, ids: gallery.existing(ids),
        lambda gallery, ids: gallery.delete(ids),
        lambda gallery, ids: gallery.hold(ids, "because"),
        lambda gallery, ids: gallery.release(ids),
        lambda gallery, ids: gallery.snapshot(exclude_ids=[None] if ids is None else ids),
    ],
    ids=["existing", "delete", "hold", "release", "exclude"],
)
def test_ids_that_are_no_list_of_texts_are_refused(filled, call, ids):
    with pytest.raises(UsageError, match=r"needs (a list of ids|ids that are texts)"):
        call(filled, ids)
    assert len(filled) == 3


@pytest.mark.parametrize("ids", [None, 5, [2], [2, "zz", None]], ids=repr)
def test_update_refuses_them_too(filled, ids):
    with pytest.raises(UsageError, match="update needs"):
        filled.update(ids, person="p")


def test_ids_may_be_given_in_any_iterable(filled):
    with pytest.raises(EntryNotFound, match="'nope'"):
        filled.update((id_ for id_ in ["a", "nope"]), person="new")
    with pytest.raises(EntryNotFound, match="'nope'"):
        filled.release(id_ for id_ in ["nope"])
    assert filled.get("a").entry.person != "new"
    with filled.snapshot(exclude_ids=np.array(["a", "2"])) as view:
        assert view.live == 1
    assert filled.delete(np.array(["1", "2"])) == 2


@pytest.mark.parametrize("reason", [None, "", "  ", 5, "\udce9"])
def test_a_hold_needs_a_reason_that_can_be_stored(filled, reason):
    with pytest.raises(UsageError, match="hold needs a reason"):
        filled.hold(["a"], reason)
    assert filled.held() == {}


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("count", [2.5, "2", -1, 1 << 70, True], ids=repr)
def test_a_limit_or_offset_is_a_whole_number(filled, name, count):
    with pytest.raises(UsageError, match=f"{name} must be a whole number"):
        filled.list(**{name: count})


def test_numpy_numbers_are_whole_numbers(filled):
    assert [entry.id for entry in filled.list(limit=np.int64(1), offset=np.int32(1))] == ["2"]


@pytest.mark.parametrize("token", ["x", None, 1.5, -1])
def test_a_token_is_a_whole_number(filled, token):
    with pytest.raises(UsageError, match="after_token must be a whole number"):
        filled.snapshot(after_token=token)


def test_batches_have_a_size(filled):
    with filled.snapshot() as view, pytest.raises(UsageError, match="size must be a whole number of at least 1"):
        list(view.batches(0))


def test_names_of_labels_are_texts_and_any_text_may_be_looked_for(filled):
    with pytest.raises(UsageError, match="names of labels must be texts"):
        Filters(labels={1: "a"})
    with pytest.raises(UsageError, match="labels must map names to values"):
        Filters(labels=np.array(["a", "b"]))
    assert filled.list(labels={"\udce9": "x"}) == []
    with filled.snapshot(labels={"\udce9": "x"}) as view:
        assert view.live == 0


def test_equal_filters_have_equal_hashes():
    one, other = Filters(labels={"a": "1", "b": "2"}), Filters(labels={"b": "2", "a": "1"})
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(
    "wrong",
    [{"embedding": 512}, {"segment_size": 2.5}, {"segment_size": 0}, {"encoder_name": 5}, {"spec": "id32"}],
    ids=repr,
)
def test_a_gallery_that_could_not_be_opened_is_not_created(tmp_path, wrong):
    usual = {"encoder_name": "e", "fingerprint": "f", "spec": samples.SPEC}
    with pytest.raises(UsageError):
        Gallery.create(tmp_path / "g", **{**usual, **wrong})
    assert not (tmp_path / "g").exists()


def test_the_encoder_file_may_be_given_as_text(tmp_path):
    with pytest.raises(UsageError, match="there is no encoder file"):
        Gallery.create(tmp_path / "g", encoder_name="e", fingerprint="f", spec=samples.SPEC, encoder_file="nothing")


def test_whoever_creates_a_gallery_second_is_told_that_it_is_there(tmp_path, monkeypatch):
    from swiftreid.gallery import creation

    usual = {"encoder_name": "e", "fingerprint": "f", "spec": samples.SPEC}
    make = creation.create_database

    def another_first(*arguments):
        monkeypatch.setattr(creation, "create_database", make)
        Gallery.create(tmp_path / "g", **usual).close()
        make(*arguments)

    monkeypatch.setattr(creation, "create_database", another_first)
    with pytest.raises(UsageError, match="exists already, and is a gallery"):
        Gallery.create(tmp_path / "g", **usual)
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


@pytest.mark.parametrize("name", ["n", "n.parquet"])
def test_an_export_that_cannot_be_written_does_not_blame_the_gallery(filled, tmp_path, name):
    pytest.importorskip("pyarrow")
    (tmp_path / "file").write_text("no folder")
    with filled.snapshot() as view, pytest.raises(SwiftReIDError, match=r"^could not write .*file"):
        export(view, tmp_path / "file" / name)


def test_an_addition_that_is_durable_does_not_fail_for_what_comes_after(gallery, monkeypatch):
    """The disk refuses to note which segments were checked: the entries are there, and the caller must know."""

    def refuse(self, states):
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(type(gallery._catalogue), "note_checked", refuse)
    monkeypatch.setattr(type(gallery._cache), "checked_states", lambda self, rows: {1: "state"})
    assert samples.add(gallery, ["a"]) == 1
    assert "a" in gallery


def test_a_deletion_that_is_durable_does_not_fail_for_the_note_that_the_log_is_empty(filled, monkeypatch):
    from swiftreid.gallery.sqlite import catalogue

    set_state = catalogue.set_state

    def refuse(db, key, value):
        if key == "unsettled":
            raise apsw.FullError("disk is full")
        set_state(db, key, value)

    monkeypatch.setattr(catalogue, "set_state", refuse)
    assert filled.delete(["a"]) == 1


def test_replaced_entries_are_overwritten_at_once(gallery):
    old = replace(samples.entries_of(["a"])[0], thumbnail=b"secret picture " * 20)
    new = replace(old, thumbnail=b"another")
    for entry, replacing in ((old, False), (new, True)):
        gallery.add([entry], samples.codes_of(["a"]), fingerprint=samples.PRINT, replace=replacing)
    files = [file for file in gallery.path.rglob("*") if file.is_file()]
    assert not [file.name for file in files if b"secret picture" in file.read_bytes()]


def test_what_is_not_worth_waiting_for_does_not_wait_for_a_thread(filled):
    """`verify` notes what it found only if nobody writes."""
    with filled._catalogue.lock("standing", 1):
        seen = []

        def other():
            try:
                with filled._catalogue.lock("verifying", 0):
                    seen.append("written")
            except GalleryBusy:
                seen.append("busy")

        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        thread.join(60)
        assert seen == ["busy"]


def test_a_write_after_another_thread_closed_the_gallery_says_so(filled):
    filled._catalogue.close()
    with pytest.raises(UsageError, match="is closed"):
        filled.delete(["a"])
