"""Verification: is this pair of pictures the same person? TAR at FAR over all pairs of query and gallery.

Every query meets every gallery entry by another camera, junk left out: a pair is *genuine* where both show the same
person. A threshold on the distance accepts pairs; its false accept rate (FAR) is the share of the other pairs that it
accepts, its true accept rate (TAR) the share of genuine pairs. Without cameras, all pairs count but that of a picture
with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.errors import UsageError
from swiftreid.evaluation.matches import Matches

FAR_LEVELS: Final = ("0.1", "0.01", "0.001", "0.0001", "0.00001", "0.000001")
LEAST_ACCEPTED: Final = 10
"""Wrongly accepted pairs that a level of FAR must allow for to be given: fewer would make it a matter of chance."""

COSINE_STEPS: Final = 2**16
"""Cosine distances, 0 to 2, are counted in so many equal steps: thresholds lie on multiples of 2 / 65,536."""


@dataclass(frozen=True)
class Roc:
    """The receiver operating characteristic, one point for each threshold on the distance.

    Attributes:
        far: false accept rate of accepting distances up to the threshold, float64 [steps], rising.
        tar: true accept rate, likewise.
        genuine: number of genuine pairs.
        others: number of pairs of different people.
    """

    far: NDArray[np.float64]
    tar: NDArray[np.float64]
    genuine: int
    others: int

    @classmethod
    def of(cls, genuine: ArrayLike, others: ArrayLike) -> Roc:
        """From histograms of distances, int [steps] each.

        Raises:
            UsageError: the histograms have different lengths.
        """
        right, wrong = np.asarray(genuine, np.int64), np.asarray(others, np.int64)
        if right.shape != wrong.shape or right.ndim != 1:
            raise UsageError(f"histograms must have one length, got shapes {right.shape} and {wrong.shape}")
        counts = int(right.sum()), int(wrong.sum())
        return cls(
            np.cumsum(wrong) / max(1, counts[1]),
            np.cumsum(right) / max(1, counts[0]),
            *counts,
        )

    def tar_at(self, far: float) -> float | None:
        """TAR of the largest threshold with at most this FAR; None if there are too few pairs.

        A level has a TAR if it allows at least 10 wrongly accepted pairs.
        """
        if not self.genuine or far * self.others < LEAST_ACCEPTED - 1e-9:
            return None
        within = int(np.searchsorted(self.far, far * (1 + 1e-12), "right"))
        return float(self.tar[within - 1]) if within else 0.0

    def tar_at_far(self, levels: Sequence[str] = FAR_LEVELS) -> dict[str, float]:
        """TAR by level of FAR, as text, to be keys of a JSON object; levels with too few pairs are missing."""
        rates = {level: self.tar_at(float(level)) for level in levels}
        return {level: tar for level, tar in rates.items() if tar is not None}


@dataclass
class PairCounts:
    """Counts the distances of pairs, query by query, in two histograms: memory does not grow with the pairs.

    Attributes:
        matches: who stands in the gallery.
        persons: of the queries, int64 [q].
        cameras: of the queries, int64 [q].
        own: each query's own position in the gallery, or -1, int64 [q].
        steps: length of the histograms: bits + 1 for Hamming distances, which makes them exact.
    """

    matches: Matches
    persons: NDArray[np.int64]
    cameras: NDArray[np.int64]
    own: NDArray[np.int64]
    steps: int
    genuine: NDArray[np.int64] = field(init=False)
    others: NDArray[np.int64] = field(init=False)
    _across: dict[int, NDArray[np.int64]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.genuine, self.others = np.zeros(self.steps, np.int64), np.zeros(self.steps, np.int64)

    def hamming(self, query: int, distances: NDArray[Any]) -> None:
        """Count one query's Hamming distances to all entries, int [n]."""
        self._count(query, distances)

    def cosine(self, query: int, distances: NDArray[np.float32]) -> None:
        """Count one query's cosine distances to all entries, float [n], in steps."""
        scaled = np.ceil(np.clip(distances, 0, 2) * np.float32((self.steps - 1) / 2))
        self._count(query, scaled.astype(np.int32))

    def roc(self) -> Roc:
        """The curve of all pairs counted so far."""
        return Roc.of(self.genuine, self.others)

    def _count(self, query: int, steps: NDArray[Any]) -> None:
        person, own = int(self.persons[query]), int(self.own[query])
        camera = int(self.cameras[query]) if self.matches.cameras is not None else 0
        good, _ = self.matches.of(person, camera, own)
        counts = np.bincount(steps[self._other_cameras(camera)], minlength=self.steps)
        right = np.bincount(steps[good], minlength=self.steps)
        if own >= 0 and self.matches.persons[own] >= 0 and self._counts_with(own, camera):
            counts[steps[own]] -= 1
        self.genuine += right
        self.others += counts - right

    def _counts_with(self, entry: int, camera: int) -> bool:
        return self.matches.cameras is None or int(self.matches.cameras[entry]) != camera

    def _other_cameras(self, camera: int) -> NDArray[np.int64]:
        """Entries that are not junk, by other cameras than this one."""
        if camera not in self._across:
            counts = np.ones(len(self.matches), np.bool_)
            counts[self.matches.junk] = False
            if self.matches.cameras is not None:
                counts &= self.matches.cameras != camera
            self._across[camera] = np.flatnonzero(counts)
        return self._across[camera]
