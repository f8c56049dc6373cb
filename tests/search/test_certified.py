"""Certified search: tables against exact fractions, kernels against the reference, the promise against counts."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_cases import codes_like
from swiftreid.errors import UsageError
from swiftreid.search import certified, kernels
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.distances import hamming
from swiftreid.search.results import SearchResult
from swiftreid.search.sampling import sampled_bits, split, tables
from swiftreid.search.table import CodeTable


@pytest.fixture(autouse=True, params=["by samples", "by rows"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Galleries large enough for samples to come first take too long in the reference."""
    monkeypatch.setattr(certified, "MANY_ENTRIES", 0 if request.param == "by samples" else 10**9)
    return request.param


NATIVE = [name for name in kernels.available_kernels() if name != "reference"]


def same(result: SearchResult, expected: SearchResult) -> None:
    for name in ("indices", "distances", "stages", "counts"):
        np.testing.assert_array_equal(getattr(result, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize(("bits", "sampled"), [(24, 8), (40, 20), (64, 63)])
@pytest.mark.parametrize("chance", [0.3, 1e-3, 1e-8])
def test_tables_are_those_of_the_hypergeometric_distribution(bits: int, sampled: int, chance: float) -> None:
    most, least = tables(bits, sampled, chance)
    for distance in range(bits + 1):

        def beyond(few: int, distance: int = distance) -> Fraction:
            ways = sum(comb(distance, x) * comb(bits - distance, sampled - x) for x in range(few + 1, sampled + 1))
            return Fraction(ways, comb(bits, sampled))

        # No less than what is exact; and no more, but for the little that guards against rounding.
        assert beyond(int(most[distance])) <= chance
        assert most[distance] == 0 or beyond(int(most[distance]) - 1) * Fraction(1.00001) > chance
    for few in range(sampled + 1):
        assert least[few] == min((d for d in range(bits + 1) if most[d] >= few), default=bits + 1)


@pytest.mark.parametrize("count", [0, 50, 3_000])  # one by one, and by tables
def test_a_split_code_is_the_code(count: int) -> None:
    rng = np.random.default_rng(0)
    rows, query = rng.integers(0, 256, (count, 64), np.uint8), rng.integers(0, 256, (1, 64), np.uint8)
    parts = zip(split(rows), split(query), strict=True)
    np.testing.assert_array_equal(sum(hamming(a, b) for a, b in parts), hamming(rows, query))
    assert [len(bits) for bits in sampled_bits(512)] == [256, 256]
    chosen = np.unpackbits(rows, axis=1, bitorder="little")[:, sampled_bits(512)[0]]
    np.testing.assert_array_equal(split(rows)[0], np.packbits(chosen, axis=1, bitorder="little"))


@pytest.mark.parametrize("kernel", NATIVE)
@settings(max_examples=60)
@given(data=st.data())
def test_every_kernel_equals_the_reference(kernel: str, data: st.DataObject) -> None:
    """With a chance so large that samples mislead all the time."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    bits = data.draw(st.sampled_from([512, 544, 1024, 2048]))
    rows = data.draw(st.integers(0, 900))
    count = data.draw(st.sampled_from([1, 2, 13, 30]))
    codes = codes_like(rng, rows + 40, bits, data.draw(st.sampled_from([0.2, 0.8, 1.0])))
    queries = {f"id{bits}": codes[rows : rows + count].copy()}
    cuts = sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=3))})
    parts = [CodeTable({f"id{bits}": codes[a:b].copy()}) for a, b in pairwise(cuts)] or [
        CodeTable({f"id{bits}": codes[:0].copy()})
    ]
    table = CodeTable.from_segments(parts)
    share = data.draw(st.sampled_from([None, 0.02, 0.4, 0.9]))
    mask = None if share is None else rng.random(rows) < share
    cascade = Cascade([Stage(f"id{bits}", miss=data.draw(st.sampled_from([0.9999, 0.5, 1e-9])))])
    k, threads = data.draw(st.sampled_from([1, 3, 40, 2000])), data.draw(st.sampled_from([1, 3]))
    same(
        cascade.search(table, queries, k=k, mask=mask, threads=threads, kernel=kernel),
        cascade.search(table, queries, k=k, mask=mask, kernel="reference"),
    )


@pytest.mark.parametrize("close", [0, 20, 300])
@pytest.mark.parametrize("queries", [1, 3, 20])
def test_a_wrong_guess_does_no_harm(close: int, queries: int) -> None:
    """Near copies of the queries lie together, in tiles that are looked at beforehand and so give a wrong idea."""
    rng = np.random.default_rng(1)
    codes = codes_like(rng, 20_000, 2048, 0.9)
    asked = codes[:queries].copy()
    codes[8 * 512 : 8 * 512 + close] = asked[rng.integers(queries, size=close)]
    codes[8 * 512 : 8 * 512 + close, :20] ^= rng.integers(0, 256, (close, 20), np.uint8)
    table, given_ = CodeTable({"id2048": codes}), {"id2048": asked}
    for miss in (1e-6, 0.999):
        cascade = Cascade([Stage("id2048", miss=miss)])
        expected = cascade.search(table, given_, k=50, kernel="reference")
        same(cascade.search(table, given_, k=50), expected)
        same(cascade.search(table, given_, k=50, threads=2), expected)


def test_the_promise_is_kept() -> None:
    """Of many codes at like distances, the closest are missed no more often than was said; and sometimes they are."""
    rng = np.random.default_rng(2)
    right = dict.fromkeys((0.9, 0.2, 1e-6), 0)
    trials = 200
    for _ in range(trials):
        codes = rng.integers(0, 256, (300, 64), np.uint8)
        table, query = CodeTable({"id512": codes}), {"id512": rng.integers(0, 256, (1, 64), np.uint8)}
        exact = Cascade.parse("id512").search(table, query, k=1)
        for miss in right:
            found = Cascade([Stage("id512", miss=miss)]).search(table, query, k=1)
            right[miss] += bool(found.indices[0, 0] == exact.indices[0, 0])
    # Three deviations of the number of misses, were they as frequent as they may be.
    assert all(trials - n <= miss * trials + 3 * (miss * (1 - miss) * trials) ** 0.5 for miss, n in right.items())
    assert right[0.9] < trials
    assert right[1e-6] == trials


def test_few_whole_codes_are_compared(way: str) -> None:
    rng = np.random.default_rng(3)
    codes = codes_like(rng, 40_000, 2048, 0.9)
    report = Cascade.parse("id2048:miss=1e-6").search(CodeTable({"id2048": codes}), {"id2048": codes[:2]}, k=5).report
    assert report[0].entries_in == 80_000
    assert (report[0].entries_kept < 60_000) == (way == "by samples")


@pytest.mark.skipif(not NATIVE, reason="the native kernels are not built")
def test_the_native_module_refuses_wrong_samples() -> None:
    from swiftreid import _native

    codes = np.zeros((3, 64), np.uint8)
    whole, half = _native.Column([codes], None), _native.Column([codes[:, :32].copy()], None)
    part, table, least = codes[:, :32].copy(), np.zeros(513, np.uint16), np.zeros(257, np.uint16)

    def call(rule: str, *sample: object) -> None:
        shape = (3, 2)
        results = [
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int32),
            np.zeros(shape, np.int8),
            np.zeros(3, np.int64),
        ]
        rules = _native.Rules([rule], [0.0], [False])
        figures = np.zeros((3, 1))
        _native.cascade(
            [whole], None, sample, [codes], [None], rules, None, 0, "search", 1, "portable", *results, figures
        )

    call("all", half, half, part, part, table, least, True)
    with pytest.raises(ValueError, match="certified"):
        call("threshold", half, half, part, part, table, least, True)
    wrong = [
        (half, half, part, part, table),
        (half, whole, part, part, table, least),
        (half, whole, part, codes, table, least),
        (half, half, part[:2], part, table, least),
        (half, half, part, part.astype(np.float32), table, least),
        (half, _native.Column([codes[:2, :32].copy()], None), part, part, table, least),
        (half, half, part, part, least, table),
        (half, half, part, part, table + np.uint16(257), least),
        (half, half, part, part, table, least + np.uint16(513)),
        (half, half, part, part, table.astype(np.int16), least),
    ]
    for sample in wrong:
        with pytest.raises((ValueError, RuntimeError, TypeError)):
            call("all", *sample, True)
    with pytest.raises((ValueError, RuntimeError, TypeError)):
        call("all", half, half, part, part, table, least, 3)
    for rows, bits, out in (
        (codes, np.arange(8, dtype=np.uint16), np.zeros((2, 1), np.uint8)),
        (codes, np.arange(16, dtype=np.uint16), np.zeros((3, 1), np.uint8)),
        (codes, np.full(8, 512, np.uint16), np.zeros((3, 1), np.uint8)),
        (codes, np.zeros(8, np.int64), np.zeros((3, 1), np.uint8)),
        (codes, np.arange(8, dtype=np.uint16)[::-1].copy(), np.zeros((3, 1), np.uint8)),
        (codes, np.zeros(8, np.uint16), np.zeros((3, 1), np.uint8)),
    ):
        with pytest.raises((ValueError, RuntimeError, TypeError)):
            _native.pick(rows, bits, out)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id128:miss=0.01", "at least 512 bits"),
        ("id2048:miss=0", "miss must be"),
        ("id2048:miss=1", "miss must be"),
        ("id2048:miss=nan", "cannot read"),
        ("id2048:miss=0.1+", "whole ties"),
        ("embedding:miss=0.1", "no sample"),
        ("id32<=11 > id2048:miss=0.1", "a cascade of its own"),
        ("id2048:miss=0.1 > id2048", "a cascade of its own"),
    ],
)
def test_what_cannot_be_certified(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Cascade.parse(text)


def test_text_and_ranking() -> None:
    cascade = Cascade.parse("id2048:miss=1e-06")
    assert str(cascade) == "id2048:miss=1e-06"
    assert Cascade.parse(str(cascade)) == cascade
    table = CodeTable({"id2048": np.zeros((3, 256), np.uint8)})
    with pytest.raises(UsageError, match="leave miss out"):
        cascade.rank(table, {"id2048": np.zeros((1, 256), np.uint8)})
