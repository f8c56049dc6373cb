"""Cells: the native kernels against the reference, the reference against its definition, and growing galleries."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_cases import codes_like
from swiftreid.errors import UsageError
from swiftreid.search import inverted_lists, kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.inverted_lists import InvertedLists, suggested_nlist
from swiftreid.search.table import CodeTable

NATIVE = [name for name in kernels.available_kernels() if name != "reference"]
BITS = {"id32": 32, "id128": 128, "id512": 512}


def tables(rng: np.random.Generator, n: int, cuts: list[int]) -> tuple[dict[str, np.ndarray], CodeTable]:
    codes = {name: codes_like(rng, n, bits, 0.9) for name, bits in BITS.items()}
    edges = sorted([0, *(min(cut, n) for cut in cuts), n])
    return codes, CodeTable.from_segments(
        [CodeTable({m: c[a:b] for m, c in codes.items()}) for a, b in pairwise(edges)]
    )


@pytest.mark.skipif(not NATIVE, reason="the native kernels are not built")
@settings(max_examples=120)
@given(
    kernel=st.sampled_from(NATIVE or ["reference"]),
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 3_000),
    cuts=st.lists(st.integers(0, 3_000), max_size=5),
    nlist=st.integers(1, 40),
    text=st.sampled_from(
        [
            "id128:nprobe=0.2 > id32<=11 > id128<=50 > id512",
            "id32:nprobe=0.05 > id128<=40 > id512",
            "id512:nprobe=0.5 > id32<=30 > id128:top=30 > id512",
            "id128:nprobe=1.0 > id32<=1 > id128<=3 > id512",
        ]
    ),
    live=st.sampled_from([None, 0.9, 0.3, 0.06, 0.03, 0.0]),
    least=st.sampled_from([None, 0, 5, 5_000]),
    queries=st.sampled_from([1, 5]),
    threads=st.integers(1, 3),
)
def test_native_kernels_equal_the_reference(
    kernel: str,
    seed: int,
    n: int,
    cuts: list[int],
    nlist: int,
    text: str,
    live: float | None,
    least: int | None,
    queries: int,
    threads: int,
) -> None:
    rng = np.random.default_rng(seed)
    codes, table = tables(rng, n, cuts)
    cascade = Cascade.parse(text)
    code = cascade.stages[0].code
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inverted_lists, "SMALLEST_SEGMENT", 300)  # so that some segments have no lists yet
        table = InvertedLists.fit(code, codes[code], nlist=min(nlist, n)).arrange(table)
    mask = None if live is None else rng.random(n) < live
    asked = {name: column[rng.integers(n, size=queries)] ^ np.uint8(1) for name, column in codes.items()}

    def run(kernel: str, threads: int):
        return cascade.search(table, asked, k=20, mask=mask, min_candidates=least, threads=threads, kernel=kernel)

    got, expected = run(kernel, threads), run("reference", 1)
    for name in ("indices", "distances", "stages", "counts"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
    for ours, theirs in zip(got.report, expected.report, strict=True):
        assert (ours.entries_in, ours.entries_kept) == (theirs.entries_in, theirs.entries_kept), ours.rule


@settings(max_examples=60)
@given(
    kernel=st.sampled_from([*NATIVE, "reference"]),
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(300, 3_000),
    cut=st.integers(0, 3_000),
    share=st.sampled_from([0.01, 0.1, 1.0]),
    live=st.sampled_from([1.0, 0.5, 0.1, 0.06, 0.03, 0.005]),
    far=st.booleans(),
)
def test_k_entries_are_found_where_a_filter_leaves_as_many(
    kernel: str, seed: int, n: int, cut: int, share: float, live: float, far: bool
) -> None:
    """However few lists are probed, and however far from the query those lie whose entries may be found."""
    rng = np.random.default_rng(seed)
    codes, table = tables(rng, n, [cut])
    query = {name: column[:1] for name, column in codes.items()}
    mask = rng.random(n) < live
    if far:
        distance = np.bitwise_count(codes["id128"] ^ query["id128"]).sum(axis=1)
        mask = distance >= np.quantile(distance, 1 - live)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inverted_lists, "SMALLEST_SEGMENT", 300)
        table = InvertedLists.fit("id128", codes["id128"], nlist=20).arrange(table)
    found = Cascade.parse(f"id128:nprobe={share:g} > id32<=3 > id128<=9 > id512").search(
        table, query, k=40, mask=mask, kernel=kernel
    )
    assert found.counts[0] == min(40, mask.sum())
    assert mask[found.indices[0, : found.counts[0]]].all()


def test_lists_are_the_nearest_that_hold_the_share() -> None:
    """Against the words of the definition, on a table in which every entry has a cell."""
    rng = np.random.default_rng(2)
    codes, table = tables(rng, 40_000, [])
    parted = InvertedLists.fit("id128", codes["id128"], nlist=30, seed=3)
    table, query = parted.arrange(table), {name: column[:1] for name, column in codes.items()}
    distance = np.bitwise_count(codes["id128"][:, None] ^ parted.centres[None]).sum(axis=2)
    cell = distance.argmin(axis=1)
    asked = np.bitwise_count(parted.centres ^ query["id128"]).sum(axis=1)
    looked_into: set[int] = set()
    for number in sorted(range(30), key=lambda c: (asked[c], c)):
        if np.isin(cell, list(looked_into)).sum() >= 0.1 * 40_000:
            break
        looked_into.add(number)
    inside = np.isin(cell, list(looked_into))
    result = Cascade.parse("id128:nprobe=0.1 > id32<=32 > id512").search(table, query, k=40_000, min_candidates=0)
    assert result.counts[0] == inside.sum()
    assert set(result.indices[0, : result.counts[0]].tolist()) == set(np.flatnonzero(inside).tolist())
    assert result.report[0].entries_in == 30
    assert result.report[0].entries_kept == inside.sum() == result.report[1].entries_in


def test_a_report_gives_no_share_of_centres() -> None:
    rng = np.random.default_rng(9)
    codes, table = tables(rng, 20_000, [])
    arranged = InvertedLists.fit("id128", codes["id128"], nlist=16).arrange(table)
    cascade = Cascade.parse("id128:nprobe=0.5 > id32<=11 > id512")
    report = cascade.search(arranged, {name: code[:1] for name, code in codes.items()}, k=5).report
    probing, threshold = str(report).splitlines()[1:3]
    assert probing.split()[:2] == ["id128:nprobe=0.5", "16.0"]
    assert probing.split()[3] == "-"
    assert threshold.split()[3] == f"{report[1].entries_kept / report[1].entries_in:.2%}"


def test_k_majority_finds_groups() -> None:
    """Entries near one of eight far centres: each group gets lists of its own."""
    rng = np.random.default_rng(5)
    centres = rng.integers(0, 256, (8, 16), np.uint8)
    group = rng.integers(8, size=4_000)
    noise = np.packbits(rng.random((4_000, 128)) < 0.1, axis=1, bitorder="little")
    rows = centres[group] ^ noise
    parted = InvertedLists.fit("id128", rows, nlist=32)
    cell = kernels.nearest(rows, parted.centres)
    pure = sum(np.bincount(group[cell == c]).max() for c in np.unique(cell))
    assert pure / len(rows) > 0.99
    moved = kernels.hamming(parted.centres, centres, "id128").min(axis=1)
    assert moved.max() <= 6  # the majority finds the centre that the noise hides


def test_growing_galleries_arrange_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inverted_lists, "SMALLEST_SEGMENT", 100)
    rng = np.random.default_rng(6)
    codes, _ = tables(rng, 3_200, [])
    segments = [CodeTable({m: c[a : a + 100] for m, c in codes.items()}) for a in range(0, 3_200, 100)]
    parted = InvertedLists.fit("id128", codes["id128"], nlist=8)
    assigned, shelved = [], []
    nearest, make = kernels.nearest, inverted_lists.ListGroup
    monkeypatch.setattr(kernels, "nearest", lambda rows, centres: assigned.append(len(rows)) or nearest(rows, centres))
    monkeypatch.setattr(inverted_lists, "ListGroup", lambda s, c, n: shelved.append(len(c)) or make(s, c, n))
    for count in range(1, 33):
        table = parted.arrange(CodeTable.from_segments(segments[:count]))
        assert sum(len(group.lists) for group in table.lists.groups) == 100 * count
        assert len(table.lists.groups) <= 6
    assert assigned == [100] * 32  # every entry got its cell once...
    assert sum(shelved) <= 3_200 * 6  # ...and was put in order about once for each doubling


def test_what_is_refused() -> None:
    rng = np.random.default_rng(7)
    codes, table = tables(rng, 500, [])
    with pytest.raises(UsageError, match="needs a table with inverted lists by id128"):
        Cascade.parse("id128:nprobe=0.1 > id32<=9 > id512").search(table, codes)
    arranged = InvertedLists.fit("id128", codes["id128"], nlist=4).arrange(table)
    with pytest.raises(UsageError, match="needs a table with inverted lists by id32"):
        Cascade.parse("id32:nprobe=0.1 > id32<=9 > id512").search(arranged, codes)
    with pytest.raises(UsageError, match="compares every entry"):
        Cascade.parse("id128:nprobe=0.1 > id32<=9 > id512").rank(arranged, codes)
    for text in ("id32 > id128:nprobe=0.1 > id512", "id128:nprobe=0.1 > id512", "id128:nprobe=0.1 > id512<=9 > id512"):
        with pytest.raises(UsageError, match=r"nprobe|probing|inverted lists"):
            Cascade.parse(text)
    for text in ("id128:nprobe=0", "id128:nprobe=1.5", "embedding:nprobe=0.1"):
        with pytest.raises(UsageError):
            Cascade.parse(f"{text} > id32<=9 > id512")
    with pytest.raises(UsageError, match="can't have"):
        InvertedLists.fit("id128", codes["id128"][:3], nlist=4)
    for wrong in (2.5, True, "x", 0, -3, float("nan")):
        with pytest.raises(UsageError, match=f"nlist must be a whole number of at least 1, got {wrong!r}"):
            InvertedLists.fit("id128", codes["id128"], nlist=wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="rounds must be a whole number of at least 0, got None"):
        InvertedLists.fit("id128", codes["id128"], nlist=4, rounds=None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="seed must be a whole number of at least 0, got -1"):
        InvertedLists.fit("id128", codes["id128"], nlist=4, seed=-1)
    assert len(InvertedLists.fit("id128", codes["id128"], nlist=np.int64(4)).centres) == 4
    with pytest.raises(UsageError, match="no code 'id64'"):
        InvertedLists("id64", np.zeros((2, 8), np.uint8)).arrange(table)
    assert suggested_nlist(1_000_000) == 4096


@pytest.mark.skipif(not NATIVE, reason="the native kernels are not built")
def test_the_native_order_of_lists_is_checked() -> None:
    def order(starts: list[int], rows: list[int]) -> None:
        kernels.list_order(np.array(starts, np.uint32), np.array(rows, np.uint32))

    order([0, 1, 3], [2, 0, 1])
    for starts, rows in (
        ([0, 1, 2], [2, 0, 1]),
        ([1, 1, 3], [2, 0, 1]),
        ([0, 4, 3], [2, 0, 1]),
        ([0, 1, 3], [3, 0, 1]),
        ([0], []),
    ):
        with pytest.raises(ValueError, match="bad"):
            order(starts, rows)
