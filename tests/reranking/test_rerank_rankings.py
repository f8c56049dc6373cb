"""Sparse k-reciprocal re-ranking against the dense formulas."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dense_reciprocal import dense_reciprocal
from search_cases import codes_like, in_two
from swiftreid.errors import UsageError
from swiftreid.reranking import neighbours, reciprocal
from swiftreid.reranking.gallery_graph import GalleryGraph
from swiftreid.reranking.neighbours import CodeSpace, VectorSpace
from swiftreid.reranking.reciprocal import Inverted, Reciprocal, Sparse
from swiftreid.reranking.rerank import rerank_codes, rerank_embeddings, rerank_results, reranked_distances
from swiftreid.search.codes import bits_of
from swiftreid.search.table import CodeTable

SETTINGS = st.builds(
    Reciprocal,
    k1=st.sampled_from([1, 2, 3, 5, 6, 7, 20, 100]),
    k2=st.sampled_from([1, 2, 3, 6, 50]),
    lambda_=st.sampled_from([0.0, 0.3, 1.0]),
)


def naive_hamming(codes: np.ndarray) -> np.ndarray:
    bits = np.unpackbits(codes, axis=1).astype(int)
    return np.array([[int(np.sum(a != b)) for b in bits] for a in bits])


def groups_of_vectors(rng: np.random.Generator, count: int, width: int = 6, spread: float = 0.4) -> np.ndarray:
    centres = rng.normal(size=(max(1, count // 5), width))
    return (centres[rng.integers(len(centres), size=count)] + spread * rng.normal(size=(count, width))).astype(
        np.float32
    )


def own_cosines(space: VectorSpace, vectors: np.ndarray) -> np.ndarray:
    """A space's own distances, once seen to be right: in the last digit, and so in order, others may differ."""
    unit = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1)[:, None]
    own = space.block(np.arange(len(vectors))).astype(float)
    assert np.allclose(own, 1 - unit @ unit.T, atol=1e-6)
    np.fill_diagonal(own, 0)
    return own


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 40), st.sampled_from(["id32", "id72"]), SETTINGS)
@settings(max_examples=80)
def test_codes_equal_the_dense_formulas(seed: int, queries: int, entries: int, name: str, given_: Reciprocal) -> None:
    """Few bits and copied rows: ties are everywhere, and so are lists shorter than k1."""
    codes = codes_like(np.random.default_rng(seed), queries + entries, bits_of(name), 0.5)
    expected = dense_reciprocal(naive_hamming(codes), queries, given_.k1, given_.k2, given_.lambda_)
    space = CodeSpace(name, [codes[:queries], codes[queries:]])
    blocks = list(reranked_distances(space, queries, given_))
    assert np.allclose(np.vstack(blocks) if blocks else np.empty((0, entries)), expected, atol=1e-6)
    rankings = list(rerank_codes(name, codes[:queries], codes[queries:], given_))
    assert len(rankings) == queries
    for ranking, row in zip(rankings, expected, strict=True):
        assert sorted(ranking) == list(range(entries))
        assert (np.diff(row[ranking]) >= -2e-6).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 40), SETTINGS)
@settings(max_examples=50)
def test_embeddings_equal_the_dense_formulas(seed: int, queries: int, entries: int, given_: Reciprocal) -> None:
    vectors = groups_of_vectors(np.random.default_rng(seed), queries + entries)
    space = VectorSpace([vectors[:queries], vectors[queries:]])
    distances = own_cosines(space, vectors)
    expected = dense_reciprocal(distances, queries, given_.k1, given_.k2, given_.lambda_)
    found = np.vstack(list(reranked_distances(space, queries, given_)))
    rounding = 1e-6 / distances.max(axis=1).min()  # cosines have an error of 1e-7 or so
    assert np.allclose(found, expected, atol=rounding)
    for ranking, row in zip(rerank_embeddings(vectors[:queries], vectors[queries:], given_), expected, strict=True):
        assert (np.diff(row[ranking]) >= -2 * rounding).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(["id32", "id72"]), SETTINGS)
@settings(max_examples=40)
def test_results_are_reranked_as_if_they_were_the_gallery(
    seed: int, entries: int, name: str, given_: Reciprocal
) -> None:
    rng = np.random.default_rng(seed)
    codes = codes_like(rng, 3 + entries, bits_of(name), 0.5)
    queries, gallery = codes[:3], codes[3:]
    table = in_two(rng, name, gallery)
    results = np.array([rng.permutation(entries)[: 1 + entries // 2] for _ in queries])
    results[rng.random(results.shape) < 0.2] = -1
    answer = rerank_results(table, name, queries, results, given_)
    for row, query in enumerate(queries):
        chosen = np.unique(results[row][results[row] >= 0])
        count = len(chosen)
        assert answer.counts[row] == count
        found, distances = answer.indices[row, :count], answer.distances[row, :count]
        assert sorted(found) == chosen.tolist()
        assert (answer.indices[row, count:] == -1).all()
        assert np.isnan(answer.distances[row, count:]).all()
        if count:
            among = naive_hamming(np.vstack([query, gallery[chosen]]))
            dense = dense_reciprocal(among, 1, given_.k1, given_.k2, given_.lambda_)
            expected = dict(zip(chosen.tolist(), dense[0], strict=True))
            assert np.allclose(distances, [expected[g] for g in found.tolist()], atol=1e-6)
            assert (np.diff(distances) >= 0).all()
            assert (np.diff(found)[np.diff(distances) == 0] > 0).all()


def test_all_entries_as_results_are_reranked_as_by_the_graph() -> None:
    codes = codes_like(np.random.default_rng(5), 124, 72, 0.5)
    table, everything = CodeTable({"id72": codes[4:]}), np.tile(np.arange(120), (4, 1))
    graph = GalleryGraph.of_codes(table, "id72", Reciprocal(k1=7, k2=3)).rerank(everything, codes[:4])
    answer = rerank_results(table, "id72", codes[:4], everything, Reciprocal(k1=7, k2=3))
    by_entry = [np.take_along_axis(r.distances, np.argsort(r.indices, axis=1), axis=1) for r in (answer, graph)]
    assert np.allclose(*by_entry, atol=1e-6)


def test_results_that_do_not_fit_are_refused() -> None:
    codes = np.zeros((4, 4), np.uint8)
    table = CodeTable({"id32": codes})
    with pytest.raises(UsageError, match="positions must lie in"):
        rerank_results(table, "id32", codes[:1], np.array([[4]]))
    with pytest.raises(UsageError, match="indices must be"):
        rerank_results(table, "id32", codes[:2], np.array([[1]]))
    with pytest.raises(UsageError, match="no code 'id64'"):
        rerank_results(table, "id64", np.zeros((1, 8), np.uint8), np.array([[1]]))
    with pytest.raises(UsageError, match="uint8"):
        rerank_results(table, "id32", np.zeros((1, 4), np.float32), np.array([[1]]))  # type: ignore[arg-type]


def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = codes_like(np.random.default_rng(3), 130, 128, 0.4)
    whole = np.vstack(list(reranked_distances(CodeSpace("id128", [codes]), 30)))
    assert np.allclose(whole, dense_reciprocal(naive_hamming(codes), 30, 20, 6, 0.3), atol=1e-6)
    monkeypatch.setattr("swiftreid.reranking.rerank.BLOCK_BYTES", 5000)
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 5000)
    monkeypatch.setattr(reciprocal, "_BLOCK", 7)
    monkeypatch.setattr(reciprocal, "_PAIRS", 10)
    blocks = list(reranked_distances(CodeSpace("id128", [codes[:50], codes[50:51], codes[51:]]), 30))
    assert len(blocks) > 5
    assert np.allclose(np.vstack(blocks), whole, atol=1e-7)


def test_people_seen_several_times_gain_and_lambda_one_changes_nothing() -> None:
    vectors = groups_of_vectors(np.random.default_rng(5), 60)
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    plain = np.argsort(1 - unit[:10] @ unit[10:].T, axis=1, kind="stable")
    same = list(rerank_embeddings(vectors[:10], vectors[10:], Reciprocal(lambda_=1)))
    assert np.array_equal(same, plain)
    assert not np.array_equal(list(rerank_embeddings(vectors[:10], vectors[10:], Reciprocal(k1=5, k2=2))), plain)


def test_memory_grows_with_pictures_not_with_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 6,000 pictures one float32 matrix of all pairs would take 144 MB, and the usual program holds several."""
    monkeypatch.setattr("swiftreid.reranking.rerank.BLOCK_BYTES", 2**22)
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 2**22)
    monkeypatch.setattr(reciprocal, "_BLOCK", 128)
    monkeypatch.setattr(reciprocal, "_PAIRS", 2**16)
    peaks = []
    for count in (3000, 6000):
        rng = np.random.default_rng(0)
        people = rng.random((count // 8, 128)) < 0.5
        bits = people[rng.integers(len(people), size=count)] ^ (rng.random((count, 128)) < 0.15)
        codes = np.packbits(bits, axis=1, bitorder="little")
        tracemalloc.start()
        for block in reranked_distances(CodeSpace("id128", [codes]), 200):
            assert block.nbytes < 2**22
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 40e6, peaks
    assert peaks[1] < 2.2 * peaks[0], peaks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k1": 0}, "k1 must be a whole number"),
        ({"k1": 2.5}, "k1 must be a whole number"),
        ({"k2": 0}, "k2 must be a whole number"),
        ({"k2": True}, "k2 must be a whole number"),
        ({"lambda_": 1.5}, "lambda must be from 0 to 1"),
        ({"lambda_": float("nan")}, "lambda must be from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Reciprocal(**arguments)  # type: ignore[arg-type]


def test_half_of_k1_is_rounded_as_in_the_released_code() -> None:
    assert [Reciprocal(k1=k).half for k in (1, 3, 5, 7, 20, 25)] == [
        int(np.around(k / 2)) for k in (1, 3, 5, 7, 20, 25)
    ]


def test_wrong_arrays_are_refused() -> None:
    codes, vectors = np.zeros((4, 4), np.uint8), np.ones((4, 3), np.float32)
    with pytest.raises(UsageError, match="id128 needs 16 bytes"):
        rerank_codes("id128", codes, codes)
    with pytest.raises(UsageError, match="equally wide"):
        rerank_embeddings(vectors, vectors[:, :2])
    with pytest.raises(UsageError, match="NaN"):
        rerank_embeddings(vectors * np.float32(np.nan), vectors)
    with pytest.raises(UsageError, match="got 9"):
        reranked_distances(CodeSpace("id32", [codes]), 9)


def test_vectors_of_zeros_and_equal_pictures_give_finite_distances() -> None:
    zeros = np.zeros((30, 4), np.float32)
    assert np.isfinite(np.vstack(list(reranked_distances(VectorSpace([zeros]), 3)))).all()
    same = np.vstack(list(reranked_distances(CodeSpace("id32", [np.ones((30, 4), np.uint8)]), 3)))
    assert np.allclose(same, dense_reciprocal(np.zeros((30, 30)), 3, 20, 6, 0.3), atol=1e-6)


def test_no_distance_is_negative_by_rounding() -> None:
    """Rankings order floats by their bits, which is right for floats that are not negative."""
    third = np.full(6, 1 / 3, np.float32)  # three of these are more than 1
    same = Sparse(np.array([0, 3, 6]), np.array([2, 5, 7, 2, 5, 7]), third)
    assert Inverted(same).jaccard(same, np.array([0, 1])).tolist() == [[0, 0], [0, 0]]
