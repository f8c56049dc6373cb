"""The tail that is kept between looks equals a fresh one, and little of it is read and copied again."""

from __future__ import annotations

from itertools import pairwise

import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.gallery import chunks
from swiftreid.gallery import tail as tails
from swiftreid.gallery.tail import Tail, read_tail


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each chunk that is read from the database."""
    monkeypatch.setattr(chunks, "MERGE_ROWS", 4)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 6)
    calls: list[int] = []
    real = tails.decode_chunk

    def counted(gallery, layout, stored):
        calls.append(stored.chunk.rows)
        return real(gallery, layout, stored)

    monkeypatch.setattr(tails, "decode_chunk", counted)
    return calls


def read(gallery, known: Tail | None = None) -> Tail:
    view = gallery._catalogue.view("reading")
    try:
        return read_tail(view, gallery.path, gallery._meta.layout, known)
    finally:
        view.close()


def assert_same(one: Tail, other: Tail) -> None:
    assert one.chunks == other.chunks
    assert len(one) == len(other)
    for name in ("seqs", "cameras", "times"):
        assert np.array_equal(getattr(one.columns, name), getattr(other.columns, name), equal_nan=True)
    for name, code in one.columns.codes.items():
        assert np.array_equal(code, other.columns.codes[name])
    for part in one.parts:
        assert sum(chunk.rows for chunk in part.chunks) == len(part.columns) == len(part.table)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_kept_equals_what_is_stored(path, create, decoded, seed) -> None:
    rng = np.random.default_rng(seed)
    here: list[str] = []
    known = None
    with create(path, segment_size=60) as gallery:
        for step in range(60):
            if rng.random() < 0.3 and here:
                gone = rng.choice(here, min(len(here), int(rng.integers(1, 4))), replace=False).tolist()
                gallery.delete(gone)
                here = [id_ for id_ in here if id_ not in gone]
            else:
                batch = [f"{step}-{i}" for i in range(int(rng.integers(1, 9)))]
                samples.add(gallery, batch)
                here += batch
            if rng.random() < 0.7:
                known = read(gallery, known)
                assert_same(known, read(gallery))
                full = [part for part in known.parts if part.chunks[-1].rows >= 4 or part is not known.parts[-1]]
                assert all(len(one.columns) >= 2 * len(other.columns) for one, other in pairwise(full))
        assert gallery.info().segments > 0  # sealing has cut the tail at its front


def test_only_what_changed_is_read(path, create, decoded) -> None:
    with create(path, segment_size=1000) as gallery:
        for first in range(0, 120, 6):
            samples.add(gallery, [f"e{i}" for i in range(first, first + 6)])
        known = read(gallery)
        assert decoded == [6] * 20
        assert len(known.parts) == 1
        decoded.clear()
        assert read(gallery, known) is known
        samples.add(gallery, ["x"])
        decoded.clear()  # what adding itself read
        known = read(gallery, known)
        assert decoded == [1]
        gallery.delete(["e1", "e60"])
        decoded.clear()
        known = read(gallery, known)
        assert decoded == [5, 5]
        assert_same(known, read(gallery))


def test_a_part_that_did_not_change_keeps_its_table(path, create, decoded) -> None:
    with create(path, segment_size=1000) as gallery:
        samples.add(gallery, [f"e{i}" for i in range(60)])
        known = read(gallery)
        table = known.parts[0].table
        samples.add(gallery, [f"x{i}" for i in range(9)])
        assert read(gallery, known).parts[0].table is table
