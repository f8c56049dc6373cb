"""Which people are held out from training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError


def hold_out(persons: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Rows of a random share of the people, bool [n]; at least two people on each side.

    Raises:
        UsageError: there are fewer than four people.
    """
    names = np.unique(persons)
    if len(names) < 4:
        raise UsageError(
            f"{len(names)} people are too few to hold some out: set held_out to 0, and calibrate on others"
        )
    count = int(np.clip(round(share * len(names)), 2, len(names) - 2))
    chosen = np.random.default_rng(seed).permutation(names)[:count]
    return np.isin(persons, chosen)
