"""Several pictures as one query, against distances fused by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_cases import codes_like
from swiftreid.errors import UsageError
from swiftreid.reranking.expansion import vote
from swiftreid.reranking.multi_query import fuse_codes, fuse_embeddings, search_together
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable


def naive_distances(queries: np.ndarray, entries: np.ndarray) -> np.ndarray:
    left, right = (np.unpackbits(codes, axis=1).astype(int) for codes in (queries, entries))
    return np.abs(left[:, None] - right[None]).sum(axis=2)


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(0, 30), st.sampled_from([1, 4, 50]), st.booleans())
@settings(max_examples=60)
def test_fused_searches(seed: int, pictures: int, entries: int, k: int, masked: bool) -> None:
    rng = np.random.default_rng(seed)
    codes = codes_like(rng, pictures + entries, 72, 0.5)
    query, gallery = codes[:pictures], codes[pictures:]
    people = rng.integers(5, 8, pictures)
    mask = rng.random(entries) < 0.6 if masked else None
    live = np.arange(entries) if mask is None else np.flatnonzero(mask)
    apart = naive_distances(query, gallery)
    for fusion in ("mean", "nearest", "vote"):
        found = search_together(
            Cascade.parse("id72"), CodeTable({"id72": gallery}), {"id72": query}, people, k, fusion=fusion, mask=mask
        )
        for row, person in enumerate(sorted(set(people.tolist()))):
            own = np.flatnonzero(people == person)
            if fusion == "vote":
                fused = naive_distances(vote("id72", query[own], ties="turn")[None], gallery)[0].astype(float)
                considered = live
            else:
                fused = apart[own].min(axis=0) if fusion == "nearest" else apart[own].mean(axis=0)
                best = [sorted(live, key=lambda g: (apart[p, g], g))[:k] for p in own]
                considered = np.array(sorted({g for some in best for g in some}), int)
            expected = sorted(considered.tolist(), key=lambda g: (round(float(fused[g]), 9), g))[:k]
            assert found.counts[row] == len(expected)
            assert found.indices[row, : len(expected)].tolist() == expected
            assert np.allclose(found.distances[row, : len(expected)], fused[expected])
            assert (found.indices[row, len(expected) :] == -1).all()
        assert len(found.counts) == len(set(people.tolist()))


def test_nearest_is_exact_whatever_k() -> None:
    rng = np.random.default_rng(4)
    codes = codes_like(rng, 300, 128, 0.6)
    found = search_together(
        Cascade.parse("id128"), CodeTable({"id128": codes[3:]}), {"id128": codes[:3]}, [9, 9, 9], 20, fusion="nearest"
    )
    fused = naive_distances(codes[:3], codes[3:]).min(axis=0)
    assert found.indices[0].tolist() == np.argsort(fused, kind="stable")[:20].tolist()


def test_votes_and_means_by_person() -> None:
    codes = {"id32": np.array([[1, 0, 0, 0], [7, 0, 0, 0], [3, 1, 0, 0], [8, 0, 0, 0]], np.uint8)}
    fused = fuse_codes(codes, [4, 2, 4, 4])
    assert fused["id32"].tolist() == [[7, 0, 0, 0], [1, 0, 0, 0]]
    assert fuse_codes(codes, ["b", "b", "a", "a"])["id32"].tolist() == [[1, 0, 0, 0], [5, 0, 0, 0]]
    vectors = np.array([[2, 0], [0, 5], [3, 0]], np.float32)
    assert np.allclose(fuse_embeddings(vectors, [1, 1, 0]), [[1, 0], [0.5**0.5, 0.5**0.5]])
    assert fuse_embeddings(vectors[:0], []).shape == (0, 2)
    assert fuse_codes({"id32": codes["id32"][:0]}, [])["id32"].shape == (0, 4)


def test_of_two_pictures_neither_counts_more() -> None:
    one, other = np.random.default_rng(3).integers(0, 256, (2, 1, 256), np.uint8)
    for pair in ([one, other], [other, one]):
        fused = fuse_codes({"id2048": np.concatenate(pair)}, [0, 0])["id2048"]
        apart = [int(naive_distances(fused, code)[0, 0]) for code in (one, other)]
        assert abs(apart[0] - apart[1]) <= 1
        assert sum(apart) == naive_distances(one, other)[0, 0]


def test_wrong_arguments_are_refused() -> None:
    codes = np.zeros((2, 4), np.uint8)
    table, cascade = CodeTable({"id32": codes}), Cascade.parse("id32")
    with pytest.raises(UsageError, match="fusion must be"):
        search_together(cascade, table, {"id32": codes}, [1, 2], fusion="best")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="one person for each of 2 pictures"):
        search_together(cascade, table, {"id32": codes}, [1])
    with pytest.raises(UsageError, match="needs the code id32"):
        search_together(cascade, table, {"id64": np.zeros((2, 8), np.uint8)}, [1, 2])
    with pytest.raises(UsageError, match=r"must be \[q, d\]"):
        fuse_embeddings(np.ones(3, np.float32), [1])
