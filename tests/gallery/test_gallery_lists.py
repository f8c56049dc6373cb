"""Cells of a gallery: sealed segments are arranged once, while entries come and go."""

from __future__ import annotations

import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.gallery import Gallery
from swiftreid.search import inverted_lists, kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.inverted_lists import InvertedLists

WITH_LISTS = Cascade.parse("id96:nprobe=1 > id32<=32 > id96")
EXHAUSTIVE = Cascade.parse("id96")


def search(gallery: Gallery, parted: InvertedLists) -> list[str]:
    """With every cell looked into, the result is that of exhaustive search."""
    with gallery.snapshot() as view:
        asked = samples.codes_of(["e3"])
        found = WITH_LISTS.search(parted.arrange(view.table), asked, k=5, mask=view.mask)
        exact = EXHAUSTIVE.search(view.table, asked, k=5, mask=view.mask)
        np.testing.assert_array_equal(found.indices, exact.indices)
        return view.ids(found.indices[0])


def test_lists_of_a_gallery_that_changes(path, create, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inverted_lists, "SMALLEST_SEGMENT", 10)
    assigned: list[int] = []
    nearest = kernels.nearest
    gallery = create(path, segment_size=10)
    samples.add(gallery, [f"e{i}" for i in range(34)])
    with gallery.snapshot() as view:
        parted = InvertedLists.fit("id96", view.table.column("id96")[0], nlist=3)
    monkeypatch.setattr(kernels, "nearest", lambda rows, centres: assigned.append(len(rows)) or nearest(rows, centres))
    assert search(gallery, parted)[0] == "e3"
    assert search(gallery, parted)[0] == "e3"
    assert assigned == [10, 10, 10]  # once each; the tail of four has no lists
    samples.add(gallery, [f"x{i}" for i in range(8)])
    search(gallery, parted)
    assert assigned[3:] == [10]  # another segment was sealed
    gallery.delete(["e3", "e12"])
    assert "e3" not in search(gallery, parted)
    assert assigned[4:] == []
    gallery.compact()
    search(gallery, parted)
    assert sum(assigned[4:]) <= 20  # only segments that were rewritten
    gallery.close()
