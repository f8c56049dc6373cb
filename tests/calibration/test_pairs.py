from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from naive_cascade import distance
from search_cases import codes_like
from swiftreid.calibration.pairs import PairHistogram, pair_histograms
from swiftreid.errors import UsageError
from swiftreid.search import kernels


@pytest.mark.parametrize("kernel", kernels.available_kernels())
def test_histograms_count_every_pair_once(kernel: str) -> None:
    rng = np.random.default_rng(0)
    n = 301  # more than one block
    persons, cameras = rng.integers(-1, 40, n), rng.integers(0, 3, n)
    codes = {"attr30": codes_like(rng, n, 30, 1.0), "id128": codes_like(rng, n, 128, 1.0)}
    got = pair_histograms(codes, persons, cameras, kernel=kernel)
    for name, column in codes.items():
        bits = int(name[2:]) if name.startswith("id") else 30
        relevant, other = [0] * (bits + 1), [0] * (bits + 1)
        rows = [row.tobytes() for row in column]
        for i, j in combinations(range(n), 2):
            if persons[i] < 0 or persons[j] < 0:
                continue
            if persons[i] != persons[j]:
                other[distance(rows[i], rows[j])] += 1
            elif cameras[i] != cameras[j]:
                relevant[distance(rows[i], rows[j])] += 1
        assert got[name].relevant.tolist() == relevant
        assert got[name].other.tolist() == other


def test_what_cannot_be_fitted_is_refused() -> None:
    codes = {"id8": np.zeros((4, 4), np.uint8)}
    with pytest.raises(UsageError, match="two cameras"):
        pair_histograms(codes, [1, 1, 2, 2], [0, 0, 1, 1])
    with pytest.raises(UsageError, match="different people"):
        pair_histograms(codes, [1, 1, 1, 1], [0, 1, 2, 3])
    with pytest.raises(UsageError, match="no pair of pictures"):
        pair_histograms({"id8": codes["id8"][:0]}, [], [])
    with pytest.raises(UsageError, match="shape"):
        pair_histograms(codes, [1, 1, 1], [0, 1, 2])
    with pytest.raises(UsageError, match="9 counts"):
        PairHistogram("id8", np.ones(8, np.int64), np.ones(9, np.int64))
