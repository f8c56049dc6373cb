"""Codes by another encoder beside the active ones: nothing is lost, nothing is there twice, and one can go back."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
import time

import apsw
import gallery_samples as samples
import numpy as np
import pytest
from reencoding_samples import Other, assert_codes, encode, move
from test_gallery_erasure import make, needles_of, traces

from swiftreid.errors import UsageError
from swiftreid.gallery import (
    Embedding,
    EntriesHeld,
    Entry,
    Gallery,
    GalleryBusy,
    GalleryDamaged,
    GalleryReencoded,
    UnfinishedReencoding,
)
from swiftreid.gallery.sqlite import DATABASE
from swiftreid.gallery.writer import GalleryWriter
from swiftreid.search.cascade import Cascade

IDS = [f"e{i}" for i in range(34)]
FIRST, SECOND, THIRD = Other("first"), Other("second"), Other("third")


@pytest.fixture
def moved(path):
    """A gallery of the first encoder, with segments and a tail, on its way to others."""
    with Gallery.create(path, FIRST, segment_size=10) as gallery:
        add(gallery, FIRST, IDS)
        gallery.delete(["e4"])
        gallery.update("e9", person="someone", labels={"bag": "yes"})
        gallery.hold(["e7"], "case 12")
        yield gallery


def add(gallery, encoder, ids):
    entries = samples.entries_of(ids)
    codes = encoder.codes_of([(entry.id, entry.camera) for entry in entries])
    gallery.add(entries, codes, fingerprint=encoder.fingerprint)


def contents(path):
    """All that a gallery knows of its entries but their codes."""
    with Gallery.open(path) as gallery:
        entries = [gallery.get(entry.id).entry for entry in gallery]
        arrivals = [entry.arrival for entry in entries]
        filtered = [gallery.ids(labels={"bag": "yes"}), gallery.ids(persons=["someone"]), gallery.ids(cameras=["c1"])]
        with gallery.snapshot(cameras=["c1"], after="1970-01-01T00:05:00+00:00") as view:
            filtered.append(view.ids([] if view.mask is None else np.flatnonzero(view.mask)))
        return entries, arrivals, filtered, gallery.held()


def test_entries_stay_and_only_codes_are_others(moved):
    before = contents(moved.path)
    move(moved, SECOND)
    assert_codes(moved.path, SECOND)
    assert contents(moved.path) == before
    with Gallery.open(moved.path) as gallery:
        (kept,) = gallery.versions
        assert (kept.state, kept.encoder_name, kept.entries) == ("kept", "first", 33)
        assert gallery.info().versions == (kept,)
        assert any("codes by encoder 'first' are kept to go back to" in note for note in gallery.verify().notes)
        add(gallery, SECOND, [f"n{i}" for i in range(25)])
    assert_codes(moved.path, SECOND)


def test_there_and_back_answers_are_equal_and_nothing_is_encoded_again(moved):
    query = {"id64": samples.codes_of(["q"])["id96"][:, :8].copy(), "id160": np.zeros((1, 20), np.uint8)}

    def answer():
        with Gallery.open(moved.path) as gallery, gallery.snapshot() as view:
            result = Cascade.parse("id64:top=9 > id160").search(view.table, query, k=9, mask=view.mask)
            return view.ids(result.indices[0, : result.counts[0]]), result.distances.tolist()

    before = answer()
    move(moved, SECOND)
    assert answer() != before
    with Gallery.open(moved.path) as gallery:
        with gallery.reencoding() as work:
            assert len(work.pending()) == 0
        move(gallery, None)
    assert answer() == before
    assert_codes(moved.path, FIRST)
    with Gallery.open(moved.path) as gallery:
        assert [one.encoder_name for one in gallery.versions] == ["second"]
        with pytest.raises(UsageError, match="holds codes of encoder 'first' already"):
            gallery.reencoding(FIRST)


def test_what_was_added_since_is_encoded_on_the_way_back(moved):
    move(moved, SECOND)
    with Gallery.open(moved.path) as gallery:
        add(gallery, SECOND, ["new-1", "new-2"])
        gallery.delete(["e1"])
        with gallery.reencoding() as work:
            assert [one.entry.id for one in work.waiting(work.pending().tolist())] == ["new-1", "new-2"]
        move(gallery, None, by=FIRST)
    assert_codes(moved.path, FIRST)
    with Gallery.open(moved.path) as gallery:
        assert {"new-1", "new-2"} < set(gallery.ids())
        assert "e1" not in gallery


def test_only_the_version_before_is_kept_and_its_files_alone(moved):
    for encoder in (SECOND, THIRD):
        with Gallery.open(moved.path) as gallery:
            move(gallery, encoder)
    with Gallery.open(moved.path) as gallery:
        assert [one.encoder_name for one in gallery.versions] == ["second"]
        used = {row.name for row in _segments(gallery)}
        assert {file.name for file in (moved.path / "segments").iterdir()} == used
        assert sorted(file.name for file in moved.path.glob("encoder*")) == [
            "encoder-2.safetensors",
            "encoder-3.safetensors",
        ]
        gone = gallery.discard_versions()
        assert (gone.encoders, gone.remaining) == (("second",), ())
        assert gallery.versions == ()
        assert [file.name for file in moved.path.glob("encoder*")] == ["encoder-3.safetensors"]
        assert len(list((moved.path / "segments").iterdir())) == gallery.info().segments
        with pytest.raises(UsageError, match="keeps no codes of an encoder before 'third'"):
            gallery.reencoding()
    assert_codes(moved.path, THIRD)
    for file in moved.path.rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) == (0o700 if file.is_dir() else 0o600)


def _segments(gallery):
    view = gallery._catalogue.view("looking")
    try:
        others = [row for one in view.versions() for row in view.version_segments(one.meta.codes_version)]
        return [*view.segments(), *others]
    finally:
        view.close()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("by_camera", [False, True])
def test_whatever_others_do_meanwhile_ends_up_right(moved, seed, by_camera):
    rng = np.random.default_rng(seed)
    target = Other("target", by_camera=by_camera)
    with Gallery.open(moved.path) as other:

        def disturb(step):
            if step > 12:
                return
            there = other.ids()
            some = rng.choice(there, min(3, len(there)), replace=False).tolist()
            kind = rng.integers(6)
            if kind == 0:
                other.delete([id_ for id_ in some if id_ != "e7"])
            elif kind == 1:
                other.update(some, camera=f"c{rng.integers(6)}", person="relabelled")
            elif kind == 2:
                add(other, FIRST, [f"s{seed}-{step}-{i}" for i in range(int(rng.integers(1, 15)))])
            elif kind == 3:
                entries = [Entry(id_, "c9", 5.0) for id_ in some if id_ != "e7"]
                codes = FIRST.codes_of([(entry.id, "c9") for entry in entries]) if entries else None
                if entries:
                    other.add(entries, codes, fingerprint=FIRST.fingerprint, replace=True)
            elif kind == 4:
                other.compact()
            else:
                with Gallery.open(moved.path):  # removes what nothing names
                    pass
            expected[:] = [(entry.id, entry.camera, entry.person) for entry in other]

        expected = [(entry.id, entry.camera, entry.person) for entry in other]
        move(moved, target, between=disturb, batch=int(rng.integers(1, 9)))
    with Gallery.open(moved.path) as gallery:
        assert [(entry.id, entry.camera, entry.person) for entry in gallery] == expected
        gallery.compact()
    assert_codes(moved.path, target)


def test_entries_that_come_in_the_last_moment_are_encoded_under_the_writers_lock(moved, monkeypatch):
    late = []
    with Gallery.open(moved.path, wait=0) as other, moved.reencoding(SECOND) as work:
        encode(work, SECOND, work.waiting(work.pending().tolist()))
        add(other, FIRST, ["late"])

        def last(waiting):
            late.extend(one.entry.id for one in waiting)
            with pytest.raises(GalleryBusy):
                add(other, FIRST, ["too late"])
            encode(work, SECOND, waiting)

        assert work.switch(last)
    assert late == ["late"]
    assert_codes(moved.path, SECOND)


def test_too_many_late_entries_are_encoded_before_writers_have_to_wait(moved, monkeypatch):
    monkeypatch.setattr("swiftreid.gallery.reencoding.LAST", 2)
    with moved.reencoding(SECOND) as work:
        encode(work, SECOND, work.waiting(work.pending()[:-3].tolist()))
        assert not work.switch(lambda waiting: pytest.fail("writers would wait"))
        assert not moved.reencoded


def test_what_opened_the_gallery_before_says_so_and_a_snapshot_stays(moved):
    with Gallery.open(moved.path) as other, Gallery.open(moved.path, read_only=True) as reader:
        with reader.snapshot() as view:
            move(moved, SECOND)
            assert reader.reencoded
            assert other.reencoded
            assert list(view.table.spec) == list(FIRST.spec)
            assert view.ids([0]) == ["e0"]
        for call in (reader.snapshot, lambda: reader.get("e1"), lambda: len(reader)):
            with pytest.raises(GalleryReencoded, match=r"codes of encoder 'second' now, no more of 'first'.*open it"):
                call()
        for call in (lambda: add(other, FIRST, ["x"]), lambda: other.delete(["e1"]), other.compact):
            with pytest.raises(GalleryReencoded):
                call()
    assert_codes(moved.path, SECOND)


def test_a_gallery_that_takes_another_encoder_while_it_is_opened_is_opened_with_that(moved, monkeypatch):
    tidy, moves = GalleryWriter.tidy, []

    def after_a_move(writer):
        if not moves:
            moves.append("began")
            move(moved, SECOND)
        tidy(writer)

    monkeypatch.setattr(GalleryWriter, "tidy", after_a_move)
    with Gallery.open(moved.path) as other:
        assert other.encoder_name == "second"
        assert len(other) == 33


def test_searches_go_on_while_it_is_filled_and_see_one_version_or_the_other(moved):
    """Readers in threads open the gallery again and again: codes are never mixed, and no entry is ever missing."""
    stop, seen, wrong = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            try:
                with Gallery.open(moved.path, read_only=True) as gallery, gallery.snapshot() as view:
                    encoder = {"first": FIRST, "second": SECOND}[gallery.encoder_name]
                    live = np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask)
                    entries = view.entries(live)
                    codes = encoder.codes_of([(entry.id, entry.camera) for entry in entries])
                    if len(live) != 33 or any((view.table.rows(n, live) != rows).any() for n, rows in codes.items()):
                        wrong.append(gallery.encoder_name)
                    seen.add(gallery.encoder_name)
            except GalleryReencoded:
                continue  # between opening and looking
            except Exception as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not seen and not wrong:
        time.sleep(0.01)
    move(moved, SECOND, batch=3)
    while "second" not in seen and not wrong:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert seen == {"first", "second"}


def test_deleted_after_the_switch_an_entry_is_in_no_version(path, spec, fingerprint):
    rng = np.random.default_rng(3)
    entries, codes = make(rng, [f"entry-{i:04d}" for i in range(35)], spec)
    with Gallery.create(path, encoder_name="own", fingerprint=fingerprint, spec=spec, segment_size=10) as gallery:
        gallery.add(entries, codes, fingerprint=fingerprint)
        move(gallery, SECOND)
    with Gallery.open(path) as gallery:
        gone = [3, 17, 34]  # of two segments and the tail, as it was
        gallery.delete([entries[row].id for row in gone])
        assert [one.deleted for one in gallery.versions] == [3]
        assert traces(path, needles_of(entries, codes, gone))
        report = gallery.compact()
        assert (report.erased, report.remaining) == (6, ())
        new = SECOND.codes_of([(entries[row].id, "") for row in gone])["id160"]
        assert not traces(path, [*needles_of(entries, codes, gone), *(code.tobytes() for code in new)])
        assert [(one.entries, one.deleted) for one in gallery.versions] == [(32, 0)]
        assert gallery.verify().problems == []
        move(gallery, None)
    with Gallery.open(path) as gallery:
        assert len(gallery) == 32
        assert gallery.get(entries[5].id).codes["id96"].tobytes() == codes["id96"][5].tobytes()


def test_discarded_codes_leave_no_byte(path, spec, fingerprint):
    rng = np.random.default_rng(4)
    entries, codes = make(rng, [f"entry-{i:04d}" for i in range(25)], spec)
    with Gallery.create(path, encoder_name="own", fingerprint=fingerprint, spec=spec, segment_size=10) as gallery:
        gallery.add(entries, codes, fingerprint=fingerprint)
        move(gallery, SECOND)
    old = [code.tobytes() for code in codes["id96"]]
    with Gallery.open(path) as gallery:
        assert traces(path, old)
        assert gallery.discard_versions().remaining == ()
        gallery.compact()
    assert not traces(path, old)


def test_entries_without_codes_can_be_dropped_unless_they_are_held(moved):
    held = next(seq for seq in _pending(moved, SECOND) if _id_of(moved, seq) == "e7")
    other = next(seq for seq in _pending(moved, SECOND) if _id_of(moved, seq) == "e8")
    with moved.reencoding(SECOND) as work:
        todo = [seq for seq in work.pending().tolist() if seq not in {held, other}]
        encode(work, SECOND, work.waiting(todo))
        with pytest.raises(EntriesHeld):
            work.switch(lambda waiting: pytest.fail("nothing waits"), drop={held, other})
        assert "e8" in moved
        moved.release(["e7"])
        assert work.switch(lambda waiting: pytest.fail("nothing waits"), drop={held, other})
    assert_codes(moved.path, SECOND)
    with Gallery.open(moved.path) as gallery:
        assert not gallery.existing(["e7", "e8"])
        assert len(gallery) == 31


def _pending(gallery, encoder):
    with gallery.reencoding(encoder) as work:
        return work.pending().tolist()


def _id_of(gallery, seq):
    with gallery.reencoding(SECOND) as work:
        return work.waiting([seq])[0].entry.id


def test_one_at_a_time_and_no_third_encoder_before_the_second_is_done(moved):
    with moved.reencoding(SECOND) as work:
        encode(work, SECOND, work.waiting(work.pending()[:5].tolist()))
        with Gallery.open(moved.path) as other, pytest.raises(GalleryBusy, match="re-encoding"):
            other.reencoding(SECOND)
        with Gallery.open(moved.path, wait=0) as other, pytest.raises(GalleryBusy):
            other.discard_versions()
    with pytest.raises(UnfinishedReencoding, match="half encoded with 'second': finish that, or discard it"):
        moved.reencoding(THIRD)
    assert [(one.state, one.entries) for one in moved.versions] == [("filling", 5)]
    assert moved.discard_versions(["filling"]).encoders == ("second",)
    move(moved, THIRD)
    assert_codes(moved.path, THIRD)


def test_embeddings_are_kept_in_the_size_of_the_new_encoder(path):
    ids = IDS[:12]
    old, new = (Other(name, embedding=size) for name, size in (("old", 8), ("new", 6)))
    with Gallery.create(path, old, embedding="float16", segment_size=5) as gallery:
        entries = samples.entries_of(ids)
        gallery.add(
            entries,
            old.codes_of([(entry.id, entry.camera) for entry in entries]),
            embeddings=np.arange(12 * 8, dtype=np.float32).reshape(12, 8),
            fingerprint=old.fingerprint,
        )
        with pytest.raises(UsageError, match="keeps float embeddings, and encoder 'second' gives none"):
            gallery.reencoding(SECOND)
        vectors = np.arange(12 * 6, dtype=np.float32).reshape(12, 6)
        with gallery.reencoding(new) as work:
            waiting = work.waiting(work.pending().tolist())
            codes = new.codes_of([(one.entry.id, one.entry.camera) for one in waiting])
            with pytest.raises(UsageError, match="6 dimensions, got 8"):
                work.stage(waiting, {**codes, "embedding": np.zeros((12, 8), np.float32)})
            work.stage(waiting, {**codes, "embedding": vectors})
            assert work.switch(lambda waiting: None)
    with Gallery.open(path) as gallery:
        assert gallery.embedding == Embedding(6, "float16")
        np.testing.assert_array_equal(gallery.get(ids[3]).embedding, vectors[3].astype(np.float16))


STEPS = {
    "before the new version is begun": "swiftreid.gallery.sqlite.versions.new_version",
    "before its encoder is copied": "swiftreid.gallery.version_changes.copy_encoder",
    "before that is known": "swiftreid.gallery.sqlite.versions.set_encoder_digest",
    "before codes are registered": "swiftreid.gallery.sqlite.versions.exchange",
    "before segments are joined": "swiftreid.gallery.version_changes.rewrite",
    "before the switch": "swiftreid.gallery.sqlite.versions.switch",
    "in the switch": "swiftreid.gallery.sqlite.versions.insert_segment",
    "after the switch": "swiftreid.gallery.local_segments.LocalSegments.remove",
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step_it_goes_on(moved, monkeypatch, step):
    moved.close()
    child = os.fork()
    if child == 0:
        try:
            monkeypatch.setattr(STEPS[step], lambda *_, **__: os._exit(9))
            with Gallery.open(moved.path) as gallery:
                move(gallery, SECOND, batch=40 if step == "after the switch" else 4)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with Gallery.open(moved.path) as gallery:
        assert gallery.verify().problems == []
        assert gallery.encoder_name == ("second" if step == "after the switch" else "first")
        if gallery.encoder_name == "first":
            move(gallery, SECOND)
    assert_codes(moved.path, SECOND)
    with Gallery.open(moved.path) as gallery:
        assert {file.name for file in (moved.path / "segments").iterdir()} == {row.name for row in _segments(gallery)}
        move(gallery, None)
    assert_codes(moved.path, FIRST)


def test_what_was_filled_before_a_kill_is_not_encoded_again(moved):
    moved.close()
    child = os.fork()
    if child == 0:
        try:
            with Gallery.open(moved.path) as gallery:
                move(gallery, SECOND, batch=5, between=lambda step: os._exit(9) if step == 3 else None)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with Gallery.open(moved.path) as gallery, gallery.reencoding(SECOND) as work:
        assert len(work.pending()) == 33 - 4 * 5


def test_damage_to_kept_codes_is_found(moved):
    move(moved, SECOND)
    with Gallery.open(moved.path) as gallery:
        row = next(row for row in _segments(gallery) if row.encoder == FIRST.fingerprint)
        file = moved.path / "segments" / row.name
        whole = file.read_bytes()
        file.write_bytes(whole[:-70] + bytes([whole[-70] ^ 1]) + whole[-69:])
        assert any(f"segment {row.name}: column" in problem for problem in gallery.verify().problems)
        with pytest.raises(GalleryDamaged, match="does not match its checksum"):
            move(gallery, None)
        file.unlink()
        assert f"segment file {row.name} is missing" in gallery.verify().problems
        (moved.path / "encoder.safetensors").write_bytes(b"others")
        assert "encoder.safetensors does not match its checksum" in gallery.verify().problems
        with pytest.raises(GalleryDamaged, match=r"encoder\.safetensors does not match its checksum"):
            _ = gallery.encoder_file_before
        gallery.discard_versions()  # which mends it: searches never needed these
        assert gallery.verify().problems == []
    assert_codes(moved.path, SECOND)


def test_a_gallery_of_format_2_takes_another_encoder(moved):
    moved.close()
    db = apsw.Connection(str(moved.path / DATABASE))
    db.execute("DROP TABLE version_segment; DROP TABLE version; PRAGMA user_version = 2")
    db.execute("DELETE FROM state WHERE key IN ('codes_version', 'next_version')")
    db.close()
    before = contents(moved.path)
    with Gallery.open(moved.path) as gallery:
        assert gallery.info().format == 3
        move(gallery, SECOND)
    assert contents(moved.path) == before
    assert_codes(moved.path, SECOND)


def test_an_empty_gallery_moves_too(path):
    with Gallery.create(path, FIRST) as gallery:
        move(gallery, SECOND)
    assert_codes(path, SECOND)


def test_a_copy_of_the_folder_is_whole(moved, tmp_path):
    with moved.reencoding(SECOND) as work:
        encode(work, SECOND, work.waiting(work.pending()[:9].tolist()))
    moved.close()
    shutil.copytree(moved.path, tmp_path / "copy")
    with Gallery.open(tmp_path / "copy") as gallery:
        move(gallery, SECOND)
    assert_codes(tmp_path / "copy", SECOND)


READER = """
import sys
from swiftreid.gallery import Gallery
with Gallery.open(sys.argv[1], read_only=True) as gallery, gallery.snapshot() as view:
    print(view.live, flush=True)
    sys.stdin.readline()
"""


def test_a_reader_in_another_process_delays_discarding_and_is_named(moved):
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(moved.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout.readline() == "33\n"
    move(moved, SECOND)
    with Gallery.open(moved.path) as gallery:
        gone = gallery.discard_versions(timeout=0.1)
        assert any("a process still maps it" in sentence for sentence in gone.remaining)
        reader.communicate("\n")
        assert gallery.compact().remaining == ()


def test_an_entry_that_is_deleted_before_its_codes_are_written_is_not_on_the_disk(moved):
    with moved.reencoding(SECOND) as work:
        waiting = work.waiting(work.pending().tolist())
        encode(work, SECOND, waiting)  # in memory, still
        moved.delete(["e1", "e20", "e33"])
        assert moved.compact().remaining == ()
        work.flush()
        codes = SECOND.codes_of([("e1", ""), ("e20", ""), ("e33", "")])["id160"]
        assert not traces(moved.path, [code.tobytes() for code in codes])
        assert traces(moved.path, [SECOND.codes_of([("e2", "")])["id160"].tobytes()])
        assert work.switch(lambda waiting: pytest.fail("nothing waits"))
    assert_codes(moved.path, SECOND)


@pytest.mark.parametrize("umask", [0o000, 0o277])
def test_the_lock_of_a_shared_gallery_can_be_taken_by_whoever_shares_it(moved, umask):
    for file in moved.path.rglob("*"):
        file.chmod(0o770 if file.is_dir() else 0o660)
    before = os.umask(umask)
    try:
        move(moved, SECOND)
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in moved.path.rglob("*") if file.is_file()}
    assert set(modes.values()) == {0o660}, modes
    assert "reencoding.lock" in modes
