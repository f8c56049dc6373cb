"""The guard of adapting: how far nearest clusters lead, and when a gain is believed."""

from __future__ import annotations

import numpy as np
import pytest

from swiftreid.adaptation.guard import ENOUGH, judge, leads_of
from swiftreid.clustering.strangers import CAP, FLOOR, ranks
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


def naive(embeddings: np.ndarray, cameras: np.ndarray) -> list[float]:
    """Of clusters of one picture each, by loops and `np.polyfit`."""
    return naive_of_means(centred(embeddings).astype(np.float64), cameras)


def naive_of_means(units: np.ndarray, cameras: np.ndarray) -> list[float]:
    leads = []
    for one in range(len(units)):
        others = [other for other in range(len(units)) if cameras[other] != cameras[one]]
        distances = {other: float(np.linalg.norm(units[one] - units[other])) for other in others}
        order = sorted(others, key=distances.__getitem__)
        window = ranks(len(others))
        assert window is not None
        first, last = window
        logs = [np.log(distances[other]) for other in order[first:last]]
        slope = np.polyfit(logs, np.log(np.arange(first + 1, last + 1)), 1)[0]
        same = [other for other in order[1:last] if cameras[other] == cameras[order[0]]]
        following = same[0] if same else order[last - 1]
        leads.append(min(slope * np.log(distances[following] / distances[order[0]]), np.log(CAP / FLOOR)))
    return leads


@pytest.mark.parametrize("cameras", [2, 4, 40])
def test_leads_are_those_of_a_loop(cameras: int) -> None:
    units, by, clusters = crowd(160 // cameras, cameras, 0.5)
    np.testing.assert_allclose(leads_of(units, by, clusters), naive(units, by), atol=5e-3)


@pytest.mark.parametrize("dimensions", [4, 8, 16, 32])
def test_among_strangers_the_lead_is_about_one_in_every_embedding(dimensions: int) -> None:
    assert 0.6 < leads_of(*strangers(1200, dimensions, 1)).mean() < 1.1


def test_clusters_are_compared_by_their_means() -> None:
    units, cameras, clusters = crowd(80, 2, 0.3)
    pictures = np.concatenate([units, np.roll(units, 1, axis=0)])  # two of each cluster, which do not look alike
    found = leads_of(pictures, np.tile(cameras, 2), np.tile(clusters, 2))
    halves = centred(pictures).astype(np.float64).reshape(2, 160, -1)
    means = halves.sum(axis=0) / np.linalg.norm(halves.sum(axis=0), axis=1, keepdims=True)
    np.testing.assert_allclose(found, naive_of_means(means, cameras), atol=5e-3)


def test_many_cameras_of_few_clusters_are_compared_with_all_others() -> None:
    units, cameras, clusters = crowd(8, 10, 0.2)
    assert np.isfinite(leads_of(units, cameras, clusters)).all()
    alone = leads_of(units, np.zeros(80, int), clusters)
    assert np.isnan(alone).all()
    assert "only 0 clusters" in judge(alone, alone).reason


@pytest.mark.parametrize(
    ("noise", "believed", "words"), [(0.4, True, ""), (0.8, False, "no gain"), (2.0, False, "no gain")]
)
def test_the_guard_believes_in_gains_beyond_chance(noise: float, believed: bool, words: str) -> None:
    before = leads_of(*crowd(200, 2, 0.8))
    verdict = judge(before, leads_of(*crowd(200, 2, noise)))
    assert verdict.believed is believed
    assert words in verdict.reason
    assert verdict.clusters == 400
    assert verdict.before == pytest.approx(before.mean())


def test_the_error_counts_each_group_once() -> None:
    """Every cluster three times over is no more evidence: naive sums over groups."""
    rng = np.random.default_rng(5)
    gains = rng.normal(0.2, 1, 90)
    alone = judge(np.zeros(90), gains)
    assert alone.error == pytest.approx(gains.std(ddof=1) / np.sqrt(90))
    thrice = judge(np.zeros(270), np.tile(gains, 3), np.tile(np.arange(90), 3))
    assert thrice.error == pytest.approx(alone.error)
    assert judge(np.zeros(270), np.tile(gains, 3)).error == pytest.approx(alone.error / np.sqrt(3), rel=0.01)


def test_chance_seldom_misleads_it() -> None:
    """Embeddings of the same quality, and strangers in one of more dimensions."""
    pairs = [(crowd(60, 2, 0.8, seed), crowd(60, 2, 0.8, seed + 1000)) for seed in range(100)]
    pairs += [(strangers(120, 4, seed), strangers(120, 16, seed)) for seed in range(100)]
    assert np.mean([judge(leads_of(*one), leads_of(*other)).believed for one, other in pairs]) < 0.05


@pytest.mark.xfail(strict=True, reason="the slope is read further out than the nearest: fewer dimensions look better")
def test_losing_dimensions_is_no_gain() -> None:
    pairs = [(strangers(400, 16, seed), strangers(400, 4, seed)) for seed in range(40)]
    assert np.mean([judge(leads_of(*one), leads_of(*other)).believed for one, other in pairs]) < 0.05


def test_too_few_clusters_say_nothing() -> None:
    few = np.full(ENOUGH - 1, 1.0)
    verdict = judge(few, few + 5)
    assert not verdict.believed
    assert verdict.error is None
    assert f"only {ENOUGH - 1} clusters" in verdict.reason
