"""Retrieval metrics of one ranking, as plain functions of where the good matches stand.

Each takes ``hits``: bool [n], whether the entry at each rank (best first) is a good match, after junk was removed.
``positives`` is the number of good matches that exist; a search that drops entries may have ranked fewer of
them. Those it missed count as never found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.errors import UsageError

ApRule = Literal["standard", "trapezoid", "short_list"]
AP_RULES: tuple[ApRule, ...] = ("standard", "trapezoid", "short_list")


def ranks_of(hits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Ranks, counted from 1, of the good matches, ascending int64 [m]."""
    return np.flatnonzero(hits) + 1


def average_precision(hits: NDArray[np.bool_], rule: ApRule = "standard", positives: int | None = None) -> float:
    """Average precision of one query, 0 to 1, by one of the rules in use.

    ``standard``: the mean over good matches of the precision at their ranks, as most toolkits report it. ``trapezoid``:
    the area under the precision-recall line as Market-1501's own code computes it (Zheng et al., Scalable person
    re-identification, ICCV 2015): each step of recall times the mean of the precisions just before it and at it,
    where the precision before rank 1 is 1. ``short_list``: the mean over the good matches that ``hits`` has, 0 without
    any; of a cascade, give it what reached the last stage. Good matches that are not on the list then cost
        nothing; a query with none on it scores 0.

    Example:
        >>> average_precision(np.array([False, True])), average_precision(np.array([False, True]), "trapezoid")
        (0.5, 0.25)

    Raises:
        UsageError: there is no good match at all, or fewer than were ranked, or the rule is unknown.
    """
    ranks = ranks_of(hits)
    total = _total(ranks, positives)
    found = np.arange(1, len(ranks) + 1)
    precision = found / ranks
    if rule == "standard":
        return float(precision.sum() / total)
    if rule == "short_list":
        return float(precision.mean()) if len(ranks) else 0.0
    if rule != "trapezoid":
        raise UsageError(f"average precision knows the rules {', '.join(AP_RULES)}, not {rule!r}")
    before = np.where(ranks == 1, 1.0, (found - 1) / np.maximum(ranks - 1, 1))
    return float(((before + precision) / 2).sum() / total)


def inverse_negative_penalty(hits: NDArray[np.bool_], positives: int | None = None) -> float:
    """Inverse negative penalty of one query: good matches per entry that must be read to see the last of them.

    Ye et al., Deep learning for person re-identification: a survey and outlook (TPAMI 2021), Eq. 2; its mean over
    queries is mINP. It is 0 where the ranking missed a good match, which then never turns up.

    Example:
        >>> inverse_negative_penalty(np.array([True, False, False, True]))
        0.5

    Raises:
        UsageError: there is no good match at all, or fewer than were ranked.
    """
    ranks = ranks_of(hits)
    total = _total(ranks, positives)
    return total / int(ranks[-1]) if len(ranks) == total else 0.0


def figures_of_ranks(
    ranks: Sequence[NDArray[np.int64]], positives: ArrayLike, listed: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The average precisions and the inverse negative penalty of many queries at once.

    The same figures as `average_precision` and `inverse_negative_penalty` give one by one.

    Args:
        ranks: for each query the ranks of its good matches, counted from 1, ascending int64 [m_i].
        positives: for each query how many good matches exist, int [q].
        listed: for each query how many of its ranks, the first ones, are on the short list; by default all.

    Returns:
        Standard AP, trapezoidal AP, AP over the short list, and inverse negative penalty, float64 [q] each; NaN where
        there is no good match.

    Raises:
        UsageError: a query has more ranks than good matches.
    """
    total, found_of = np.asarray(positives, np.int64), np.fromiter(map(len, ranks), np.int64, len(ranks))
    for number in np.flatnonzero(found_of > total)[:1]:
        raise _repeated(int(found_of[number]), int(total[number]))
    flat = np.concatenate([*ranks, np.empty(0, np.int64)]).astype(np.int64)
    query = np.repeat(np.arange(len(total)), found_of)
    ends = np.cumsum(found_of)
    found = np.arange(1, len(flat) + 1) - np.repeat(ends - found_of, found_of)
    precision = found / flat
    before = np.where(flat == 1, 1.0, (found - 1) / np.maximum(flat - 1, 1))
    last = np.zeros(len(total))
    last[found_of > 0] = flat[ends[found_of > 0] - 1]
    on_list = found_of if listed is None else np.minimum(np.asarray(listed, np.int64), found_of)
    listed_precision = np.where(found <= np.repeat(on_list, found_of), precision, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        standard, trapezoid, short_list = (
            np.where(total > 0, np.bincount(query, weights, len(total)) / counted, np.nan)
            for weights, counted in (
                (precision, total),
                ((before + precision) / 2, total),
                (listed_precision, np.maximum(on_list, 1)),
            )
        )
        penalty = np.where(total > 0, np.where(found_of == total, total / last, 0.0), np.nan)
    return standard, trapezoid, short_list, penalty


def _total(ranks: NDArray[np.int64], positives: int | None) -> int:
    total = len(ranks) if positives is None else positives
    if total < 1:
        raise UsageError("a query without any good match has no average precision; leave it out or count it as 0")
    if total < len(ranks):
        raise _repeated(len(ranks), total)
    return total


def _repeated(ranked: int, total: int) -> UsageError:
    return UsageError(f"the ranking holds {ranked} good matches, but only {total} exist: does it repeat entries?")
