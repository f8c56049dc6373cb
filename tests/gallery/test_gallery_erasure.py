"""Deleted means gone: the raw bytes are looked for in every file of the gallery."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from swiftreid.gallery import Entry, Gallery


def traces(path, needles):
    """Which of these byte strings are in a file of the gallery: short ones whole, long ones by any of their pieces."""
    found = []
    for file in path.rglob("*"):
        data = file.read_bytes() if file.is_file() else b""
        for needle in needles:
            pieces = [needle] if len(needle) < 64 else [needle[at : at + 16] for at in range(0, len(needle) - 16, 100)]
            found += [(file.name, needle[:8], at) for at, piece in enumerate(pieces) if piece in data]
    return found


def make(rng, ids, spec, size=(20, 9000)):
    entries = [
        Entry(i, f"c{n % 3}", float(n), f"person-{i}-secret", f"source-{i}-secret", {"l": f"label-{i}-secret"}, b"")
        for n, i in enumerate(ids)
    ]
    entries = [Entry(**(vars(e) | {"thumbnail": rng.bytes(int(rng.integers(*size)))})) for e in entries]
    codes = {name: rng.integers(0, 256, (len(ids), width), np.uint8) for name, width in spec.row_bytes.items()}
    return entries, codes


def needles_of(entries, codes, rows):
    data = []
    for row in rows:
        entry = entries[row]
        data += [entry.thumbnail, entry.person.encode(), entry.source.encode(), f"label-{entry.id}-secret".encode()]
        data += [f"{entry.id}-secret".encode(), codes["id96"][row].tobytes()]
    return data


def test_deleted_and_compacted_entries_leave_no_byte(gallery, spec, fingerprint):
    rng = np.random.default_rng(3)
    entries, codes = make(rng, [f"entry-{i:04d}" for i in range(57)], spec)
    for start in range(0, 57, 7):
        part = slice(start, start + 7)
        gallery.add(entries[part], {n: c[part] for n, c in codes.items()}, fingerprint=fingerprint)
    gone = sorted([*rng.choice(57, 23, replace=False).tolist(), 56])
    assert traces(gallery.path, needles_of(entries, codes, gone))  # the search can find something
    gallery.delete([entries[row].id for row in gone])
    unsealed = [row for row in gone if row >= 50]
    assert not traces(gallery.path, [codes["id96"][row].tobytes() for row in unsealed])
    report = gallery.compact()
    assert not report.waiting_for_readers
    assert not traces(gallery.path, needles_of(entries, codes, gone))
    assert gallery.verify().ok
    kept = [row for row in range(57) if row not in gone]
    for row in kept:
        assert gallery.get(entries[row].id).entry == entries[row]
        assert np.array_equal(gallery.get(entries[row].id).codes["id96"], codes["id96"][row])


@pytest.mark.parametrize("seed", range(6))
def test_deletion_alone_erases_thumbnails_and_compaction_all(gallery, spec, fingerprint, seed):
    """Random additions and deletions move rows between pages; stale copies must not stay behind."""
    rng = np.random.default_rng(seed)
    alive, gone = {}, []
    for step in range(25):
        ids = [f"entry-{step:02d}-{i}-{rng.integers(1 << 30)}" for i in range(rng.integers(1, 12))]
        entries, codes = make(rng, ids, spec, size=(20, 5000))
        gallery.add(entries, codes, fingerprint=fingerprint)
        alive |= {entry.id: entry for entry in entries}
        chosen = rng.choice(sorted(alive), rng.integers(0, len(alive) // 2 + 1), replace=False).tolist()
        gallery.delete(chosen)
        gone += [alive.pop(id_) for id_ in chosen]
    assert not traces(gallery.path, [entry.thumbnail for entry in gone])
    gallery.compact()
    texts = [text.encode() for e in gone for text in (e.id, e.person, e.source, e.labels["l"])]
    assert not traces(gallery.path, texts)


def test_a_reader_that_still_looks_delays_erasure_and_is_reported(gallery, spec, fingerprint):
    rng = np.random.default_rng(4)
    entries, codes = make(rng, [f"entry-{i:04d}" for i in range(25)], spec)
    gallery.add(entries, codes, fingerprint=fingerprint)
    view = gallery.snapshot()
    gallery.delete([entries[3].id, entries[24].id])
    assert gallery.compact().waiting_for_readers
    assert view.thumbnail(3) == entries[3].thumbnail
    assert np.array_equal(view.table.rows("id96", np.array([3, 24])), codes["id96"][[3, 24]])
    view.close()
    assert not gallery.compact().waiting_for_readers
    assert not traces(gallery.path, needles_of(entries, codes, [3, 24]))


def test_opening_for_writing_finishes_an_erasure_that_was_delayed(gallery, spec, fingerprint):
    rng = np.random.default_rng(5)
    entries, codes = make(rng, [f"entry-{i:04d}" for i in range(5)], spec)
    gallery.add(entries, codes, fingerprint=fingerprint)
    with gallery.snapshot():
        gallery.delete([entries[3].id])
    with Gallery.open(gallery.path):
        assert not traces(gallery.path, [entries[3].thumbnail, codes["id96"][3].tobytes()])


def test_compaction_gives_back_the_space_of_what_was_deleted(gallery, spec, fingerprint):
    entries, codes = make(np.random.default_rng(6), [f"entry-{i:04d}" for i in range(60)], spec, size=(6000, 9000))
    gallery.add(entries, codes, fingerprint=fingerprint)
    gallery.delete([entry.id for entry in entries[:50]])
    before = gallery.info().bytes_on_disk
    gallery.compact()
    assert before - gallery.info().bytes_on_disk > 50 * 5000


def test_a_reader_in_another_process_is_waited_for_and_what_is_left_is_named(gallery, spec, fingerprint):
    """As long as it looks, deleted bytes are on the disk, and the report says so; the bytes are looked for."""
    rng = np.random.default_rng(7)
    entries, codes = make(rng, [f"entry-{i:04d}" for i in range(25)], spec)
    gallery.add(entries, codes, fingerprint=fingerprint)
    code = (
        "import sys; from swiftreid.gallery import Gallery\n"
        "with Gallery.open(sys.argv[1], read_only=True) as g, g.snapshot() as view:\n"
        "    print('looking', flush=True); sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(gallery.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        try:
            assert reader.stdout.readline() == "looking\n"
            gallery.delete([entries[3].id, entries[24].id])
            report = gallery.compact(timeout=0.2)
            assert report.waiting_for_readers
            assert traces(gallery.path, needles_of(entries, codes, [3, 24]))
            log, segment = report.remaining
            assert "gallery.db and gallery.db-wal hold metadata and thumbnails" in log
            assert segment.startswith("segments/")
            assert "a process still maps it" in segment
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(gallery.compact, timeout=300)
                with Gallery.open(gallery.path, wait=60) as other:  # others may write meanwhile
                    other.add([Entry("new", "c1")], {n: c[:1] for n, c in codes.items()}, fingerprint=fingerprint)
                reader.stdin.write("enough\n")
                reader.stdin.flush()
                assert waiting.result().remaining == ()
        finally:
            reader.kill()
    assert not traces(gallery.path, needles_of(entries, codes, [3, 24]))
    assert gallery.existing(["new"]) == {"new"}


def test_a_snapshot_of_the_same_process_counts_as_a_reader(gallery, spec, fingerprint):
    entries, codes = make(np.random.default_rng(8), [f"entry-{i:04d}" for i in range(25)], spec)
    gallery.add(entries, codes, fingerprint=fingerprint)
    with gallery.snapshot():
        gallery.delete([entries[3].id])
        assert len(gallery.compact(timeout=0.1).remaining) == 2
    assert gallery.compact().remaining == ()
    assert not traces(gallery.path, needles_of(entries, codes, [3]))
