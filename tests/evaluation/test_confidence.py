from __future__ import annotations

import numpy as np
import pytest

from swiftreid.errors import UsageError
from swiftreid.evaluation import confidence
from swiftreid.evaluation.confidence import bootstrap_intervals


def test_agrees_with_a_loop() -> None:
    values = np.random.default_rng(1).random((2, 30))
    rng, means = np.random.default_rng(5), []
    for _ in range(200):
        chosen = rng.integers(0, 30, (1, 30))[0]
        means.append([np.mean([row[i] for i in chosen]) for row in values])
    expected = np.percentile(np.array(means), [5, 95], axis=0).T
    got = bootstrap_intervals(values, resamples=200, seed=5, level=0.9)
    assert np.abs(got - expected).max() < 1e-12


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random(50)
    whole = bootstrap_intervals(values, resamples=100)
    monkeypatch.setattr(confidence, "_BLOCK_CELLS", 170)
    assert np.abs(bootstrap_intervals(values, resamples=100) - whole).max() < 1e-15


def test_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    samples = rng.random((300, 60))  # 300 experiments of 60 queries, true mean one half
    inside = [low <= 0.5 <= high for low, high in (bootstrap_intervals(row, resamples=400)[0] for row in samples)]
    assert 0.90 < np.mean(inside) < 0.985
    theory = 1.96 * np.sqrt(1 / 12 / 60)
    half = np.mean([np.diff(bootstrap_intervals(row, resamples=400))[0, 0] / 2 for row in samples[:40]])
    assert half == pytest.approx(theory, rel=0.1)


def test_one_query_and_equal_queries_give_a_point() -> None:
    assert bootstrap_intervals([0.25]).tolist() == [[0.25, 0.25]]
    assert bootstrap_intervals(np.ones((2, 9))).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("wrong", [[], [np.nan], [[[0.5]]]])
def test_wrong_values_are_refused(wrong: list[float]) -> None:
    with pytest.raises(UsageError, match="finite values"):
        bootstrap_intervals(wrong)
    with pytest.raises(UsageError, match="level between"):
        bootstrap_intervals([0.5], level=95)
