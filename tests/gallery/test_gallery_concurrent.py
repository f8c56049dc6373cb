"""Searches while others add, delete and compact: each answers for one state of the gallery, whole and right."""

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

from swiftreid.gallery import Gallery, Snapshot
from swiftreid.search.cascade import Cascade

WRITER = Path(__file__).with_name("gallery_writer.py")
LIMIT, K = 15, 6
CASCADE = Cascade.parse(f"id32<={LIMIT} > id96")
EXHAUSTIVE = Cascade.parse("id96")


def live_ids(view: Snapshot) -> list[str]:
    return view.ids(np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask))


def bits_apart(name: str, ids: list[str], asked: str) -> np.ndarray:
    return np.unpackbits(samples.codes_of(ids)[name] ^ samples.codes_of([asked])[name], axis=1).sum(1, dtype=int)


def check_search(view: Snapshot, ids: list[str], asked: str, threads: int) -> None:
    """Both searches against a plain one over the codes that belong to these ids."""
    query = samples.codes_of([asked])
    far = bits_apart("id96", ids, asked)
    for cascade, kept in (
        (EXHAUSTIVE, range(len(ids))),
        (CASCADE, np.flatnonzero(bits_apart("id32", ids, asked) <= LIMIT)),
    ):
        best = sorted(kept, key=lambda i: (far[i], i))[:K]
        result = cascade.search(view.table, query, k=K, mask=view.mask, min_candidates=0, threads=threads)
        found = result.indices[0, : result.counts[0]]
        assert view.ids(found) == [ids[i] for i in best], str(cascade)
        assert result.distances[0, : len(found)].tolist() == far[best].tolist(), str(cascade)


class Writer:
    """Adds, deletes and compacts; its states are numbered, and known before the gallery can be in them."""

    def __init__(self, gallery: Gallery, steps: int, seen: list[list[int]]) -> None:
        self.gallery, self.steps, self.seen = gallery, steps, seen
        self.states: list[tuple[str, ...]] = [()]
        self.acknowledged = 0
        self.done = threading.Event()

    def run(self) -> None:
        rng = np.random.default_rng(3)
        try:
            for step in range(self.steps):
                now = self.states[-1]
                if step % 3 == 2:
                    gone = set(rng.choice(now, min(len(now), 5), replace=False).tolist())
                    self.states.append(tuple(id_ for id_ in now if id_ not in gone))
                    self.gallery.delete(gone)
                elif step % 7 == 6:
                    self.gallery.compact()
                else:
                    batch = [f"{step}-{i}" for i in range(int(rng.integers(1, 12)))]
                    self.states.append((*now, *batch))
                    samples.add(self.gallery, batch)
                self.acknowledged = len(self.states) - 1
                time.sleep(0.005)  # let others at the gallery, which threads share one at a time
                while not self.done.is_set() and min(len(set(states)) for states in self.seen) < step // 12:
                    time.sleep(0.005)  # until every one of them has seen some of the states so far
        finally:
            self.done.set()


def look(gallery: Gallery, writer: Writer, seen: list[int], rng: np.random.Generator) -> None:
    """One snapshot: which state it shows, and whether it still does once the gallery has gone on."""
    least = writer.acknowledged
    with gallery.snapshot() as view:
        most = len(writer.states) - 1
        for _ in range(2):
            ids = live_ids(view)
            states = [n for n in range(least, most + 1) if writer.states[n] == tuple(ids)]
            assert states, f"{len(ids)} entries are none of the states {least} to {most}"
            check_search(view, ids, str(rng.integers(99)), threads=int(rng.integers(1, 3)))
            deadline = time.monotonic() + 0.2
            while writer.acknowledged < most + 3 and not writer.done.is_set() and time.monotonic() < deadline:
                time.sleep(0.002)
        with gallery.snapshot(not_cameras=["c1"]) as other:
            assert all(entry.camera != "c1" for entry in samples.entries_of(live_ids(other)))
            check_search(other, live_ids(other), str(rng.integers(99)), threads=1)
    seen.append(states[0])


def test_threads_that_search_see_whole_states(path, create) -> None:
    failures: list[BaseException] = []
    seen: dict[str, list[int]] = {"shared": [], "shared too": [], "own": []}
    with create(path, segment_size=16) as gallery, Gallery.open(path, read_only=True) as own:
        writer = Writer(gallery, 60, list(seen.values()))

        def guard(work, *arguments) -> None:
            try:
                work(*arguments)
            except BaseException as error:
                failures.append(error)
                writer.done.set()

        def search(name: str) -> None:
            rng = np.random.default_rng(len(name))
            while not writer.done.is_set():
                look(own if name == "own" else gallery, writer, seen[name], rng)

        threads = [threading.Thread(target=guard, args=(search, name)) for name in seen]
        threads.append(threading.Thread(target=guard, args=(writer.run,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        for states in seen.values():
            assert states == sorted(states)  # nobody goes back in time
            assert len(set(states)) > 3
        assert gallery.verify().problems == []
        with gallery.snapshot() as view:
            assert tuple(live_ids(view)) == writer.states[-1]


def test_a_process_that_searches_sees_whole_states(path, create) -> None:
    create(path, segment_size=16).close()
    command = [sys.executable, str(WRITER), str(path), "w", "all"]
    lines: list[str] = []
    seen: list[tuple[str, ...]] = []
    rng = np.random.default_rng(5)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: lines.extend(process.stdout))
        reader.start()
        try:
            with Gallery.open(path, read_only=True) as gallery:
                while len(seen) < 24 and process.poll() is None:
                    with gallery.snapshot() as view:
                        ids = live_ids(view)
                        check_search(view, ids, f"w-{rng.integers(9)}-0", threads=1 + len(seen) % 2)
                    if ids and (not seen or seen[-1] != tuple(ids)):
                        seen.append(tuple(ids))
        finally:
            os.kill(process.pid, signal.SIGKILL)
            reader.join()
    states: list[tuple[str, ...]] = [()]
    for word, *ids in (line.split() for line in lines if line.endswith("\n")):
        if word == "adding":
            states.append((*states[-1], *ids))
        elif word == "deleting":
            states.append(tuple(id_ for id_ in states[-1] if id_ not in ids))
    numbers = [states.index(state) for state in seen]  # fails where a snapshot is none of them
    assert numbers == sorted(numbers)
    assert len(numbers) >= 10
