"""Filters against the plain reading of what they say, over sealed, deleted and unsealed entries."""

from __future__ import annotations

from datetime import datetime
from itertools import product

import numpy as np
import pytest

from swiftreid.errors import UsageError

IDS = [f"e{i}" for i in range(64)]


@pytest.fixture
def filled(gallery, add, entries_of):
    add(gallery, IDS)
    gallery.delete(["e5", "e17", "e63"])
    return gallery, [entry for entry in entries_of(IDS) if entry.id not in {"e5", "e17", "e63"}]


def found(gallery, **filters):
    with gallery.snapshot(**filters) as view:
        mask = np.ones(len(view), bool) if view.mask is None else view.mask
        assert mask.shape == (len(view),)
        assert view.live == mask.sum()
        return view.ids(np.flatnonzero(mask))


def test_every_combination_of_filters(filled):
    gallery, entries = filled
    times = sorted(entry.time for entry in entries if entry.time is not None)
    low, high = times[10], times[30]  # times of entries, so that the ends of the range matter
    cameras, without, excluded = (
        [None, ["c1", "c3"], []],
        [None, ["c3", "hall"]],
        [None, ["e1", "e40", "e62", "e5", "x"]],
    )
    for chosen, others, after, before, ids in product(cameras, without, [None, low], [None, high], excluded):
        expected = [
            entry.id
            for entry in entries
            if (chosen is None or entry.camera in chosen)
            and entry.camera not in (others or [])
            and (after is None or (entry.time is not None and entry.time >= after))
            and (before is None or (entry.time is not None and entry.time < before))
            and entry.id not in (ids or [])
        ]
        assert (
            found(gallery, cameras=chosen, not_cameras=others, after=after, before=before, exclude_ids=ids) == expected
        )


def test_the_range_takes_its_beginning_and_leaves_its_end(filled):
    gallery, entries = filled
    entry = next(entry for entry in entries if entry.time is not None)
    assert entry.id in found(gallery, after=entry.time)
    assert entry.id not in found(gallery, before=entry.time)


def test_there_is_no_mask_when_all_may_be_searched(gallery, add):
    add(gallery, IDS)
    for filters in ({}, {"cameras": ["c0", "c1", "c2", "c3"]}, {"exclude_ids": ["nobody"]}, {"not_cameras": ["hall"]}):
        with gallery.snapshot(**filters) as view:
            assert view.mask is None
            assert view.live == len(IDS)


def test_a_search_in_a_snapshot_finds_only_what_may_be_found(filled, codes_of):
    cascade = pytest.importorskip("swiftreid.search.cascade")
    stages = pytest.importorskip("swiftreid.search.stages")
    gallery, entries = filled
    query = codes_of(["e40"])
    with gallery.snapshot(exclude_ids=["e39"]) as view:
        search = cascade.Cascade([stages.Stage("id96")])
        result = search.search(view.table, {"id96": query["id96"]}, k=100, mask=view.mask)
        ids = view.ids(result.indices[0, : result.counts[0]])
    assert ids[0] == "e40"
    assert result.distances[0, 0] == 0
    assert sorted(ids) == sorted(entry.id for entry in entries if entry.id != "e39")


@pytest.mark.parametrize("wrong", ["soon", "1e99", float("nan"), True, datetime(2026, 9, 22), [3]])
@pytest.mark.parametrize("name", ["after", "before"])
def test_times_that_are_none_are_refused(filled, name, wrong):
    gallery, _ = filled
    for ask in (gallery.list, gallery.snapshot):
        with pytest.raises(UsageError, match=f"{name}: .* (is no time|has no time zone)"):
            ask(**{name: wrong})
