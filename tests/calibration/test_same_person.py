from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swiftreid.calibration.same_person import SamePerson, decide, fit_same_person
from swiftreid.errors import UsageError
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import pack_bits
from swiftreid.search.table import CodeTable


def drawn(seed: int, pictures: int = 40, people: int = 7, flipped: float = 0.2):
    rng = np.random.default_rng(seed)
    persons, cameras = rng.integers(0, people, pictures), rng.integers(0, 3, pictures)
    own = rng.random((people, 64)) > 0.5
    return pack_bits(own[persons] ^ (rng.random((pictures, 64)) < flipped)), persons, cameras


def naive_false_accepts(distances: np.ndarray, persons: np.ndarray, threshold: float, gallery: int) -> float:
    chances = []
    for i, person in enumerate(persons):
        strangers = distances[i][persons != person]
        outside = int((strangers > threshold).sum())
        chances.append(1 - math.comb(outside, gallery) / math.comb(len(strangers), gallery))
    return float(np.mean(chances))


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 20), st.sampled_from([0.02, 0.1, 0.4]))
def test_the_threshold_is_the_largest_allowed(seed: int, gallery: int, allowed: float) -> None:
    codes, persons, cameras = drawn(seed)
    distances = np.array([[int(np.bitwise_count(a ^ b).sum()) for b in codes] for a in codes])
    found = fit_same_person(codes, persons, cameras, code="id64", false_accepts=allowed, gallery=gallery)
    assert found.false_accepts == pytest.approx(naive_false_accepts(distances, persons, found.threshold, gallery))
    assert found.met == (found.false_accepts <= allowed)
    assert naive_false_accepts(distances, persons, found.threshold + 1, gallery) > allowed
    stranger = persons[:, None] != persons[None, :]
    match = ~stranger & (cameras[:, None] != cameras[None, :])
    assert found.false_accepts_per_pair == pytest.approx((distances[stranger] <= found.threshold).mean())
    assert found.recall_per_pair == pytest.approx((distances[match] <= found.threshold).mean())
    nearest = [distances[i][match[i]].min() for i in range(len(persons)) if match[i].any()]
    assert found.recall == pytest.approx(np.mean(np.array(nearest) <= found.threshold))
    sizes = [found.false_accepts_in(size) for size in (1, gallery, gallery + 1, 100, 10_000)]
    assert sizes == sorted(sizes)


def test_a_gallery_larger_than_what_is_held_out_takes_pairs_as_independent() -> None:
    codes, persons, cameras = drawn(3, pictures=200, people=40, flipped=0.05)
    found = fit_same_person(codes, persons, cameras, code="id64", false_accepts=0.3, gallery=5_000)
    assert found.false_accepts == pytest.approx(1 - (1 - found.false_accepts_per_pair) ** 5_000)
    assert found.false_accepts_in(5_000) == pytest.approx(found.false_accepts)
    assert found.false_accepts <= 0.3
    assert found.threshold < fit_same_person(codes, persons, cameras, code="id64", false_accepts=0.3).threshold


def test_strangers_that_look_the_same_are_owned_up_to() -> None:
    codes = np.zeros((6, 8), np.uint8)
    found = fit_same_person(codes, [1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1], code="id64")
    assert (found.threshold, found.met, found.false_accepts, found.recall) == (0, False, 1.0, 1.0)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_embeddings_by_cosine_distance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    persons, cameras = np.repeat(np.arange(10), 4), np.tile([0, 1], 20)
    vectors = (rng.standard_normal((10, 16))[persons] + 0.6 * rng.standard_normal((40, 16))).astype(np.float32)
    found = fit_same_person(vectors, persons, cameras, false_accepts=0.1, gallery=5)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 1 - unit.astype(np.float64) @ unit.T
    # Distances are counted in steps of 0.001, rounded up.
    assert naive_false_accepts(distances, persons, found.threshold - 1e-5, 5) <= 0.1 + 1e-9
    assert naive_false_accepts(distances, persons, found.threshold + 0.00101, 5) > 0.1
    match = (persons[:, None] == persons[None, :]) & (cameras[:, None] != cameras[None, :])
    assert found.recall_per_pair == pytest.approx((distances[match] <= found.threshold).mean(), abs=0.02)
    scaled = fit_same_person(vectors * 3, persons, cameras, false_accepts=0.1, gallery=5)
    assert scaled.threshold == pytest.approx(found.threshold, abs=0.0011)


def test_junk_is_left_out() -> None:
    codes, persons, cameras = drawn(5)
    junk = np.random.default_rng(0).integers(0, 256, (30, 8), np.uint8)
    found = fit_same_person(codes, persons, cameras, code="id64")
    with_junk = (np.concatenate([codes, junk]), np.append(persons, [-1] * 30), np.append(cameras, [0] * 30))
    assert fit_same_person(*with_junk, code="id64") == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"false_accepts": 0.0}, "false_accepts"),
        ({"false_accepts": 1.0}, "false_accepts"),
        ({"gallery": 0}, "at least 1 entry"),
        ({"persons": np.zeros(40, int)}, "two people"),
        ({"cameras": np.zeros(40, int)}, "two cameras"),
        ({"persons": np.zeros(3, int)}, "need shape"),
    ],
)
def test_arguments_out_of_range(change: dict, message: str) -> None:
    codes, persons, cameras = drawn(0)
    with pytest.raises(UsageError, match=message):
        fit_same_person(**({"vectors": codes, "persons": persons, "cameras": cameras, "code": "id64"} | change))


def test_packed_codes_are_no_embeddings() -> None:
    codes, persons, cameras = drawn(0)
    with pytest.raises(UsageError, match=r"uint8: for packed codes give their name, as in code='id2048'"):
        fit_same_person(codes, persons, cameras)
    with pytest.raises(UsageError, match="these vectors are int64"):
        fit_same_person(codes.astype(np.int64), persons, cameras)
    assert fit_same_person(codes.astype(np.float64), persons, cameras).code == "embedding"


def test_embeddings_that_are_not_finite_are_refused() -> None:
    codes, persons, cameras = drawn(0)
    vectors = codes.astype(np.float32)
    vectors[3, 1], vectors[7, 0] = np.nan, np.inf
    with pytest.raises(UsageError, match=r"embedding 3 \(and 1 more\) holds a number that is not finite"):
        fit_same_person(vectors, persons, cameras)


THRESHOLD = SamePerson("id64", 20, 100, 0.05, 0.001, 0.5, 0.4, True, 5, 30)


def table_and_queries() -> tuple[CodeTable, dict[str, np.ndarray]]:
    rng = np.random.default_rng(8)
    codes = {"id16": rng.integers(0, 256, (60, 4), np.uint8), "id64": rng.integers(0, 256, (60, 8), np.uint8)}
    for code in codes.values():
        code[:, 2:] = 0 if code.shape[1] == 4 else code[:, 2:]
    queries = {name: code[:5].copy() for name, code in codes.items()}
    queries["id64"][3:] ^= 255  # far from everything
    return CodeTable(codes), queries


def test_decisions_on_a_search() -> None:
    table, queries = table_and_queries()
    result = Cascade.parse("id64").search(table, queries, k=4)
    made = decide(result, 20)
    np.testing.assert_array_equal(made.same, result.distances <= 20)
    assert made.unknown[:3].tolist() == [False] * 3
    np.testing.assert_array_equal(made.unknown, result.distances[:, 0] > 20)
    np.testing.assert_array_equal(decide(result, THRESHOLD).same, made.same)


def test_only_the_last_stage_decides() -> None:
    """A full ranking ends in entries whose distances are those of shorter codes: small, and no sign of a match."""
    table, queries = table_and_queries()
    ranked = Cascade.parse("id16:top=5 > id64").rank(table, queries)
    made = decide(ranked, 20)
    assert ((ranked.stages == 0) & (ranked.distances <= 20)).any()
    np.testing.assert_array_equal(made.same, (ranked.stages == 1) & (ranked.distances <= 20))


def test_rows_that_have_ended_are_no_match_and_nobody_is_unknown_among_them() -> None:
    table, queries = table_and_queries()
    result = Cascade.parse("id64").search(table, queries, k=4, mask=np.zeros(60, bool))
    assert not decide(result, 64).same.any()
    assert decide(result, 64).unknown.all()


def test_a_threshold_for_another_code_is_refused() -> None:
    table, queries = table_and_queries()
    result = Cascade.parse("id64 > id16").search(table, queries, k=4)
    with pytest.raises(UsageError, match="is for id64, but the search ended in id16"):
        decide(result, THRESHOLD)
    with pytest.raises(UsageError, match="at least 0"):
        decide(result, -1)
    with pytest.raises(UsageError, match="at least 0"):
        decide(result, math.nan)
