"""Who is on each held-out picture, and which camera took it: the labels that thresholds are fitted by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.errors import UsageError


def people_and_places(persons: ArrayLike, cameras: ArrayLike, n: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The labels of n pictures as arrays: persons int64 [n], cameras [n].

    Persons are numbers, because some have a meaning: below zero is junk. Names of people have none, and floats may be
    anything, a confidence or a missing value among them.

    Raises:
        UsageError: there are not n of each, or persons are no integers.
    """
    people, places = np.asarray(persons), np.asarray(cameras)
    if people.shape != (n,) or places.shape != (n,):
        raise UsageError(f"persons and cameras need shape ({n},), got {people.shape} and {places.shape}")
    if n and people.dtype.kind not in "iu":
        raise UsageError(
            f"persons must be integers [{n}], got {people.dtype}, the first {people[0]!s:.40}; "
            "make numbers of names with np.unique(names, return_inverse=True)[1]"
        )
    return people.astype(np.int64), places
