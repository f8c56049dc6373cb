"""The same-person threshold without labels: groups of pictures stand for people.

Known without a label: pictures of one track are one person; people in one frame are two, and so are people at one time
under cameras that do not overlap. The rest is clustered (`swiftreid.clustering.two_stage`) with half of the errors that
clusters usually may have: whoever is not linked counts as a stranger, so that a mistake makes the threshold stricter.

How sure it is: the groups are made again of random parts of the pictures, and the threshold is measured on each.
Where fewer than `LEAST_PEOPLE` people are found by two cameras there is no threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.calibration.same_person import (
    EMBEDDING,
    FALSE_ACCEPTS,
    UNLABELLED,
    SamePerson,
    fit_same_person,
    measure_same_person,
)
from swiftreid.clustering.two_stage import ALONE, ClusterSettings, KnownPairs, PeopleClusters, cluster_people
from swiftreid.errors import UsageError
from swiftreid.search.codes import bits_of

GROUPS: Final = ClusterSettings(within_errors=0.1, link_errors=0.2)
"""How pictures are grouped."""

LEAST_PEOPLE: Final = 20
"""People found by two cameras that it takes."""

_RESAMPLES, _PART = 5, 0.7

Ids = NDArray[np.int64]
Vectors = NDArray[np.uint8] | NDArray[np.float32]


class NotCalibrated(UsageError):
    """The pictures say too little to fit a threshold."""


@dataclass(frozen=True)
class UnlabelledThreshold:
    """A threshold that was fitted without labels.

    Attributes:
        same_person: the threshold; its shares are estimates.
        resampled: ``false_accepts`` of it on groups made of random parts of the pictures: the least and the most.
        apart: of known pairs of different people, how many it takes for one; None where none is known.
        together: of known pairs of one person, how many it finds; None where none is known.
    """

    same_person: SamePerson
    resampled: tuple[float, float]
    apart: float | None
    together: float | None


def fit_unlabelled(
    embeddings: NDArray[np.float32],
    cameras: Ids,
    vectors: Mapping[str, Vectors],
    *,
    tracks: Ids | None = None,
    known: KnownPairs | None = None,
    false_accepts: float = FALSE_ACCEPTS,
    gallery: int | None = None,
    seed: int = 0,
) -> dict[str, UnlabelledThreshold]:
    """Fit the same-person threshold of every code to pictures without labels.

    Args:
        embeddings: that groups are made of, float32 [n, d], best without what is the cameras'.
        cameras: int64 [n].
        vectors: by code, what searches compare: packed codes, uint8 [n, row bytes]; under ``embedding`` float32 [n, e].
        tracks: of each picture, int64 [n], -1 where it is of none: those of one track and camera are one person.
        known: pairs of pictures that show one person, or two (`swiftreid.clustering.apart`).
        false_accepts: share of the queries without a match that may get an entry, above 0 and below 1.
        gallery: entries of the gallery for which that is to hold; by default as many as there are strangers.
        seed: of what is drawn at random.

    Returns:
        A threshold for each code.

    Raises:
        NotCalibrated: fewer than `LEAST_PEOPLE` people are found by two cameras.
        UsageError: an argument is out of range.
    """
    known = known or KnownPairs()
    groups = _groups(cluster_people(embeddings, cameras, tracks=tracks, known=known, settings=GROUPS))
    people = _by_two_cameras(groups, cameras)
    if people < LEAST_PEOPLE:
        raise NotCalibrated(
            f"not calibrated: of {len(embeddings):,} pictures {people} people are found by two cameras, and a "
            f"threshold takes {LEAST_PEOPLE}: give more pictures, of longer times or more cameras, or labelled people"
        )
    parts = []
    rng = np.random.default_rng([seed, 7])
    for _ in range(_RESAMPLES):
        rows = np.sort(rng.permutation(len(embeddings))[: round(_PART * len(embeddings))])
        own = known.among(rows, np.arange(len(rows)), len(embeddings))
        part = cluster_people(
            embeddings[rows],
            cameras[rows],
            tracks=None if tracks is None else tracks[rows],
            known=own,
            settings=GROUPS,
        )
        parts.append((rows, _groups(part)))
    found = {}
    for code, values in vectors.items():
        fitted = fit_same_person(
            values, groups, cameras, code=code, false_accepts=false_accepts, gallery=gallery, seed=seed
        )
        fitted = replace(fitted, source=UNLABELLED, persons=people)
        # In a gallery that a part has the strangers for, relative to the same gallery with all groups.
        small = replace(fitted, gallery=min(fitted.gallery, max(1, len(values) // 2)))
        whole = measure_same_person(values, groups, cameras, small, seed=seed).false_accepts
        shares = [
            fitted.false_accepts
            * measure_same_person(values[rows], own, cameras[rows], small, seed=seed).false_accepts
            / max(whole, 1e-9)
            for rows, own in parts
            if _by_two_cameras(own, cameras[rows])
        ]
        resampled = (min(shares), max(shares)) if shares else (0.0, 1.0)
        apart, together = (share_within(values, pairs, fitted) for pairs in (known.apart, known.together))
        found[code] = UnlabelledThreshold(fitted, resampled, apart, together)
    return found


def share_within(vectors: Vectors, pairs: Ids, threshold: SamePerson) -> float | None:
    """Of pairs of pictures, int64 [p, 2], how many lie within a threshold; None where there is no pair.

    Args:
        vectors: of the threshold's code, as `fit_unlabelled` takes them.
        pairs: places of pictures.
        threshold: with its code.
    """
    if not len(pairs):
        return None
    one, other = vectors[pairs[:, 0]], vectors[pairs[:, 1]]
    if threshold.code == EMBEDDING:
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        distances = 1 - (one * other).sum(axis=1) / np.maximum(lengths, 1e-12)
    else:
        bits = bits_of(threshold.code)
        differing = np.unpackbits(one.astype(np.uint8) ^ other.astype(np.uint8), axis=1, bitorder="little")
        distances = differing[:, :bits].sum(axis=1)
    return float((distances <= threshold.threshold).mean())


def _groups(found: PeopleClusters) -> Ids:
    """A number for everybody, int64 [n]: the group, or the cluster within a camera for whoever is in none."""
    return np.where(found.people == ALONE, found.people.max(initial=-1) + 1 + found.tracklets, found.people)


def _by_two_cameras(groups: Ids, cameras: Ids) -> int:
    """How many groups have pictures by two cameras or more."""
    seen = np.unique(np.stack([groups, cameras], axis=1), axis=0)
    return int((np.bincount(seen[:, 0]) > 1).sum())
