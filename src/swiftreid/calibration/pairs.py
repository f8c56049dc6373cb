"""How far apart pictures of the same person and of different people are: histograms of Hamming distances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.calibration.labels import people_and_places
from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.codes import CodeSpec, bits_of

_BLOCK = 256


@dataclass(frozen=True)
class PairHistogram:
    """Distances of one code, over unordered pairs of pictures.

    Attributes:
        code: the code's name.
        relevant: int64 [bits + 1], pairs of the same person from different cameras at each distance.
        other: int64 [bits + 1], pairs of different people at each distance.

    Raises:
        UsageError: another number of counts, or no pair of one of the two kinds.
    """

    code: str
    relevant: NDArray[np.int64]
    other: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("relevant", "other"):
            counts = getattr(self, name)
            if counts.shape != (bits_of(self.code) + 1,):
                raise UsageError(f"{name} of {self.code} needs {bits_of(self.code) + 1} counts, got {counts.shape}")
            if int(counts.sum()) == 0:
                what = "the same person from two cameras" if name == "relevant" else "different people"
                raise UsageError(
                    f"there is no pair of pictures of {what}, so thresholds cannot be fitted; calibrate on held-out "
                    "people seen by two cameras, with the cameras in folders, file names or a manifest (see "
                    "docs/data.md)"
                )


def pair_histograms(
    codes: Mapping[str, NDArray[np.uint8]], persons: ArrayLike, cameras: ArrayLike, *, kernel: str | None = None
) -> dict[str, PairHistogram]:
    """Exact distance histograms of all pairs, computed block by block: memory grows with n, not with its square.

    Pairs of the same person and camera count as neither (they are ignored in evaluation too); pictures of identities
    below zero (junk) are left out.

    Args:
        codes: packed codes by name, uint8 [n, row bytes].
        persons: int [n], identities.
        cameras: int [n].
        kernel: forces a kernel (see `kernels.active_kernel`).

    Returns:
        For each code its `PairHistogram`.

    Raises:
        UsageError: shapes do not match, or there is no pair of one of the two kinds.
    """
    people, places = people_and_places(persons, cameras, CodeSpec(tuple(codes)).check(codes))
    real = np.flatnonzero(people >= 0)
    people, places = people[real], places[real]
    out = {}
    for name, column in codes.items():
        bins = column.shape[1] * 8 + 1
        relevant, other = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
        rows = np.ascontiguousarray(column[real])
        for start in range(0, len(rows), _BLOCK):
            block = slice(start, start + _BLOCK)
            # Only pairs (i, j) with i < j: columns from the block's first row on, and not below the diagonal.
            distances = kernels.hamming(rows[start:], rows[block], name, kernel=kernel)
            height = len(distances)
            below = np.tril_indices(height)
            same = people[block, None] == people[None, start:]
            across = same & (places[block, None] != places[None, start:])
            across[below] = False
            ignored = same.copy()
            ignored[below] = True
            counts = np.bincount(distances.ravel(), minlength=bins)
            relevant += np.bincount(distances[across], minlength=bins)
            other += counts - np.bincount(distances[ignored], minlength=bins)
        bits = bits_of(name)
        out[name] = PairHistogram(name, relevant[: bits + 1], other[: bits + 1])
    return out
