"""The protocol against a loop that follows its rules entry by entry."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_metrics import naive_inp, naive_standard, naive_trapezoid

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.protocol import evaluate_rankings

SHARED = Path(os.environ.get("SWIFTREID_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
INDEX = SHARED / "data/market1501_index"


def naive_flags(ranking, person, camera, persons, cameras, cross_camera, own):
    """Hits after junk removal, and the number of good matches that exist, entry by entry."""

    def verdict(entry: int) -> bool | None:
        if persons[entry] == -1:
            return None
        if cross_camera and persons[entry] == person and cameras[entry] == camera:
            return None
        if entry == own:
            return None
        return bool(persons[entry] == person)

    judged = [verdict(entry) for entry in ranking if entry >= 0]
    positives = sum(verdict(entry) is True for entry in range(len(persons)))
    return [flag for flag in judged if flag is not None], positives


def random_problem(rng: np.random.Generator, queries: int = 10, entries: int = 60):
    """Ids from -1 to 5 (0 a distractor), three cameras, rankings by distances with many ties, some cut short."""
    persons, cameras = rng.integers(-1, 6, entries), rng.integers(1, 4, entries)
    query_persons, query_cameras = rng.integers(-1, 7, queries), rng.integers(1, 4, queries)
    distances = rng.integers(0, 8, (queries, entries))
    rankings = [np.argsort(row, kind="stable")[: rng.choice([entries, entries, 5])] for row in distances]
    own = rng.integers(-1, entries, queries)
    return rankings, query_persons, query_cameras, persons, cameras, own


@pytest.mark.parametrize("cross_camera", [True, False])
@pytest.mark.parametrize("empty", ["skip", "zero"])
def test_1000_random_rankings_agree_with_the_rules(cross_camera: bool, empty: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(100):
        rankings, persons, cameras, entries, entry_cameras, own = random_problem(rng)
        lengths = [int(rng.integers(0, len(ranking) + 1)) for ranking in rankings]
        metrics = evaluate_rankings(
            iter(rankings),
            persons,
            cameras,
            entries,
            entry_cameras,
            empty=empty,  # type: ignore[arg-type]
            cross_camera=cross_camera,
            max_rank=20,
            self_positions=own,
            short_lists=lengths,
        )
        rows, skipped = [], 0
        for i, ranking in enumerate(rankings):
            flags, positives = naive_flags(
                ranking, persons[i], cameras[i], entries, entry_cameras, cross_camera, own[i]
            )
            if positives == 0:
                skipped += 1
                expected = (0.0, 0.0, 0.0, 0.0, [0.0] * 20) if empty == "zero" else None
            else:
                curve = [float(any(flags[:k])) for k in range(1, 21)]
                listed, _ = naive_flags(
                    ranking[: lengths[i]], persons[i], cameras[i], entries, entry_cameras, cross_camera, own[i]
                )
                expected = (
                    naive_standard(flags, positives),
                    naive_trapezoid(flags, positives),
                    naive_standard(listed, sum(listed)) if any(listed) else 0.0,
                    naive_inp(flags, positives),
                    curve,
                )
                assert metrics.first_match[i] == (flags.index(True) + 1 if any(flags) else 0)
            if expected is None:
                figures = metrics.ap_standard[i], metrics.ap_trapezoid[i], metrics.ap_short_list[i], metrics.inp[i]
                assert np.isnan(figures).all()
                continue
            assert abs(metrics.ap_standard[i] - expected[0]) < 1e-12
            assert abs(metrics.ap_trapezoid[i] - expected[1]) < 1e-12
            assert abs(metrics.ap_short_list[i] - expected[2]) < 1e-12
            assert abs(metrics.inp[i] - expected[3]) < 1e-12
            rows.append(expected)
        assert metrics.skipped == skipped
        assert metrics.valid == len(rankings) - skipped
        means = [np.mean([row[part] for row in rows], axis=0) for part in range(5)]
        assert np.abs(metrics.cmc - means[4]).max() < 1e-12
        got = [metrics.map_standard, metrics.map_trapezoid, metrics.map_short_list, metrics.minp]
        assert np.abs(np.array(got) - np.array(means[:4])).max() < 1e-12
        assert metrics.rank1 == metrics.rank(1) == metrics.cmc[0]


def small(**changes: object):
    """One query, person 1 by camera 1; gallery: junk, own camera, distractor, good match, other person."""
    arguments = {
        "rankings": np.array([[0, 1, 2, 3, 4]]),
        "query_persons": [1],
        "query_cameras": [1],
        "gallery_persons": [-1, 1, 0, 1, 2],
        "gallery_cameras": [2, 1, 2, 2, 2],
    }
    return evaluate_rankings(**{**arguments, **changes})  # type: ignore[arg-type]


def test_junk_rules_by_hand() -> None:
    metrics = small()
    assert metrics.first_match.tolist() == [2], "junk and the own camera vanish, the distractor stays before the match"
    assert (metrics.map_standard, metrics.map_trapezoid, metrics.minp) == (0.5, 0.25, 0.5)
    assert metrics.cmc[:3].tolist() == [0, 1, 1]


def test_without_cameras_only_the_own_picture_is_ignored() -> None:
    metrics = small(cross_camera=False)
    assert metrics.first_match.tolist() == [1]
    assert metrics.map_standard == pytest.approx((1 + 2 / 3) / 2)
    metrics = small(cross_camera=False, self_positions=[1])
    assert metrics.first_match.tolist() == [2]
    assert metrics.map_standard == 0.5
    assert not metrics.cross_camera
    assert "camera-less" in metrics.protocol
    assert "cross-camera" in small().protocol


def test_a_queried_person_0_is_a_person_like_any_other() -> None:
    metrics = small(query_persons=[0])
    assert metrics.first_match.tolist() == [2], "after junk; the picture of person 1 is wrong now"


def test_matches_that_a_cascade_dropped_count_as_never_found() -> None:
    metrics = small(rankings=[np.array([2, 4])])
    assert (metrics.map_standard, metrics.minp, metrics.incomplete) == (0, 0, 1)
    assert metrics.cmc.max() == 0
    assert metrics.first_match.tolist() == [0]
    assert small(rankings=np.array([[3, -1, -1]])).map_standard == 1
    assert small(rankings=[np.array([], np.int64)]).rank1 == 0


def test_skipped_queries_are_counted_and_may_count_as_zero() -> None:
    both = {"rankings": np.array([[3, 4], [3, 4]]), "query_persons": [1, 9], "query_cameras": [1, 1]}
    metrics = small(**both)
    assert (metrics.valid, metrics.skipped, metrics.map_standard, metrics.rank1) == (1, 1, 1.0, 1.0)
    assert np.isnan(metrics.ap_standard[1])
    metrics = small(**both, empty="zero")
    assert (metrics.valid, metrics.skipped, metrics.map_standard, metrics.rank1) == (1, 1, 0.5, 0.5)


def test_no_valid_query_points_to_the_doctor() -> None:
    for empty in ("skip", "zero"):
        with pytest.raises(SwiftReIDError, match="swiftreid doctor") as caught:
            small(query_cameras=[2], gallery_persons=[-1, 2, 0, 1, 2], empty=empty)
        assert not isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rankings": np.array([[0, 5]])}, "position 5; the gallery has 5"),
        ({"rankings": np.array([[0, 0]])}, "more than once"),
        ({"rankings": np.array([[0.5, 1]])}, "whole numbers|gallery positions"),
        ({"rankings": np.array([[0], [1]])}, "more rankings than the 1 queries"),
        ({"rankings": []}, "0 rankings for 1 queries"),
        ({"rankings": np.zeros((1, 2, 3), int)}, "one dimension"),
        ({"query_cameras": [1, 2]}, "2 query cameras"),
        ({"gallery_cameras": [1]}, "but 1 gallery cameras"),
        ({"query_persons": [1.5]}, "whole numbers"),
        ({"query_persons": [[1]]}, "one dimension"),
        ({"self_positions": [7]}, "self position 7"),
        ({"empty": "ignore"}, "'ignore'"),
        ({"max_rank": 0}, "max_rank"),
    ],
)
def test_wrong_arguments_are_explained(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        small(**changes)


def test_rank_outside_the_curve() -> None:
    for k in (0, 51):
        with pytest.raises(UsageError, match="ranks 1 to 50"):
            small().rank(k)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.permutations(range(60)))
def test_figures_do_not_depend_on_the_order_of_the_gallery(seed: int, order: list[int]) -> None:
    rankings, persons, cameras, entries, entry_cameras, _ = random_problem(np.random.default_rng(seed))
    place = np.argsort(order)  # entry e of the old gallery stands at place[e] in the new one
    try:
        left = evaluate_rankings(rankings, persons, cameras, entries, entry_cameras)
    except SwiftReIDError:
        return
    right = evaluate_rankings([place[r] for r in rankings], persons, cameras, entries[order], entry_cameras[order])
    assert np.array_equal(left.ap_standard, right.ap_standard, equal_nan=True)
    assert np.array_equal(left.first_match, right.first_match)


def test_rankings_are_streamed() -> None:
    entries = 20_000
    persons, cameras = np.arange(entries) % 500 + 1, np.arange(entries) % 7

    def stream():
        for _ in range(300):
            yield np.arange(entries)

    tracemalloc.start()
    evaluate_rankings(stream(), np.arange(300) + 1, np.full(300, 1), persons, cameras)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000, "the rankings alone would be 48 MB"


def load(name: str) -> np.ndarray:
    io = pytest.importorskip("scipy.io")
    if not INDEX.is_dir():
        pytest.skip("../shared/data/market1501_index is not there")
    content = io.loadmat(INDEX / f"{name}.mat")
    return next(value for key, value in content.items() if not key.startswith("__")).ravel().astype(np.int64)


@pytest.mark.shared
def test_market_1501_in_full_size() -> None:
    persons, cameras, entries, entry_cameras = (load(n) for n in ("queryID", "queryCam", "testID", "testCam"))
    assert len(load("train_label")) == len(load("train_cam")) == 12_936
    assert len(persons) == len(cameras) == 3_368
    assert len(entries) == len(entry_cameras) == 19_732
    assert int((entries != -1).sum()) == 15_913
    assert int((entries == 0).sum()) == 2_798
    assert len(set(persons.tolist())) == 750

    rng = np.random.default_rng(0)
    few = [rng.permutation(len(entries)) for _ in range(40)]
    metrics = evaluate_rankings((few[i % 40] for i in range(len(persons))), persons, cameras, entries, entry_cameras)
    assert (metrics.valid, metrics.skipped, metrics.incomplete) == (3_368, 0, 0)
    assert 0.0005 < metrics.map_standard < 0.005, "chance"
    for i in range(0, 3_368, 500):
        flags, positives = naive_flags(few[i % 40], persons[i], cameras[i], entries, entry_cameras, True, -1)
        assert abs(metrics.ap_standard[i] - naive_standard(flags, positives)) < 1e-12
        assert abs(metrics.ap_trapezoid[i] - naive_trapezoid(flags, positives)) < 1e-12

    perfect = ((np.argsort(entries != person, kind="stable")) for person in persons)
    metrics = evaluate_rankings(perfect, persons, cameras, entries, entry_cameras)
    assert metrics.map_standard == metrics.map_trapezoid == metrics.minp == metrics.rank1 == 1
