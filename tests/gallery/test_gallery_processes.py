"""Several processes at one gallery, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.gallery import Gallery, GalleryBusy
from swiftreid.gallery.locking import writer_lock

WRITER = Path(__file__).with_name("gallery_writer.py")


def start(path, prefix, mode):
    command = [sys.executable, str(WRITER), str(path), prefix, mode]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    return process


def kill_after(process, seconds=0.0, added=0):
    """Kill the writer without warning, some time after it has added so many batches; its lines as lists of words."""
    lines = []
    while sum(line.startswith("added ") for line in lines) < added:
        lines.append(process.stdout.readline())
        assert lines[-1], "the writer has ended"
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))
    reader.start()
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    reader.join()
    return [line.split() for line in lines if line.endswith("\n")]


def check(path, lines, before):
    """Everything acknowledged is there, whole and right; of the operation cut short, all or nothing."""
    there = set(before)
    open_operation = None
    for word, *ids in lines:
        if word == "added":
            there |= set(ids)
        elif word == "deleted":
            there -= set(ids)
        open_operation = (word, set(ids)) if word in {"adding", "deleting"} else None
    with Gallery.open(path) as gallery:
        report = gallery.verify()
        assert (report.problems, report.notes) == ([], [])
        with gallery.snapshot() as view:
            positions = np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask)
            found = view.ids(positions)
            allowed = [there]
            if open_operation:
                word, ids = open_operation
                allowed.append(there | ids if word == "adding" else there - ids)
            assert set(found) in allowed
            assert len(found) == len(set(found))
            expected = samples.codes_of(found)
            for name in gallery.spec:
                assert np.array_equal(view.table.rows(name, positions), expected[name])
            wanted = samples.entries_of(found)
            assert [view.thumbnail(p) for p in positions] == [entry.thumbnail for entry in wanted]
            assert [entry.time for entry in view.entries(positions)] == [entry.time for entry in wanted]
    return set(found)


def kill_again_and_again(path, times, rng):
    there, acknowledged = set(), 0
    for attempt in range(times):
        process = start(path, f"w{attempt}", "all" if attempt % 2 else "add")
        # Some time after so many batches: by time alone, a busy machine would kill each before its first.
        lines = kill_after(process, float(rng.uniform(0.0, 0.5)), added=attempt // 2 % 4)
        acknowledged += sum(word == "added" for word, *_ in lines)
        there = check(path, lines, there)
    assert acknowledged > times  # the writers got somewhere before they were killed
    return there


def test_killed_writers_lose_nothing_acknowledged(path, create):
    create(path, segment_size=16).close()
    kill_again_and_again(path, 8, np.random.default_rng(1))


@pytest.mark.slow
def test_fifty_killed_writers_lose_nothing_acknowledged(path, create):
    create(path, segment_size=16).close()
    kill_again_and_again(path, 50, np.random.default_rng(2))


@pytest.mark.parametrize("step", ["write", "rename", "register"])
@pytest.mark.parametrize("operation", ["seal", "compact"])
def test_killed_at_each_step_of_sealing_and_compacting(path, create, add, monkeypatch, step, operation):
    """A child process dies exactly before one step; nothing is lost and nothing stays behind."""
    ids = [f"e{i}" for i in range(10)]
    with create(path) as gallery:
        add(gallery, ids[:9] if operation == "seal" else ids)
        if operation == "compact":
            gallery.delete(["e4"])
    child = os.fork()
    if child == 0:
        try:
            with Gallery.open(path) as gallery:
                die = lambda *_, **__: os._exit(9)  # noqa: E731
                if step == "write":
                    monkeypatch.setattr("swiftreid.durable.flush", die)
                elif step == "rename":
                    monkeypatch.setattr("pathlib.Path.rename", die)
                else:
                    monkeypatch.setattr("swiftreid.gallery.sqlite.registration.register", die)
                add(gallery, ids[9:]) if operation == "seal" else gallery.compact()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert len(list((path / "segments").iterdir())) == (1 if operation == "seal" else 2)
    there = set(ids) - (set() if operation == "seal" else {"e4"})
    assert check(path, [], there) == there
    with Gallery.open(path) as gallery:
        add(gallery, ["f1"])
        assert gallery.info().segments == 1  # the sealing cut short is made up for
        gallery.compact()
    assert check(path, [], there | {"f1"}) == there | {"f1"}


def test_two_writers_take_turns(path, create):
    create(path, segment_size=16).close()
    writers = [start(path, prefix, "add") for prefix in ("a", "b")]
    lines = []
    for writer in writers:
        lines += kill_after(writer, added=3)
    added = [ids[0][0] for word, *ids in lines if word == "added"]
    assert {"a", "b"} <= set(added)
    there = {id_ for word, *ids in lines if word == "added" for id_ in ids}
    with Gallery.open(path) as gallery:
        assert gallery.verify().problems == []
        assert gallery.existing(there) == there


def test_a_writer_that_waits_too_long_says_for_whom(path, create, add):
    create(path).close()
    code = (
        "import sys; from pathlib import Path; from swiftreid.gallery.locking import writer_lock\n"
        "with writer_lock(Path(sys.argv[1]), 'compacting', 1): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        try:
            with Gallery.open(path, wait=0.1) as gallery:
                assert gallery.info().entries == 0  # readers never wait
                with pytest.raises(GalleryBusy, match=rf"process {holder.pid}, compacting.*adding was not done.*wait"):
                    add(gallery, ["a"])
        finally:
            holder.kill()
    with Gallery.open(path, wait=0.1) as gallery:  # the lock of a dead process is gone
        assert add(gallery, ["a"]) == 1


def test_a_waiting_writer_goes_on_when_the_other_has_finished(gallery, add):
    def hold():
        with writer_lock(gallery.path, "compacting", 1):
            held.set()
            time.sleep(0.3)

    held = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert add(gallery, ["a"]) == 1
    thread.join()


def test_readers_see_whole_batches_while_others_write(path, create):
    """Every snapshot holds a prefix of what the writer acknowledged, batch by batch, with the right codes."""
    create(path, segment_size=16).close()
    process = start(path, "w", "all")
    looks, sizes = 0, set()
    with Gallery.open(path, read_only=True) as reader:
        while looks < 20 or len(sizes) < 5:
            assert process.poll() is None
            with reader.snapshot() as view:
                positions = np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask)
                ids = view.ids(positions)
                sizes.add(len(ids))
                expected = samples.codes_of(ids)
                for name in reader.spec:
                    assert np.array_equal(view.table.rows(name, positions), expected[name])
            looks += 1
            assert reader.verify().problems == []
    lines = kill_after(process, added=11)
    check(path, lines, set())


def test_threads_may_share_a_gallery(gallery):
    failures = []

    def work(name):
        try:
            for step in range(10):
                samples.add(gallery, [f"{name}-{step}-{i}" for i in range(3)])
                with gallery.snapshot() as view:
                    view.entries(range(len(view)))
                gallery.get(f"{name}-{step}-1")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert gallery.info().entries == 120
    assert gallery.verify().problems == []
