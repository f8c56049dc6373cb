"""Whether an encoder got better for some cameras: measured without labels, on pictures that it did not learn from.

Two clusters of one camera are two people, so at most one of them is the person of a cluster by another camera. In a
better embedding the nearest one therefore leads the next one there by more (the ratio test of Lowe, IJCV 2004). The
lead counts in strangers, ``log E(next) - log E(nearest)``, of which the number grows with the distance as ``log E =
slope log d + level`` (`swiftreid.clustering.strangers`). Where nobody was seen twice it should be one: training that
brings strangers together brings the next one too. But the slope is read further out than the nearest, so that it is
about 0.6 in many dimensions and 1 in few: **training that loses dimensions can look like a gain** (a test shows it).
Training did not see the clusters that are compared; of their people it may have seen other clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.clustering.strangers import CAP, FLOOR, closest, fit_growth, ranks
from swiftreid.clustering.two_stage import centred, centroids_of, first_of

ENOUGH: Final = 60
"""Clusters held out from which the guard's figures say anything."""

ERRORS: Final = 2.0
"""Standard errors that a gain has to be."""

_LARGEST: Final = float(np.log(CAP / FLOOR))  # a nearest one without any distance leads no further


def leads_of(
    embeddings: NDArray[np.float32], cameras: NDArray[np.int64], tracklets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """By how much each cluster's nearest one by another camera leads the next one there, float64 [clusters].

    In logarithms of expected strangers; NaN where the other cameras have too few clusters to tell.

    Args:
        embeddings: float32 [n, d], without what is the cameras'.
        cameras: int64 [n].
        tracklets: clusters within a camera, int64 [n] from 0, as any embedding gave them.
    """
    count = int(tracklets.max(initial=-1)) + 1
    means, of = centroids_of(centred(embeddings), tracklets, count), first_of(cameras, tracklets, count)
    leads = np.full(count, np.nan)
    for camera in np.unique(of):
        ours, others = np.flatnonzero(of == camera), np.flatnonzero(of != camera)
        if (window := ranks(len(others))) is None:
            continue
        found, distances = closest(means[ours], means[others], window[1])
        there = of[others][found]
        later = there[:, 1:] == there[:, :1]
        following = np.where(later.any(axis=1), 1 + later.argmax(axis=1), -1)  # it leads at least the last one
        rows, growth = np.arange(len(ours)), fit_growth(distances, *window)
        expected = growth.log_expected(rows, distances[rows, following]) - growth.log_expected(rows, distances[:, 0])
        leads[ours] = np.minimum(expected, _LARGEST)
    return leads


def too_few(before: NDArray[np.float64]) -> str | None:
    """Why pictures cannot tell whether an encoder got better, in words; None where they can.

    Args:
        before: `leads_of` clusters by the encoder as it was.
    """
    known = int(np.isfinite(before).sum())
    if known >= ENOUGH:
        return None
    return (
        f"only {known} clusters held out can be compared with those by other cameras, and it takes {ENOUGH} to tell "
        "whether an encoder got better"
    )


@dataclass(frozen=True)
class GuardVerdict:
    """Whether the guard believes in an adapted encoder.

    Attributes:
        before: mean of `leads_of` held-out clusters by the encoder as it was; None where too few could be compared.
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


def judge(
    before: NDArray[np.float64], after: NDArray[np.float64], groups: NDArray[np.int64] | None = None
) -> GuardVerdict:
    """Believe in an encoder by which the nearest clusters lead by more than before, beyond what chance could give.

    Args:
        before: `leads_of` held-out clusters by the encoder as it was.
        after: of the same clusters, by the adapted one.
        groups: of clusters that may be of one person, int64 [clusters]: their gains go together, and the error counts
            each group once. Without them every cluster is one.
    """
    known = np.isfinite(before) & np.isfinite(after)
    if few := too_few(np.where(known, before, np.nan)):
        return GuardVerdict(None, None, None, int(known.sum()), False, few)
    gains = (after - before)[known]
    of = np.arange(len(gains)) if groups is None else np.unique(groups[known], return_inverse=True)[1]
    sums = np.bincount(of, gains - gains.mean())
    error = float(np.sqrt((sums**2).sum() / (1 - 1 / len(sums)))) / len(gains)
    old, new = float(before[known].mean()), float(after[known].mean())
    believed = new - old > ERRORS * error
    words = (
        f"the nearest cluster by another camera leads the next one there by {new:.2f}, before by {old:.2f} "
        f"({new - old:+.2f} ± {ERRORS * error:.2f}, {len(gains):,} clusters held out)"
    )
    if not believed:
        words += ": no gain" if new <= old else ": a gain that may be chance"
    return GuardVerdict(old, new, error, len(gains), believed, words)
