from __future__ import annotations

import numpy as np
import pytest

from drawn_figures import draw_person
from swiftreid.encoding.stripes import DIMENSION, StripesEncoder, describe, fit_stripes
from swiftreid.errors import UsageError

PERSONS = np.repeat(np.arange(1, 51), 4)


@pytest.fixture(scope="module")
def shots() -> np.ndarray:
    return np.stack([np.asarray(draw_person(p, 1 + i % 2, 1 + i % 4 // 2)) for i, p in enumerate(PERSONS.tolist())])


def fit(shots: np.ndarray, persons: np.ndarray | None) -> StripesEncoder:
    return fit_stripes(shots, persons, provenance="drawn", licence="CC0")


def test_persons_weigh_directions_by_what_varies_within_one(shots: np.ndarray) -> None:
    """The generalised eigenvalue problem of plain-loop scatters: within becomes 1 in all directions, less shrinkage."""
    encoder = fit(shots, PERSONS)
    raw = describe(shots).astype(np.float64)
    within = np.zeros((raw.shape[1], raw.shape[1]))
    for person in np.unique(PERSONS):
        own = raw[person == PERSONS]
        within += (own - own.mean(axis=0)).T @ (own - own.mean(axis=0)) / (len(raw) - 50)
    within += 0.3 * np.trace(within) / len(within) * np.eye(len(within))
    directions = encoder.tensors["whitening"].astype(np.float64)
    np.testing.assert_allclose(directions.T @ within @ directions, np.eye(DIMENSION), atol=0.02)
    np.testing.assert_allclose(encoder.tensors["mean"], raw.mean(axis=0), atol=1e-6)


def test_fitting_again_gives_the_same_codes(shots: np.ndarray) -> None:
    assert fit(shots, PERSONS).fingerprint == fit(shots, PERSONS + 7).fingerprint
    assert fit(shots, PERSONS).fingerprint != fit(shots, None).fingerprint


def test_what_cannot_be_fitted_is_refused(shots: np.ndarray) -> None:
    with pytest.raises(UsageError, match=f"{DIMENSION} pictures are too few"):
        fit_stripes(shots[:DIMENSION], None, provenance="drawn", licence="CC0")
    with pytest.raises(UsageError, match="no person has two pictures"):
        fit(shots, np.arange(len(shots)))
