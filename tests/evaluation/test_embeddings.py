from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftreid.errors import UsageError
from swiftreid.evaluation.embeddings import rank_by_embedding, stable_order


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=60))
def test_stable_order_is_a_stable_argsort(values: list[float]) -> None:
    distances = np.array(values, np.float32)
    assert stable_order(distances).tolist() == np.argsort(distances, kind="stable").tolist()


def test_stable_order_with_many_ties_and_both_zeros() -> None:
    distances = np.random.default_rng(0).integers(-3, 3, 5000).astype(np.float32)
    distances[distances == 0] *= np.where(np.arange((distances == 0).sum()) % 2, 1, -1)
    assert np.array_equal(stable_order(distances), np.argsort(distances, kind="stable"))


@pytest.mark.parametrize("block", [1, 7, 64])
def test_rankings_agree_with_naive_distances(block: int) -> None:
    rng = np.random.default_rng(0)
    query, gallery = rng.normal(size=(20, 16)).astype(np.float32), rng.normal(size=(90, 16)).astype(np.float32)
    rankings = list(rank_by_embedding(query, gallery, block=block))
    assert len(rankings) == 20
    for vector, ranking in zip(query.astype(float), rankings, strict=True):
        naive = [1 - vector @ e / np.linalg.norm(vector) / np.linalg.norm(e) for e in gallery.astype(float)]
        assert sorted(ranking.tolist()) == list(range(90))
        assert np.diff(np.array(naive)[ranking]).min() > -1e-5


def test_zero_vectors_stand_at_cosine_distance_1() -> None:
    gallery = np.array([[1, 0], [0, 0], [-1, 0]], np.float32)
    assert next(rank_by_embedding(np.array([[2, 0]], np.float32), gallery)).tolist() == [0, 1, 2]
    assert next(rank_by_embedding(np.array([[0, 0]], np.float32), gallery)).tolist() == [0, 1, 2]


def test_wrong_arguments_are_explained() -> None:
    good = np.ones((3, 4), np.float32)
    for query, gallery, options, message in [
        (good, np.ones((3, 5), np.float32), {}, r"\(3, 4\) and \(3, 5\)"),
        (good[0], good, {}, "must be"),
        (good, good * np.float32(np.nan), {}, "gallery embeddings hold NaN"),
        (good * np.float32(np.inf), good, {}, "query embeddings hold NaN or infinity"),
        (good, good, {"block": 0}, "block"),
    ]:
        with pytest.raises(UsageError, match=message):
            rank_by_embedding(query, gallery, **options)
