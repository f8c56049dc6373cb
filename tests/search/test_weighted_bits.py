"""Stages whose bits have weights: naive re-computation, agreement of kernels, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import pack_bits
from swiftreid.search.kernels import available_kernels
from swiftreid.search.table import CodeTable

BITS = 57


def _table(rng: np.random.Generator, lengths: tuple[int, ...]) -> tuple[CodeTable, NDArray[np.bool_]]:
    bits = [rng.random((n, BITS)) < 0.4 for n in lengths]
    parts = [CodeTable({"attr57": pack_bits(b), "id128": pack_bits(rng.random((len(b), 128)) - 0.5)}) for b in bits]
    return CodeTable.from_segments(parts), np.concatenate(bits)


def _queries(rng: np.random.Generator, count: int) -> tuple[dict[str, NDArray[np.uint8]], NDArray[np.bool_]]:
    bits = rng.random((count, BITS)) < 0.5
    return {"attr57": pack_bits(bits), "id128": pack_bits(rng.random((count, 128)) - 0.5)}, bits


def _weights(rng: np.random.Generator, count: int, stated: int, most: int) -> NDArray[np.uint8]:
    weights = np.zeros((count, BITS), np.uint8)
    for row in weights:
        row[rng.choice(BITS, stated, replace=False)] = rng.integers(1, most + 1, stated)
    return weights


@pytest.mark.parametrize("kernel", available_kernels())
@pytest.mark.parametrize(("stated", "most"), [(1, 1), (3, 15), (20, 15), (57, 255)])
def test_distances_are_sums_of_weights(kernel: str, stated: int, most: int) -> None:
    rng = np.random.default_rng(stated)
    table, gallery = _table(rng, (700, 0, 600))
    queries, asked = _queries(rng, 3)
    weights = _weights(rng, 3, stated, most)
    result = Cascade.parse("attr57").search(table, queries, 40, weights={"attr57": weights}, kernel=kernel)
    for q in range(3):
        distances = ((gallery != asked[q]) * weights[q].astype(int)).sum(axis=1)
        expected = np.argsort(distances, kind="stable")[:40]
        assert (result.indices[q] == expected).all()
        assert (result.distances[q] == distances[expected]).all()


@pytest.mark.parametrize("kernel", [name for name in available_kernels() if name != "reference"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("share", [None, 0.5, 0.02])
@pytest.mark.parametrize(
    "text",
    [
        "attr57",
        "attr57:top=7",
        "attr57:top=100 > id128",
        "attr57:top=100+ > id128",
        "attr57:share=0.1 > id128:top=5",
        "id128:top=300 > attr57",
        "id128<=60 > attr57:top=30 > id128",
    ],
)
def test_kernels_equal_the_reference(kernel: str, threads: int, share: float | None, text: str) -> None:
    rng = np.random.default_rng(5)
    table, _ = _table(rng, (1000, 0, 1500, 7, 493))
    mask = None if share is None else rng.random(len(table)) < share
    cascade = Cascade.parse(text)
    for count in (1, 20):
        queries, _ = _queries(rng, count)
        weights = {"attr57": _weights(rng, count, 4, 255)}
        for least in (None, 0, 50):
            one, two = (
                cascade.search(
                    table, queries, 20, weights=weights, mask=mask, threads=threads, min_candidates=least, kernel=name
                )
                for name in (kernel, "reference")
            )
            for field in ("indices", "distances", "stages", "counts"):
                assert (getattr(one, field) == getattr(two, field)).all(), field
            assert [(s.entries_in, s.entries_kept) for s in one.report] == [
                (s.entries_in, s.entries_kept) for s in two.report
            ]
        one, two = (
            cascade.rank(table, queries, weights=weights, mask=mask, kernel=name) for name in (kernel, "reference")
        )
        for field in ("indices", "distances", "stages", "counts"):
            assert (getattr(one, field) == getattr(two, field)).all(), field


def test_weights_of_one_are_hamming() -> None:
    rng = np.random.default_rng(2)
    table, _ = _table(rng, (300,))
    queries, _ = _queries(rng, 2)
    cascade = Cascade.parse("attr57:top=50 > id128")
    plain = cascade.search(table, queries, 10)
    weighted = cascade.search(table, queries, 10, weights={"attr57": np.ones((2, BITS), np.uint8)})
    assert (plain.indices == weighted.indices).all()
    assert (plain.distances == weighted.distances).all()


@pytest.mark.parametrize(
    ("text", "weights", "message"),
    [
        ("id128", {"attr57": np.ones((2, 57), np.uint8)}, "does not compare"),
        ("attr57<=3 > id128", {"attr57": np.ones((2, 57), np.uint8)}, "keeps a top or a share"),
        ("attr57", {"attr57": np.ones((2, 57), np.int64)}, "must be uint8 of shape"),
        ("attr57", {"attr57": np.ones((1, 57), np.uint8)}, "must be uint8 of shape"),
        ("attr57", {"attr57": np.ones((2, 64), np.uint8)}, "must be uint8 of shape"),
    ],
)
def test_bad_weights_are_refused(text: str, weights: dict[str, NDArray[np.uint8]], message: str) -> None:
    rng = np.random.default_rng(3)
    table, _ = _table(rng, (30,))
    queries, _ = _queries(rng, 2)
    with pytest.raises(UsageError, match=message):
        Cascade.parse(text).search(table, queries, 5, weights=weights)


@pytest.mark.parametrize("kernel", [name for name in available_kernels() if name != "reference"])
@pytest.mark.parametrize("bits", [129, 144, 192])
@pytest.mark.parametrize("text", ["{0}", "{0}:top=60 > id32", "{0}:share=0.05+ > id32", "{0}<=70 > id32"])
def test_the_longest_codes_that_take_weights(kernel: str, bits: int, text: str) -> None:
    """The largest sums take all 16 binary digits, and distances of plain bits all 8."""
    rng = np.random.default_rng(bits)
    name = f"attr{bits}"
    gallery = rng.random((1700, bits)) < rng.choice([0.02, 0.5, 0.98], (1700, 1))  # many distances near 0 and the most
    table = CodeTable({name: pack_bits(gallery), "id32": pack_bits(rng.random((1700, 32)) - 0.5)})
    asked = np.zeros((3, bits), bool)
    queries = {name: pack_bits(asked), "id32": pack_bits(rng.random((3, 32)) - 0.5)}
    cascade = Cascade.parse(text.format(name))
    every = {name: np.full((3, bits), 255, np.uint8)}
    for weights in ({}, every) if "<=" not in text else ({},):
        one, two = (cascade.search(table, queries, 50, weights=weights, kernel=each) for each in (kernel, "reference"))
        for field in ("indices", "distances", "stages", "counts"):
            assert (getattr(one, field) == getattr(two, field)).all(), field
    if text == "{0}":
        found = cascade.search(table, queries, 1700, weights=every, kernel=kernel)
        assert found.distances[0].tolist() == sorted((255 * gallery.sum(axis=1)).tolist())
        assert found.distances.max() > 240 * bits


def test_long_codes_take_no_weights() -> None:
    rng = np.random.default_rng(4)
    rows = pack_bits(rng.random((9, 193)) - 0.5)
    with pytest.raises(UsageError, match="at most 192 bits"):
        Cascade.parse("id193").search(
            CodeTable({"id193": rows}), {"id193": rows[:1]}, 5, weights={"id193": np.ones((1, 193), np.uint8)}
        )
