"""Cascades that end in the float embedding."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_cases import codes_like
from swiftreid.errors import UsageError
from swiftreid.search import distances, kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.stages import Stage
from swiftreid.search.table import CodeTable

NATIVE = [name for name in kernels.available_kernels() if name != "reference"]


def vectors(rng: np.random.Generator, n: int, size: int, kind: type) -> np.ndarray:
    """Rows of very different lengths, some of them copies of others, some zero."""
    rows = rng.standard_normal((n, size)) * np.exp2(rng.integers(-12, 8, (n, 1)))
    rows[rng.random(n) < 0.1] = 0
    if n:
        copies = rng.random(n) < 0.3
        rows[copies] = rows[rng.integers(n, size=int(copies.sum()))]
    return rows.astype(kind)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_the_reference_measures_cosine_distance(kind: type) -> None:
    rng = np.random.default_rng(0)
    rows, query = vectors(rng, 50, 37, kind)[:, :36].copy(), rng.standard_normal(36).astype(np.float32)
    wide, asked = rows.astype(np.float64), query.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1) * np.linalg.norm(asked)
    expected = np.where(lengths > 0, 1 - wide @ asked / np.where(lengths > 0, lengths, 1), 1)
    np.testing.assert_allclose(distances.cosine(rows, query), expected, atol=2e-6)
    assert distances.cosine(rows, rows[np.argmax(lengths)].astype(np.float32)).min() >= 0


@pytest.mark.skipif(not NATIVE, reason="the native kernels are not built")
@settings(max_examples=150)
@given(
    kernel=st.sampled_from(NATIVE or ["reference"]),
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 200),
    size=st.integers(1, 40).map(lambda half: 2 * half),
    kind=st.sampled_from([np.float16, np.float32]),
    text=st.sampled_from(
        ["embedding", "embedding:top=7", "id32<=14 > embedding", "id32:top=40 > id128:share=0.5 > embedding:share=0.3"]
    ),
    live=st.sampled_from([None, 0.7, 0.05]),
    cuts=st.lists(st.integers(0, 200), max_size=2),
    threads=st.integers(1, 3),
)
def test_native_kernels_give_the_bits_of_the_reference(
    kernel: str, seed: int, n: int, size: int, kind: type, text: str, live: float | None, cuts: list[int], threads: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = {
        "id32": codes_like(rng, n, 32, 0.8),
        "id128": codes_like(rng, n, 128, 0.8),
        "embedding": vectors(rng, n, size, kind),
    }
    edges = sorted([0, *(min(cut, n) for cut in cuts), n])
    table = CodeTable.from_segments([CodeTable({m: c[a:b] for m, c in codes.items()}) for a, b in pairwise(edges)])
    asked = {"id32": codes_like(rng, 3, 32, 0.8), "id128": codes_like(rng, 3, 128, 0.8)}
    asked["embedding"] = vectors(rng, 3, size, np.float32)
    mask = None if live is None else rng.random(n) < live
    cascade = Cascade.parse(text)
    for ask in (
        lambda kernel: cascade.search(table, asked, k=9, mask=mask, threads=threads, kernel=kernel),
        lambda kernel: cascade.rank(table, asked, mask=mask, threads=threads, kernel=kernel),
    ):
        got, expected = ask(kernel), ask("reference")
        assert got.distances.dtype == np.float32
        for name in ("indices", "distances", "stages", "counts"):
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
        assert [(s.entries_in, s.entries_kept) for s in got.report] == [
            (s.entries_in, s.entries_kept) for s in expected.report
        ]


@pytest.mark.skipif(not NATIVE, reason="the native kernels are not built")
@pytest.mark.parametrize("kernel", NATIVE)
def test_every_half_is_read_right(kernel: str) -> None:
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    table = CodeTable({"embedding": np.stack([halves, np.full_like(halves, 1)], axis=1)})
    asked = {"embedding": np.array([[1, 1]], np.float32)}
    got = Cascade([Stage("embedding")]).search(table, asked, k=len(halves), kernel=kernel)
    expected = Cascade([Stage("embedding")]).search(table, asked, k=len(halves), kernel="reference")
    np.testing.assert_array_equal(got.indices, expected.indices)
    np.testing.assert_array_equal(got.distances, expected.distances)


@pytest.mark.parametrize("kernel", [*NATIVE, "reference"])
def test_what_is_not_finite_is_never_near(kernel: str) -> None:
    rows = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]], np.float16)
    table = CodeTable({"embedding": rows})
    rows[1:3, 0] = np.inf, np.nan  # behind the table's back, which would have refused them
    got = Cascade([Stage("embedding")]).search(table, {"embedding": np.array([[0, 0, 1, 0.1]])}, k=4, kernel=kernel)
    assert got.indices[0, 0] == 3
    assert got.distances[0, 1:].tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_a_table_refuses_what_is_not_finite_and_says_which_row(kind: type, value: float) -> None:
    rows = np.full((9_000, 64), min(1e17, float(np.finfo(kind).max)), kind)
    rows[::2] = np.finfo(kind).smallest_subnormal
    assert len(CodeTable({"embedding": rows})) == 9_000
    rows[8_877, 63] = rows[8_990, 0] = value
    with pytest.raises(UsageError, match=r"row 8877 holds NaN, infinity"):
        CodeTable({"embedding": rows})


def test_numbers_whose_squares_cannot_be_added_up_are_refused() -> None:
    rows = np.ones((10, 64), np.float32)
    query = {"embedding": np.ones((1, 64))}
    for value in (1e17, -1e17):
        rows[3] = value
        found = Cascade([Stage("embedding")]).search(CodeTable({"embedding": rows}), {"embedding": rows[3:4]}, k=10)
        assert found.distances[0, 0] == pytest.approx(0, abs=1e-6)
    rows[3, 5] = 1.1e17
    with pytest.raises(UsageError, match=r"row 3 holds NaN, infinity or a number beyond 1e\+17"):
        CodeTable({"embedding": rows})
    table = CodeTable({"embedding": np.ones((10, 64), np.float32)})
    for value in (-1.1e17, 1e300):
        query["embedding"][0, 0] = value
        with pytest.raises(UsageError, match="beyond"):
            Cascade([Stage("embedding")]).search(table, query, k=1)


def test_the_check_of_embeddings_takes_little_memory() -> None:
    rows = np.ones((40_000, 256), np.float32)
    tracemalloc.start()
    CodeTable({"embedding": rows})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < rows.nbytes / 10


def test_attributes_first_then_codes_then_floats() -> None:
    """The one engine runs them all: attr30 top-w > id128 threshold > id2048 > embedding, against plain NumPy."""
    rng = np.random.default_rng(4)
    n = 3_000
    codes = {name: codes_like(rng, n, bits, 0.6) for name, bits in (("attr30", 30), ("id128", 128), ("id2048", 2048))}
    floats = rng.standard_normal((n, 64)).astype(np.float32)
    asked = {name: code[:1] ^ np.uint8(0) for name, code in codes.items()}
    query = floats[:1] + 0.1
    cascade = Cascade.parse("attr30:top=800 > id128<=40 > id2048:top=50 > embedding")
    result = cascade.search(
        CodeTable({**codes, "embedding": floats}), {**asked, "embedding": query}, k=10, min_candidates=0
    )

    def distances(name: str, rows: np.ndarray) -> np.ndarray:
        return np.bitwise_count(codes[name][rows] ^ asked[name]).sum(axis=1)

    left = np.arange(n)
    left = np.sort(left[np.argsort(distances("attr30", left), kind="stable")[:800]])
    left = left[distances("id128", left) <= 40]
    left = np.sort(left[np.argsort(distances("id2048", left), kind="stable")[:50]])
    cosine = 1 - floats[left] @ query[0] / (np.linalg.norm(floats[left], axis=1) * np.linalg.norm(query))
    order = np.argsort(cosine, kind="stable")[:10]
    np.testing.assert_array_equal(result.indices[0], left[order])
    np.testing.assert_allclose(result.distances[0], cosine[order], atol=1e-5)


def test_what_is_refused() -> None:
    codes, floats = np.zeros((3, 4), np.uint8), np.zeros((3, 8), np.float32)
    with pytest.raises(UsageError, match="only be the last stage"):
        Cascade.parse("embedding > id32")
    with pytest.raises(UsageError, match="can't keep whole ties"):
        Cascade.parse("id32 > id128:top=3+")
    with pytest.raises(UsageError, match="whole ties go with"):
        Stage("id32", threshold=3, whole_ties=True)
    with pytest.raises(UsageError, match="no threshold"):
        Cascade.parse("embedding<=3")
    for wrong in (floats[:2], floats.astype(np.float64), floats[:, :5].copy(), floats[0], floats[:, ::2], [[0.0, 1.0]]):
        with pytest.raises(UsageError, match="embedding"):
            CodeTable({"id32": codes, "embedding": wrong})
    with pytest.raises(UsageError, match="embeddings of 8 numbers"):
        CodeTable.from_segments([CodeTable({"id32": codes}), CodeTable({"id32": codes, "embedding": floats})])
    table, cascade = CodeTable({"id32": codes, "embedding": floats}), Cascade.parse("id32 > embedding")
    for asked, what in (
        ({"id32": codes}, "needs the code embedding"),
        ({"id32": codes, "embedding": floats[:, :6]}, "6 numbers, the table's 8"),
        ({"id32": codes, "embedding": np.full((3, 8), np.nan)}, "NaN"),
        ({"id32": codes, "embedding": np.zeros((3, 8), int)}, "floats of shape"),
        ({"id32": codes, "embedding": floats[:1]}, "different numbers of queries"),
    ):
        with pytest.raises(UsageError, match=what):
            cascade.search(table, asked)
    with pytest.raises(UsageError, match="no float embeddings"):
        cascade.search(CodeTable({"id32": codes}), {"id32": codes, "embedding": floats})
