"""Bit planes of sealed segments are made once in the life of a process, however many snapshots are searched."""

from __future__ import annotations

import gc
import weakref

import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.gallery import Gallery
from swiftreid.gallery.chunks import MERGE_ROWS
from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade

CASCADE = Cascade.parse("id32<=14 > id96")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were turned into planes, call by call."""
    if kernels.active_kernel() == "reference":
        pytest.skip("the reference needs no planes")
    calls: list[int] = []
    real = kernels.slice_planes

    def counted(column: np.ndarray) -> np.ndarray:
        calls.append(len(column))
        return real(column)

    monkeypatch.setattr(kernels, "slice_planes", counted)
    return calls


def search(gallery: Gallery, **filters: list[str]) -> list[str]:
    with gallery.snapshot(**filters) as view:
        result = CASCADE.search(view.table, samples.codes_of(["e3"]), k=3, mask=view.mask)
        return view.ids(result.indices[0, : result.counts[0]])


def test_sealed_segments_are_turned_once(path, create, made):
    gallery = create(path, segment_size=10)
    samples.add(gallery, [f"e{i}" for i in range(34)])
    assert search(gallery)[0] == "e3"
    assert sorted(made) == [4, 10, 10, 10]
    for filters in ({}, {"exclude_ids": ["e9"]}, {"not_cameras": ["c1"]}):
        search(gallery, **filters)
    assert len(made) == 4  # the same table of the tail, too
    samples.add(gallery, ["x0", "x1"])
    search(gallery)
    assert made[4:] == [6]  # the tail grew
    gallery.delete(["e3", "e12"])
    assert "e3" not in search(gallery)
    assert made[5:] == []  # what is deleted is masked
    kept = weakref.ref(gallery._cache.files[3].table)
    gone = weakref.ref(gallery._cache.files[1].table)
    before = gallery.snapshot()
    gallery.compact()
    search(gallery)
    assert made[5:] == [9, 9]  # two were rewritten, one was not
    before.close()
    del before
    gc.collect()
    assert gone() is None
    assert kept() is not None
    gallery.close()


def test_another_gallery_object_has_its_own(path, create, made):
    with create(path, segment_size=10) as gallery:
        samples.add(gallery, [f"e{i}" for i in range(10)])
        search(gallery)
        with Gallery.open(path, read_only=True) as other:
            search(other)
    assert made == [10, 10]


def test_a_growing_tail_is_copied_little(path, create, made):
    """One addition at a time; without parts every look would copy and turn the whole tail, 33,000 rows in all."""
    n, batch = 4 * MERGE_ROWS, 16
    with create(path, segment_size=10 * n) as gallery:
        for first in range(0, n, batch):
            samples.add(gallery, [f"e{i}" for i in range(first, first + batch)])
            search(gallery)
            assert len(gallery._cache.tail.parts) <= 4
        # Of the open chunk all rows each time; each full one is turned again only when parts are joined.
        assert sum(made) < n // batch * MERGE_ROWS // 2 + 3 * n
        with gallery.snapshot() as view:
            assert view.ids(range(n)) == [f"e{i}" for i in range(n)]
            expected = samples.codes_of(view.ids(range(n)))
            for name in gallery.spec:
                assert np.array_equal(view.table.rows(name, np.arange(n)), expected[name])
