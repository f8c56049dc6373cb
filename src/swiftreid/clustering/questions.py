"""Which pairs of pictures to ask a person about: those whose answers change the groups most.

Two clusters of different cameras may be one person; they seldom are if others compete for them. With ``E`` strangers
expected as close (`swiftreid.clustering.strangers`), a candidate weighs ``1 / E``, and its chance is its share of the
weight of all candidates that each side has in the other's camera. An answer changes the groups if it says no about a
pair that is in one group, or yes about a pair that is not; it counts by the root of the picture pairs that it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.clustering.strangers import Pairs, close_pairs
from swiftreid.clustering.two_stage import KnownPairs, PeopleClusters, centred, centroids_of, first_of

NOBODY: Final = 0.25
"""Weight of 'nobody in the other camera', beside candidates that weigh one over their expected strangers."""

_KNOWN: Final = 1e3  # weight of a pair that is answered with yes
_CLOSEST: Final = 1e-3  # smaller expectations weigh no more

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Question:
    """A pair of pictures to ask about.

    Attributes:
        one: place of a picture.
        other: place of another.
        grouped: whether the two are in one group now.
        chance: that they show one person, as estimated; 0..1.
    """

    one: int
    other: int
    grouped: bool
    chance: float


def informative_pairs(
    found: PeopleClusters,
    embeddings: NDArray[np.float32],
    cameras: Ids,
    *,
    known: KnownPairs | None = None,
    skipped: Ids | None = None,
    count: int = 10,
) -> list[Question]:
    """The pairs of pictures whose answers change the groups most, the best first.

    A pair is of two clusters, each by the picture that is closest to its mean; a group is in one pair at most, so that
    the answers do not depend on each other. What follows from known pairs is not asked: who is one person with one
    picture is one with all who are known to be one person with it.

    Args:
        found: groups of n pictures, as `swiftreid.clustering.two_stage.cluster_people` made them.
        embeddings: that they were made of, float32 [n, d].
        cameras: int64 [n]; pictures of one camera are asked about only where all are of one.
        known: pairs of pictures of which the answer is known, those too that came after ``found``.
        skipped: pairs of pictures that are not asked about, int64 [s, 2].
        count: pairs at most.
    """
    clusters, units = found.tracklets, centred(embeddings)
    number = int(clusters.max(initial=-1)) + 1
    centroids, of = centroids_of(units, clusters, number), first_of(cameras, clusters, number)
    pairs = close_pairs(centroids) if len(np.unique(of)) == 1 else found.close
    if not len(pairs):
        return []
    between = (known or KnownPairs()).among(np.arange(len(clusters)), clusters, len(clusters))
    same, apart = _implied(pairs, between, number)
    chances = _chances(pairs, of, same, apart)
    groups = _groups(found, number)
    sizes = np.bincount(clusters).astype(np.float64)
    in_group = np.bincount(groups, weights=sizes)
    left, right = groups[pairs.left], groups[pairs.right]
    grouped = left == right
    split = (1 - chances) * np.sqrt(sizes[pairs.left] * sizes[pairs.right])
    join = chances * np.sqrt(in_group[left] * in_group[right])
    asked = KnownPairs(apart=np.zeros((0, 2), np.int64) if skipped is None else skipped)
    passed_over = _listed(pairs, asked.among(np.arange(len(clusters)), clusters, len(clusters)).apart, number)
    gains = np.where(same | apart | passed_over, -np.inf, np.where(grouped, split, join))
    pictures = _closest_to(centroids, units, clusters)
    used: set[int] = set()
    chosen: list[Question] = []
    for row in np.argsort(-gains, kind="stable").tolist():
        both = {int(left[row]), int(right[row])}
        if len(chosen) == count or gains[row] == -np.inf:
            break
        if used & both:
            continue
        used |= both
        one, other = (int(pictures[side[row]]) for side in (pairs.left, pairs.right))
        chosen.append(Question(one, other, bool(grouped[row]), float(chances[row])))
    return chosen


def _groups(found: PeopleClusters, number: int) -> Ids:
    """Group of each cluster, int64 [number]; a cluster that is in none is one of its own."""
    groups = first_of(found.people, found.tracklets, number)
    return np.where(groups < 0, found.people.max(initial=-1) + 1 + np.arange(number), groups)


def _implied(pairs: Pairs, known: KnownPairs, number: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pairs of clusters that are known to be one person, and to be two, each bool [p]."""
    persons = np.arange(number)
    while True:
        before = persons.copy()
        for one, other in (known.together.T, known.together.T[::-1]):
            np.minimum.at(persons, one, persons[other])
        if (persons == before).all():
            break
    left, right = persons[pairs.left], persons[pairs.right]
    of_persons = Pairs(left, right, pairs.expected)
    return left == right, _listed(of_persons, persons[known.apart], number) & (left != right)


def _listed(pairs: Pairs, listed: Ids, number: int) -> NDArray[np.bool_]:
    """Which pairs are listed, in either order, bool [p]; ``listed`` is int64 [l, 2]."""
    low, high = np.minimum(pairs.left, pairs.right), np.maximum(pairs.left, pairs.right)
    return np.isin(low * number + high, listed.min(axis=1) * number + listed.max(axis=1))


def _chances(pairs: Pairs, cameras: Ids, same: NDArray[np.bool_], apart: NDArray[np.bool_]) -> NDArray[np.float64]:
    """That two clusters are one person, float64 [p]: the geometric mean of what each side says."""
    weights = 1 / np.maximum(pairs.expected, _CLOSEST).astype(np.float64)
    weights = np.where(same, _KNOWN, np.where(apart, 0, weights))
    many = int(cameras.max()) + 1
    sides = pairs.left * many + cameras[pairs.right], pairs.right * many + cameras[pairs.left]
    sums = np.bincount(np.concatenate(sides), weights=np.concatenate([weights, weights]))
    ours, theirs = (weights / (NOBODY + sums[side]) for side in sides)
    value: NDArray[np.float64] = np.sqrt(ours * theirs)
    return value


def _closest_to(centroids: NDArray[np.float32], units: NDArray[np.float32], clusters: Ids) -> Ids:
    """The picture of each cluster that is closest to its mean, int64 [clusters]."""
    order = np.lexsort(((units * centroids[clusters]).sum(axis=1), clusters))
    found = np.zeros(len(centroids), np.int64)
    found[clusters[order]] = order
    return found
