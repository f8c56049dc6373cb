"""The catalogue's compare-and-swap, and a gallery whose segments are no files: what works over the interfaces."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterable
from typing import BinaryIO

import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.gallery import Gallery, GalleryDamaged, Written
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.reader import GalleryReader
from swiftreid.gallery.sealing import seal
from swiftreid.gallery.segment_store import StoredSegment
from swiftreid.gallery.segments import write_segment
from swiftreid.gallery.tail import read_tail
from swiftreid.gallery.view import Cache
from swiftreid.gallery.writer import GalleryWriter

IDS = [f"e{i}" for i in range(34)]


class NothingMapped:
    def still_mapped(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


class MemorySegments:
    """As a bucket would keep them: no folder, no locks; the state is the content's number."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, str]] = {}
        self.puts = 0

    def put(self, name: str, write: Callable[[BinaryIO], object]) -> str:
        file = io.BytesIO()
        write(file)
        self.puts += 1
        self.kept[name] = file.getvalue(), str(self.puts)
        return str(self.puts)

    def map(self, name: str) -> StoredSegment:
        if name not in self.kept:
            raise FileNotFoundError(2, "no such segment", name)
        data, state = self.kept[name]
        return StoredSegment(memoryview(data), state)

    def remove(self, names: Iterable[str], removed: object = None) -> NothingMapped:
        for name in names:
            self.kept.pop(name, None)
        return NothingMapped()

    def names(self) -> list[str]:
        return sorted(self.kept)

    def describe(self, name: str) -> str:
        return f"memory/{name}"


def test_everything_works_over_another_segment_store(gallery):
    store, catalogue = MemorySegments(), gallery._catalogue
    cache = Cache(store, gallery.path, catalogue.meta.layout)
    writer = GalleryWriter(catalogue, store, gallery.path, cache, wait=5)
    reader = GalleryReader(catalogue, store, gallery.path, cache)
    writer.add(samples.entries_of(IDS), samples.codes_of(IDS), replacing=False, statistics=0)
    assert len(store.names()) == 3
    assert list((gallery.path / "segments").iterdir()) == []
    writer.delete(["e3", "e21", "e33"])
    writer.update({id_: {"camera": "hall"} for id_ in ("e4", "e31")})
    assert writer.compact(0).remaining == ()
    assert reader.verify()[0].problems == []
    left = [id_ for id_ in IDS if id_ not in {"e3", "e21", "e33"}]
    with reader.snapshot(Filters(), None, 0) as view:
        assert view.ids(np.arange(len(view))) == left
        for name, expected in samples.codes_of(left).items():
            assert np.array_equal(view.table.rows(name, np.arange(len(view))), expected)
        codes = view.table.column("id96")[0].tobytes()
    (name,) = (name for name, (data, _) in store.kept.items() if codes in data)
    data, state = store.kept[name]
    place = data.index(codes)
    store.kept[name] = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], state + " changed"

    def look_afresh() -> None:
        GalleryReader(catalogue, store, gallery.path, Cache(store, gallery.path, catalogue.meta.layout)).snapshot(
            Filters(), None, 0
        )

    with pytest.raises(GalleryDamaged, match=rf"{name} does not match its checksum \(id96\)"):
        look_afresh()
    del store.kept[name]
    with pytest.raises(GalleryDamaged, match=f"segment file {name} is missing"):
        look_afresh()


@pytest.fixture
def parts(gallery, add):
    """The catalogue of a gallery with two segments and a tail, with what was read of it."""
    add(gallery, IDS[:25])
    view = gallery._catalogue.view("looking")
    rows, tail = view.segments(), read_tail(view, gallery.path, gallery._meta.layout)
    view.close()
    return gallery, gallery._catalogue, rows, tail


def state_of(gallery: Gallery):
    view = gallery._catalogue.view("looking")
    try:
        return view.token, view.segments(), view.chunks(), view.tail_rows()
    finally:
        view.close()


def new_segment(gallery, columns):
    return write_segment(gallery._reader._store, gallery._meta.layout, columns, encoder="f", statistics=0)


def test_a_segment_is_registered_only_if_the_tail_is_as_it_was(parts):
    gallery, catalogue, _, tail = parts
    segment = new_segment(gallery, tail.columns)
    gallery.delete(["e22"])
    before = state_of(gallery)
    with catalogue.lock("sealing", 0):
        assert not catalogue.register(segment, tail.columns, tail=tail.chunks)
    assert state_of(gallery) == before
    gallery.update("e23", time=5.0)  # the same rows, another time
    view = catalogue.view("looking")
    tail = read_tail(view, gallery.path, gallery._meta.layout)
    view.close()
    gallery.update("e23", time=6.0)
    with catalogue.lock("sealing", 0):
        assert not catalogue.register(new_segment(gallery, tail.columns), tail.columns, tail=tail.chunks)


def test_segments_are_replaced_only_if_they_are_as_they_were(parts):
    gallery, catalogue, rows, _ = parts
    file = gallery._cache.file(rows[0])
    filters = None
    view = catalogue.view("looking")
    filters = gallery._cache.filters(view, rows[0])
    view.close()
    from swiftreid.gallery.columns import Columns

    columns = Columns(file.seqs, filters.cameras, filters.times, file.codes)
    segment = new_segment(gallery, columns)
    for change in (lambda: gallery.delete(["e3"]), lambda: gallery.update("e4", camera="hall")):
        view = catalogue.view("looking")
        known = view.segments()[:1]
        view.close()
        change()
        before = state_of(gallery)
        with catalogue.lock("compacting", 0):
            assert not catalogue.register(segment, columns, replaces=known)
        assert state_of(gallery) == before
    gallery.compact()
    with catalogue.lock("compacting", 0):
        assert not catalogue.register(segment, columns, replaces=known)  # it is gone
    gallery._writer.tidy()
    assert gallery.verify().problems == []


def test_sealing_begins_again_when_the_tail_was_changed_meanwhile(path, create, add, monkeypatch):
    from swiftreid.gallery import sealing

    gallery = create(path, segment_size=100)
    add(gallery, IDS)
    real, changes = sealing.write_segment, iter(["e5", "e7"])

    def disturbed(*arguments, **named):
        made = real(*arguments, **named)
        for id_ in [next(changes, None)]:
            if id_ is not None:
                gallery._catalogue.delete([id_], gallery._writer._places)
        return made

    monkeypatch.setattr(sealing, "write_segment", disturbed)
    monkeypatch.setattr(type(gallery._catalogue.meta), "segment_size", 20, raising=False)
    object.__setattr__(gallery._catalogue.meta, "segment_size", 20)
    with gallery._catalogue.lock("sealing", 0):
        assert seal(gallery._catalogue, gallery._reader._store, gallery.path) == 1
    gallery._writer.tidy()  # files of the attempts that lost
    assert [one.id for one in gallery] == [id_ for id_ in IDS if id_ not in {"e5", "e7"}]
    assert gallery.verify().problems == []
    gallery.close()


def test_written_is_a_number_that_travels(gallery, add):
    written = add(gallery, IDS[:3])
    again = pickle.loads(pickle.dumps(written))
    assert (again, again.token, type(again)) == (3, written.token, Written)
