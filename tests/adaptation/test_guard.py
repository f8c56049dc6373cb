"""The guard of adapting: how far nearest clusters lead, and when a gain is believed."""

from __future__ import annotations

import numpy as np
import pytest

from swiftreid.adaptation.guard import ENOUGH, Leads, judge, leads_of
from swiftreid.clustering.strangers import CAP, FLOOR
from swiftreid.clustering.two_stage import centred


def crowd(people: int, cameras: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One picture of each person by each camera: embeddings, cameras and clusters within cameras."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 16))
    units = np.concatenate([centres + noise * rng.normal(size=centres.shape) for _ in range(cameras)])
    return units.astype(np.float32), np.repeat(np.arange(cameras), people), np.arange(people * cameras)


def strangers(count: int, dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    units = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return units, np.arange(count) % 2, np.arange(count)


def naive(units: np.ndarray, cameras: np.ndarray) -> tuple[list[float], list[int]]:
    """Of clusters of one picture each, by loops: what each adds to the mean lead, and the nearest ones."""

    def log_distances(one: int, camera: int) -> list[tuple[float, int]]:
        others = [other for other in range(len(units)) if cameras[other] == camera and other != one]
        return sorted((float(np.log(np.linalg.norm(units[one] - units[other]))), other) for other in others)

    gaps, nearest, spacings = [], [], []
    for one in range(len(units)):
        own = [distance for distance, _ in log_distances(one, cameras[one])]
        spacings.append(float(np.mean([k * (own[k] - own[k - 1]) for k in range(1, 9)])))
        elsewhere = [log_distances(one, camera) for camera in set(cameras.tolist()) - {cameras[one]}]
        (first, place), (following, _) = min(elsewhere)[:2]
        gaps.append(following - first)
        nearest.append(place)
    unit = float(np.mean(spacings))
    leads = [min(gap / unit, np.log(CAP / FLOOR)) for gap in gaps]
    mean = float(np.mean(leads))
    return [lead - mean * (spacing / unit - 1) for lead, spacing in zip(leads, spacings, strict=True)], nearest


def same(found: Leads, expected: tuple[list[float], list[int]]) -> None:
    np.testing.assert_allclose(found.values, expected[0], atol=5e-3)
    np.testing.assert_array_equal(found.nearest, expected[1])


@pytest.mark.parametrize("cameras", [2, 4, 16])
def test_leads_are_those_of_a_loop(cameras: int) -> None:
    units, by, clusters = crowd(160 // cameras, cameras, 0.5)
    same(leads_of(units, by, clusters), naive(centred(units).astype(np.float64), by))


@pytest.mark.parametrize("dimensions", [4, 8, 16, 32])
def test_among_strangers_the_lead_is_one_in_every_embedding(dimensions: int) -> None:
    assert 0.93 < leads_of(*strangers(4000, dimensions, 1)).values.mean() < 1.07


def test_clusters_are_compared_by_their_means() -> None:
    units, cameras, clusters = crowd(80, 2, 0.3)
    pictures = np.concatenate([units, np.roll(units, 1, axis=0)])  # two of each cluster, which do not look alike
    found = leads_of(pictures, np.tile(cameras, 2), np.tile(clusters, 2))
    halves = centred(pictures).astype(np.float64).reshape(2, 160, -1)
    means = halves.sum(axis=0) / np.linalg.norm(halves.sum(axis=0), axis=1, keepdims=True)
    same(found, naive(means, cameras))


def test_many_cameras_of_few_clusters_are_compared_with_all_others() -> None:
    units, cameras, clusters = crowd(12, 10, 0.2)
    found = leads_of(units, cameras, clusters)
    assert np.isfinite(found.values).all()
    assert (found.nearest >= 0).all()
    alone = leads_of(units, np.zeros(120, int), clusters)
    assert np.isnan(alone.values).all()
    assert "only 0 clusters" in judge(alone, alone).reason


def test_cameras_of_very_few_clusters_are_left_out() -> None:
    """Their neighbours cannot give a unit."""
    units, cameras, clusters = crowd(40, 2, 0.3)
    few, by, numbers = crowd(4, 3, 0.3, seed=1)
    found = leads_of(
        np.concatenate([units, few]), np.concatenate([cameras, by + 2]), np.concatenate([clusters, numbers + 80])
    )
    assert (found.nearest[:80] >= 0).all()
    assert found.nearest[:80].max() < 80
    assert np.isnan(found.values[80:]).all()
    assert (found.nearest[80:] == -1).all()


def test_embeddings_that_are_all_the_same_are_no_gain() -> None:
    units, cameras, clusters = crowd(100, 2, 0.8)
    collapsed = np.ones_like(units) + 1e-7 * units
    verdict = judge(leads_of(units, cameras, clusters), leads_of(collapsed, cameras, clusters))
    assert not verdict.believed


@pytest.mark.parametrize(
    ("noise", "believed", "words"), [(0.4, True, ""), (0.8, False, "no gain"), (2.0, False, "no gain")]
)
def test_the_guard_believes_in_gains_beyond_chance(noise: float, believed: bool, words: str) -> None:
    before = leads_of(*crowd(200, 2, 0.8))
    verdict = judge(before, leads_of(*crowd(200, 2, noise)))
    assert verdict.believed is believed
    assert words in verdict.reason
    assert verdict.clusters == 400
    assert verdict.before == pytest.approx(before.values.mean())


def leading(values: np.ndarray, nearest: np.ndarray | None = None) -> Leads:
    return Leads(values, np.arange(len(values)) if nearest is None else nearest)


def test_the_error_counts_each_group_once() -> None:
    """Every cluster three times over is no more evidence."""
    rng = np.random.default_rng(5)
    gains = rng.normal(0.2, 1, 90)
    alone = judge(leading(np.zeros(90)), leading(gains))
    assert alone.error == pytest.approx(gains.std(ddof=1) / np.sqrt(90))
    thrice = judge(leading(np.zeros(270)), leading(np.tile(gains, 3)), np.tile(np.arange(90), 3))
    assert thrice.error == pytest.approx(alone.error, rel=0.01)
    assert judge(leading(np.zeros(270)), leading(np.tile(gains, 3))).error == pytest.approx(
        alone.error / np.sqrt(3), rel=0.01
    )


def test_the_error_is_that_of_a_loop_over_pairs_with_a_person_in_common() -> None:
    rng = np.random.default_rng(6)
    gains, groups = rng.normal(size=1500), rng.integers(0, 900, 1500)
    gains[:-1] += gains[1:]
    before, after = rng.integers(0, 1500, (2, 1500))
    after = np.where(rng.random(1500) < 0.5, before, after)
    error = judge(leading(np.zeros(1500), before), leading(gains, after), groups).error
    rest = gains - gains.mean()
    people = [{groups[one], groups[before[one]], groups[after[one]]} for one in range(1500)]
    squares = sum(
        rest[one] * rest[other] for one in range(1500) for other in range(1500) if people[one] & people[other]
    )
    assert squares > rest @ rest
    assert error == pytest.approx(np.sqrt(squares / (1500 * 1499)))


def believed(pairs: list[tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]]) -> float:
    return float(np.mean([judge(leads_of(*one), leads_of(*other)).believed for one, other in pairs]))


def test_chance_seldom_misleads_it() -> None:
    assert believed([(crowd(60, 2, 0.8, seed), crowd(60, 2, 0.8, seed + 1000)) for seed in range(200)]) < 0.05


@pytest.mark.parametrize(("before", "after", "most"), [(4, 16, 0.02), (16, 4, 0.1), (64, 8, 0.2), (32, 2, 0.15)])
def test_strangers_in_other_dimensions_are_seldom_a_gain(before: int, after: int, most: float) -> None:
    """More often in fewer dimensions: the unit is read a little further out than the nearest ones are."""
    pairs = [(strangers(400, before, seed), strangers(400, after, seed)) for seed in range(60)]
    assert believed(pairs) < most


def test_too_few_clusters_say_nothing() -> None:
    few = np.full(ENOUGH - 1, 1.0)
    verdict = judge(leading(few), leading(few + 5))
    assert not verdict.believed
    assert verdict.error is None
    assert f"only {ENOUGH - 1} clusters" in verdict.reason
