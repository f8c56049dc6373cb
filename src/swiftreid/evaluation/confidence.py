"""How sure a mean over queries is: percentile bootstrap intervals."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.errors import UsageError

LEVEL: Final = 0.95
RESAMPLES: Final = 2000
SEED: Final = 20_200_809

_BLOCK_CELLS = 2**20


def bootstrap_intervals(
    values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = SEED, level: float = LEVEL
) -> NDArray[np.float64]:
    """Percentile bootstrap intervals of means over queries (Efron, 1979).

    Queries are drawn with replacement, as many as there are, and the mean taken again, ``resamples`` times. Figures in
    several rows are drawn together, query by query. The interval tells what other queries of the same kind would
    change, not what another gallery, other people or another training run would.

    Args:
        values: one figure's value for each query, float [q], or several figures', [m, q]; finite.
        resamples: how often queries are drawn.
        seed: of the drawing; the same values, seed and resamples give the same interval.
        level: share of resampled means inside the interval.

    Returns:
        Lower and upper end of each figure, float64 [m, 2].

    Raises:
        UsageError: there is no query, a value is not finite, or an argument is out of range.
    """
    table = np.atleast_2d(np.asarray(values, np.float64))
    if table.ndim != 2 or not table.shape[1] or not np.isfinite(table).all():
        raise UsageError(f"a bootstrap takes finite values of at least one query, [m, q]; got shape {table.shape}")
    if resamples < 1 or not 0 < level < 1:
        raise UsageError(f"resamples must be at least 1 and level between 0 and 1, got {resamples} and {level}")
    outside = 100 * (1 - level) / 2
    means = resampled_means(table, resamples=resamples, seed=seed)
    ends: NDArray[np.float64] = np.percentile(means, [outside, 100 - outside], axis=1).T
    return ends


def resampled_means(values: NDArray[np.float64], *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Means of ``values``, float64 [m, q], over queries drawn with replacement: float64 [m, resamples]."""
    rng, queries = np.random.default_rng(seed), values.shape[1]
    at_a_time = max(1, _BLOCK_CELLS // queries)
    means = np.empty((len(values), resamples))
    for start in range(0, resamples, at_a_time):
        count = min(at_a_time, resamples - start)
        drawn = rng.integers(0, queries, (count, queries)) + queries * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * queries).reshape(count, queries)
        means[:, start : start + count] = values @ times.T / queries
    return means
