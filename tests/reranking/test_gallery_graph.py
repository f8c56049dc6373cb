"""Re-ranking candidates by the gallery's graph equals the dense formulas for one query and the gallery."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rerank_rankings import SETTINGS, groups_of_vectors, naive_hamming, own_cosines

from dense_reciprocal import dense_reciprocal
from search_cases import codes_like, in_two
from swiftreid.errors import UsageError
from swiftreid.reranking.gallery_graph import GalleryGraph
from swiftreid.reranking.neighbours import VectorSpace
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import bits_of
from swiftreid.search.table import CodeTable


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(["id32", "id72"]), st.booleans(), SETTINGS)
@settings(max_examples=40)
def test_candidates_get_the_dense_distances(
    seed: int, entries: int, name: str, ahead: bool, given_: Reciprocal
) -> None:
    rng = np.random.default_rng(seed)
    codes = codes_like(rng, 3 + entries, bits_of(name), 0.5)
    queries, gallery = codes[:3], codes[3:]
    table = in_two(rng, name, gallery)
    mask = rng.random(entries) < 0.7 if rng.random() < 0.5 else None
    live = np.arange(entries) if mask is None else np.flatnonzero(mask)
    graph = GalleryGraph.of_codes(table, name, given_, mask=mask)
    if ahead:
        graph.build()
        assert graph.made == len(graph) == len(live)
    candidates = np.array([rng.permutation(entries)[: 1 + entries // 2] for _ in queries])
    candidates[rng.random(candidates.shape) < 0.2] = -1
    answer = graph.rerank(candidates, queries)
    for row, query in enumerate(queries):
        chosen = np.intersect1d(candidates[row], live)
        assert answer.counts[row] == len(chosen)
        found, distances = answer.indices[row, : len(chosen)], answer.distances[row, : len(chosen)]
        assert sorted(found) == chosen.tolist()
        assert (answer.indices[row, len(chosen) :] == -1).all()
        assert np.isnan(answer.distances[row, len(chosen) :]).all()
        if len(chosen):
            dense = dense_reciprocal(
                naive_hamming(np.vstack([query, gallery[live]])), 1, given_.k1, given_.k2, given_.lambda_
            )
            expected = dict(zip(live.tolist(), dense[0], strict=True))
            assert np.allclose(distances, [expected[g] for g in found.tolist()], atol=1e-6)
            assert (np.diff(distances) >= 0).all()
            equal = np.diff(distances) == 0
            assert (np.diff(found)[equal] > 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), SETTINGS)
@settings(max_examples=40)
def test_embeddings_get_the_dense_distances(seed: int, entries: int, given_: Reciprocal) -> None:
    vectors = groups_of_vectors(np.random.default_rng(seed), entries + 1)
    original = np.zeros((entries + 1, entries + 1))
    space = VectorSpace([vectors[1:]])
    original[1:, 1:] = own_cosines(space, vectors[1:])
    original[0, 1:] = original[1:, 0] = space.between(VectorSpace([vectors[:1]]).units(np.array([0])))[0]
    expected = dense_reciprocal(original, 1, given_.k1, given_.k2, given_.lambda_)[0]
    graph = GalleryGraph.of_embeddings(vectors[1:], given_)
    graph.build()
    answer = graph.rerank(np.arange(entries)[None], vectors[:1])
    # Cosines have an error of 1e-7 or so, which is larger beside a small largest distance.
    assert np.allclose(answer.distances[0], expected[answer.indices[0]], atol=1e-6 / original.max(axis=1).min())


def test_after_a_cascade_only_what_is_needed_is_made() -> None:
    rng = np.random.default_rng(1)
    people = rng.random((500, 256)) < 0.5
    bits = people[rng.integers(500, size=4000)] ^ (rng.random((4000, 256)) < 0.1)
    codes = np.packbits(bits, axis=1, bitorder="little")
    table = CodeTable({"id32": np.ascontiguousarray(codes[:, :4]), "id256": codes})
    queries = {name: table.rows(name, np.arange(2)) for name in table.names}
    found = Cascade.parse("id32:top=500 > id256").search(table, queries, k=10).indices
    graph = GalleryGraph.of_codes(table, "id256")
    lazily = graph.rerank(found, queries["id256"])
    assert 20 <= graph.made < 2000
    graph.build()
    assert graph.nbytes < 4000 * 200
    ahead = graph.rerank(found, queries["id256"])
    assert np.array_equal(lazily.indices, ahead.indices)
    assert np.array_equal(np.sort(lazily.indices), np.sort(found))


def test_progress_reaches_the_end() -> None:
    reports: list[tuple[object, ...]] = []
    GalleryGraph.of_embeddings(np.eye(5, dtype=np.float32)).build(lambda *report: reports.append(report))
    assert reports == [("finding neighbours", 5, 5)]


def test_empty_galleries_and_no_candidates() -> None:
    none = GalleryGraph.of_codes(CodeTable({"id32": np.zeros((0, 4), np.uint8)}), "id32")
    none.build()
    answer = none.rerank(np.full((2, 3), -1), np.zeros((2, 4), np.uint8))
    assert answer.counts.tolist() == [0, 0]
    assert none.rerank(np.zeros((0, 3), np.int64), np.zeros((0, 4), np.uint8)).indices.shape == (0, 3)


def test_wrong_arguments_are_refused() -> None:
    codes = np.zeros((4, 4), np.uint8)
    table = CodeTable({"id32": codes})
    graph = GalleryGraph.of_codes(table, "id32")
    with pytest.raises(UsageError, match="candidate 4 is not in the gallery, which has 4"):
        graph.rerank(np.array([[4]]), codes[:1])
    masked = GalleryGraph.of_codes(table, "id32", mask=np.arange(4) < 2)
    assert masked.rerank(np.array([[3, 0]]), codes[:1]).indices.tolist() == [[0, -1]]
    with pytest.raises(UsageError, match="candidate 4 is not in the gallery, which has 4"):
        masked.rerank(np.array([[0, 4]]), codes[:1])
    with pytest.raises(UsageError, match="candidates must be"):
        graph.rerank(np.array([[1]]), codes[:2])
    with pytest.raises(UsageError, match="uint8"):
        graph.rerank(np.array([[1]]), np.zeros((1, 4), np.float32))
    with pytest.raises(UsageError, match="mask must be bool"):
        GalleryGraph.of_codes(table, "id32", mask=np.ones(3, bool))
    with pytest.raises(UsageError, match="no code 'id64'"):
        GalleryGraph.of_codes(table, "id64")
    with pytest.raises(UsageError, match="have 3 values"):
        GalleryGraph.of_embeddings(np.eye(3, dtype=np.float32)).rerank(np.array([[1]]), np.ones((1, 2), np.float32))
