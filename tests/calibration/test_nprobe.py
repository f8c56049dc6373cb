"""The share of a gallery that a probing stage must look into: against searches, and against its promise."""

from __future__ import annotations

import numpy as np
import pytest

from swiftreid.calibration.nprobe import STEPS, _needed, fit_nprobe
from swiftreid.calibration.recall import TooFewPeople, relevant_pairs
from swiftreid.errors import UsageError
from swiftreid.search import inverted_lists
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import pack_bits
from swiftreid.search.inverted_lists import InvertedLists
from swiftreid.search.table import CodeTable


def people(rng: np.random.Generator, count: int, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four pictures of each person, two by each camera, whose bits differ from the person's own at a rate."""
    persons, cameras = np.repeat(np.arange(count), 4), np.tile([0, 0, 1, 1], count)
    own = rng.random((count, 128)) > 0.5
    return pack_bits(own[persons] ^ (rng.random((4 * count, 128)) < rate)), persons, cameras


@pytest.fixture
def arranged(monkeypatch: pytest.MonkeyPatch) -> CodeTable:
    monkeypatch.setattr(inverted_lists, "SMALLEST_SEGMENT", 100)
    rng = np.random.default_rng(0)
    codes, _, _ = people(rng, 700, 0.12)
    return InvertedLists.fit("id128", codes, nlist=40).arrange(CodeTable({"id128": codes}))


def test_needed_shares_are_those_of_searches(arranged: CodeTable) -> None:
    """A pair is found by a search that looks as far as it needs, and by none that looks one step less far."""
    assert arranged.lists is not None
    codes = arranged.column("id128")[0]
    queries, entries = np.array([0, 5, 9, 40, 41, 77]), np.array([2, 700, 11, 42, 2000, 78])
    held = np.bincount(arranged.lists.groups[0].lists, minlength=40)
    needed = _needed(codes, queries, entries, arranged.lists.centres, held)
    assert len(set(needed.tolist())) > 2
    for query, entry, least in zip(queries, entries, needed, strict=True):
        for steps in (least - 1, least):
            if steps:
                cascade = Cascade.parse(f"id128:nprobe={steps / STEPS} > id128<=128 > id128")
                asked = {"id128": codes[query : query + 1]}
                found = cascade.search(arranged, asked, k=len(codes), min_candidates=0).indices[0]
                assert (entry in found) == (steps == least)


def test_the_promise_is_kept(arranged: CodeTable) -> None:
    """On new people, drawn alike: at confidence 0.8 four promises of twenty may break, and nine are unlikely to."""
    broken = 0
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        found = fit_nprobe(
            arranged, {"id128": (held := people(rng, 120, 0.12))[0]}, *held[1:], share=0.9, confidence=0.8
        )
        assert 0 < found.nprobe <= 1
        assert found.kept >= 0.9
        codes, persons, cameras = people(rng, 300, 0.12)
        queries, entries = relevant_pairs(persons, cameras)
        assert arranged.lists is not None
        full = np.bincount(arranged.lists.groups[0].lists, minlength=40)
        needed = _needed(codes, queries, entries, arranged.lists.centres, full)
        broken += bool((needed <= found.nprobe * STEPS).mean() < 0.9)
        assert found.nprobe < 0.9  # it says something
    assert broken <= 8
    assert str(found.stage()) == f"id128:nprobe={found.nprobe!r}"


def test_what_is_refused(arranged: CodeTable) -> None:
    codes, persons, cameras = people(np.random.default_rng(3), 30, 0.1)
    with pytest.raises(TooFewPeople, match="there are 30"):
        fit_nprobe(arranged, {"id128": codes}, persons, cameras)
    with pytest.raises(UsageError, match="no inverted lists"):
        fit_nprobe(CodeTable({"id128": codes}), {"id128": codes}, persons, cameras)
    with pytest.raises(UsageError, match="not among the codes"):
        fit_nprobe(arranged, {"id64": codes[:, :8]}, persons, cameras)
    with pytest.raises(UsageError, match="shape"):
        fit_nprobe(arranged, {"id128": codes}, persons[:3], cameras)
    with pytest.raises(UsageError, match="between 0 and 1"):
        fit_nprobe(arranged, {"id128": codes}, persons, cameras, share=1.0)
