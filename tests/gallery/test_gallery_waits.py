"""Readers go on while a writer of the same process stands in the middle of its work: by barriers, not by the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gallery_samples as samples
import pytest

from swiftreid.gallery import Gallery
from swiftreid.search.cascade import Cascade

LONG = 1200  # seconds that nobody needs unless something waits
IDS = [f"e{i}" for i in range(25)]


class Barrier:
    """Stops whoever comes by once, until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def around(self, function: Callable) -> Callable:
        def stopped(*arguments, **named):
            self.reached.set()
            assert self.opened.wait(LONG)
            return function(*arguments, **named)

        return stopped


@contextmanager
def standing(barrier: Barrier, work: Callable[[], object]) -> Iterator[None]:
    """``work`` runs in a thread of its own and stands at the barrier inside the block."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
            barrier.reached.set()

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        assert barrier.reached.wait(LONG)
        assert thread.is_alive(), failures
        yield
        assert thread.is_alive(), "the writer went on: the barrier proves nothing"
    finally:
        barrier.opened.set()
        thread.join(LONG)
    assert not thread.is_alive()
    assert failures == []


def in_time(work: Callable[[], object]) -> object:
    """What ``work`` returns in a thread; an error if it waits for the writer that stands still."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(LONG)
    assert found, "the reader waits for the writer, or failed"
    return found[0]


def read_everything(gallery: Gallery) -> tuple[list[str], str, int, int]:
    with gallery.snapshot(not_cameras=["nowhere"]) as view:
        result = Cascade.parse("id96").search(view.table, samples.codes_of(["e3"]), k=3, mask=view.mask)
        ids = view.ids(result.indices[0, : result.counts[0]])
        view.thumbnail(int(result.indices[0, 0]))
    listed = len(gallery.list(limit=5)) + len(gallery.existing(["e3"])) + len(gallery.cameras())
    return ids, gallery.get("e13").entry.id, gallery.info().entries, listed


WRITES = {
    "in the transaction of an addition": (
        "swiftreid.gallery.sqlite.appending.put_chunk",
        lambda gallery: samples.add(gallery, ["new"]),
    ),
    "while a segment is written": (
        "swiftreid.gallery.sealing.write_segment",
        lambda gallery: samples.add(gallery, [f"n{i}" for i in range(9)]),
    ),
    "before a segment is registered": (
        "swiftreid.gallery.sqlite.registration.insert_segment",
        lambda gallery: samples.add(gallery, [f"n{i}" for i in range(9)]),
    ),
    "in the transaction of a deletion": (
        "swiftreid.gallery.sqlite.deletion.forget_labels",
        lambda gallery: gallery.delete(["e7"]),
    ),
    "while a compaction writes": (
        "swiftreid.gallery.compaction.write_segment",
        lambda gallery: gallery.compact(),
    ),
    "in the transaction of a compaction": (
        "swiftreid.gallery.sqlite.registration.insert_segment",
        lambda gallery: gallery.compact(),
    ),
    "before old segments are removed": (
        "swiftreid.gallery.local_segments.RemovedFiles.remove",
        lambda gallery: gallery.compact(),
    ),
    "before the database is rewritten": (
        "swiftreid.gallery.sqlite.catalogue.SqliteCatalogue.erase",
        lambda gallery: gallery.compact(),
    ),
    "in a verification": (
        "swiftreid.gallery.verify._check_contents",
        lambda gallery: gallery.verify(),
    ),
    "in an update": (
        "swiftreid.gallery.sqlite.changing.index_labels",
        lambda gallery: gallery.update("e2", person="p"),
    ),
}


@pytest.mark.parametrize("when", WRITES)
def test_readers_go_on_beside_a_writer(gallery, add, monkeypatch, when):
    place, work = WRITES[when]
    add(gallery, IDS)
    gallery.delete(["e5"])
    before = read_everything(gallery)
    module, _, name = place.rpartition(".")
    owner = _resolve(module)
    barrier = Barrier()
    monkeypatch.setattr(owner, name, barrier.around(getattr(owner, name)))
    with standing(barrier, lambda: work(gallery)):
        # What is committed shows at once (an addition before it is sealed), the rest not at all.
        during = in_time(lambda: read_everything(gallery))
        assert during[1] == "e13"
        assert during[0][0] == before[0][0] == "e3"
        assert during[2] in {24, 33}
    monkeypatch.undo()
    assert gallery.verify().problems == []


def _resolve(name: str) -> object:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


def test_a_gallery_that_only_reads_goes_on_beside_its_own_verification(gallery, add, monkeypatch):
    add(gallery, IDS)
    with Gallery.open(gallery.path, read_only=True) as reader:
        barrier = Barrier()
        from swiftreid.gallery import verify

        monkeypatch.setattr(verify, "_check_contents", barrier.around(verify._check_contents))
        with standing(barrier, reader.verify):
            assert in_time(lambda: read_everything(reader))
            assert in_time(lambda: add(gallery, ["new"])) == 1  # and so does a writer


def test_a_write_shows_in_snapshots_that_ask_for_its_token(gallery, add):
    tokens = [add(gallery, IDS[:3]).token, gallery.delete(["e1"]).token, gallery.update("e2", person="p").token]
    assert tokens == sorted(set(tokens))
    with Gallery.open(gallery.path, read_only=True) as reader, reader.snapshot(after_token=tokens[-1]) as view:
        assert view.token >= tokens[-1]
        assert view.live == 2
    with pytest.raises(ValueError, match=r"has \d+ writes, so there is no write 1000"):
        gallery.snapshot(after_token=1000)
    add(gallery, IDS[5:])
    gallery.compact()
    with gallery.snapshot(after_token=tokens[-1]) as view:
        assert view.token > tokens[-1]
