"""Whether an encoder got better for some cameras: measured without labels, on pictures that it did not learn from.

Two clusters of one camera are two people, so at most one of them is the person of a cluster by another camera. In a
better embedding the nearest one therefore leads the next one there by more (the ratio test of Lowe, IJCV 2004). By how
much strangers lead each other depends on the embedding: in few dimensions by more. That is measured on people who are
known to be strangers, a cluster's neighbours by its own camera: of the k-th nearest and the next, ``k (log d(k + 1) -
log d(k))`` is one over the local dimension on average, whatever k (Renyi's spacings; Hill, 1975). In that unit the lead
counts in logarithms of expected strangers, and is about the same wherever nobody was seen twice, before and after.

Training did not see the clusters that are compared; of their people it may have seen other clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.clustering.strangers import CAP, FLOOR, closest
from swiftreid.clustering.two_stage import centred, centroids_of, first_of

ENOUGH: Final = 60
"""Clusters held out from which the guard's figures say anything."""

ERRORS: Final = 2.0
"""Standard errors that a gain has to be."""

_LARGEST: Final = float(np.log(CAP / FLOOR))  # a nearest one without any distance leads no further
_SAME: Final = 1e-3  # distance below which two are one picture
_TINY: Final = 1e-9
_SPACINGS: Final = 8  # fewer are read closer to the nearest ones, but scatter more
_FEWEST: Final = _SPACINGS + 2  # clusters of a camera that has a unit: one more neighbour than spacings, and oneself
_BLOCK: Final = 1024


@dataclass(frozen=True)
class Leads:
    """How far the nearest clusters lead.

    Attributes:
        values: by how much each cluster's nearest one by another camera leads the next one there, in logarithms of
            expected strangers, less what the cluster's own neighbours added to the unit: the mean is the mean lead, and
            the scatter also the unit's. float64 [clusters], NaN where cameras have too few clusters to tell.
        nearest: the nearest one, int64 [clusters], -1 where it is not known.
    """

    values: NDArray[np.float64]
    nearest: NDArray[np.int64]


def leads_of(embeddings: NDArray[np.float32], cameras: NDArray[np.int64], tracklets: NDArray[np.int64]) -> Leads:
    """How far each cluster's nearest one by another camera leads.

    Args:
        embeddings: float32 [n, d], without what is the cameras'.
        cameras: int64 [n].
        tracklets: clusters within a camera, int64 [n] from 0, as any embedding gave them.
    """
    count = int(tracklets.max(initial=-1)) + 1
    means, of = centroids_of(centred(embeddings), tracklets, count), first_of(cameras, tracklets, count)
    by_camera = [np.flatnonzero(of == camera) for camera in np.unique(of)]
    large = [rows for rows in by_camera if len(rows) >= _FEWEST]
    nearest, closest_yet = np.full(count, -1, np.int64), np.full(count, np.inf)
    leads, spacings = np.full(count, np.nan), np.full(count, np.nan)
    for place, ours in enumerate(large):
        strangers = _log_distances(closest(means[ours], means[ours], _FEWEST - 1, skip_self=True)[1])
        spacings[ours] = (np.arange(1, _FEWEST - 1) * np.diff(strangers, axis=1)).mean(axis=1)
        for others in large[:place] + large[place + 1 :]:
            found, distances = closest(means[ours], means[others], 2)
            first, following = _log_distances(distances).T
            closer = first < closest_yet[ours]
            rows = ours[closer]
            closest_yet[rows], nearest[rows] = first[closer], others[found[closer, 0]]
            leads[rows] = (following - first)[closer]
    known = nearest >= 0
    if known.any():
        unit = max(float(spacings[known].mean()), _TINY)
        leads = np.minimum(leads / unit, _LARGEST)
        leads = leads - leads[known].mean() * (spacings / unit - 1)  # how a mean over another depends on each
    return Leads(leads, nearest)


def _log_distances(distances: NDArray[np.float32]) -> NDArray[np.float64]:
    logs: NDArray[np.float64] = np.log(np.maximum(distances, _SAME).astype(np.float64))
    return logs


def too_few(before: Leads) -> str | None:
    """Why pictures cannot tell whether an encoder got better, in words; None where they can.

    Args:
        before: of clusters by the encoder as it was.
    """
    known = int((before.nearest >= 0).sum())
    if known >= ENOUGH:
        return None
    return (
        f"only {known} clusters held out can be compared with those by other cameras (of cameras with {_FEWEST} or "
        f"more), and it takes {ENOUGH} to tell whether an encoder got better"
    )


@dataclass(frozen=True)
class GuardVerdict:
    """Whether the guard believes in an adapted encoder.

    Attributes:
        before: mean lead of held-out clusters by the encoder as it was; None where too few could be compared.
        after: likewise by the adapted one.
        error: standard error of ``after - before``; None likewise.
        clusters: held out, that could be compared.
        believed: whether the adapted one is better.
        reason: in a sentence.
    """

    before: float | None
    after: float | None
    error: float | None
    clusters: int
    believed: bool
    reason: str


def judge(before: Leads, after: Leads, groups: NDArray[np.int64] | None = None) -> GuardVerdict:
    """Believe in an encoder by which the nearest clusters lead by more than before, beyond what chance could give.

    Args:
        before: of held-out clusters by the encoder as it was.
        after: of the same clusters, by the adapted one.
        groups: of clusters that may be of one person, int64 [clusters]. Without them every cluster is one.
    """
    known = before.nearest >= 0
    if few := too_few(before):
        return GuardVerdict(None, None, None, int(known.sum()), False, few)
    people = np.arange(len(known)) if groups is None else groups
    seen = np.stack([people, people[before.nearest], people[after.nearest]], axis=1)[known]
    old, new = float(before.values[known].mean()), float(after.values[known].mean())
    error = _standard_error((after.values - before.values)[known], seen)
    believed = new - old > ERRORS * error
    words = (
        f"the nearest cluster by another camera leads the next one there by {new:.2f}, before by {old:.2f} "
        f"({new - old:+.2f} ± {ERRORS * error:.2f}, {int(known.sum()):,} clusters held out)"
    )
    if not believed:
        words += ": no gain" if new <= old else ": a gain that may be chance"
    return GuardVerdict(old, new, error, int(known.sum()), believed, words)


def _standard_error(gains: NDArray[np.float64], people: NDArray[np.int64]) -> float:
    """Of the mean of gains that go together where they have a person in common.

    Aronow et al., 'Cluster-robust variance estimation for dyadic data', Political Analysis 2015; where that is less,
    as if none went together.

    Args:
        gains: float64 [n].
        people: whom each depends on, int64 [n, k].
    """
    rest = gains - gains.mean()
    squares = 0.0
    for start in range(0, len(rest), _BLOCK):
        rows = people[start : start + _BLOCK]
        common = np.zeros((len(rows), len(rest)), bool)
        for one in rows.T:
            for other in people.T:
                common |= one[:, None] == other[None, :]
        squares += float(rest[start : start + _BLOCK] @ (common @ rest))
    return float(np.sqrt(max(squares, float(rest @ rest)) / (len(rest) * (len(rest) - 1))))
