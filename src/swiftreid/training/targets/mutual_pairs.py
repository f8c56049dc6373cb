"""Pseudo labels from pairs: pictures that are each other's most similar one, and similar enough."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_AT_A_TIME: Final = 16_000_000  # similarities in memory at a time


class Gradients(NamedTuple):
    """The two factors of each picture's gradient, each divided by its norm, float32 [n, d] and [n, e]."""

    x: NDArray[np.float32]
    u: NDArray[np.float32]


def mutual_groups(gradients: Gradients, cameras: NDArray[np.int64], threshold: float) -> NDArray[np.int64]:
    """Groups of pictures: pairs above the threshold share one.

    A pair is two pictures by different cameras, of which each is the most similar to the other that its camera has.
    Pairs join groups, the most similar first, as long as no group holds two pictures by one camera: pairs that chain
    strangers together stay apart, and no group grows beyond the number of cameras. Where there is one camera only, any
    two pictures can be a pair, and each is in one pair at most.

    Args:
        gradients: factors of the similarity ``d_st`` (`swiftreid.nn.losses.gradient_similarity`).
        cameras: of each picture, int64 [n].
        threshold: delta.

    Returns:
        Group of each picture, int64 [n], numbered from 0 in the order of their first picture; -1 of a picture alone.
    """
    pairs, similarity = _mutual_pairs(gradients, cameras)
    kept = similarity > threshold
    pairs, similarity = pairs[kept], similarity[kept]
    alone = len(np.unique(cameras)) < 2
    views = np.arange(len(cameras)) if alone else cameras
    members: dict[int, list[int]] = {}
    group = np.full(len(cameras), -1, np.int64)
    for place in np.argsort(-similarity, kind="stable").tolist():
        s, t = pairs[place].tolist()
        ours, theirs = ([one] if group[one] < 0 else members[int(group[one])] for one in (s, t))
        joined = [*ours, *theirs]
        if ours is theirs or len(set(views[joined].tolist())) < len(joined):
            continue
        for one in (s, t):
            members.pop(int(group[one]), None)
        members[s] = joined
        group[joined] = s
    return _numbered(group)


def kept_labels(groups: NDArray[np.int64], before: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Groups with the labels that most of their pictures had before; new ones get labels that are free.

    Args:
        groups: int64 [n], -1 of pictures alone.
        before: labels of the same pictures, int64 [n], -1 for none.
        count: labels that there are; at least as many as groups.

    Example:
        >>> kept_labels(np.array([0, 0, 1, 1, -1]), np.array([-1, 2, 0, 0, 1]), 4).tolist()
        [2, 2, 0, 0, -1]
    """
    both = (groups >= 0) & (before >= 0)
    votes, sizes = np.unique(np.stack([groups[both], before[both]]), axis=1, return_counts=True)
    names = np.full(int(groups.max(initial=-1)) + 1, -1)
    free = np.ones(count, bool)
    for place in np.argsort(-sizes, kind="stable").tolist():
        group, label = votes[:, place].tolist()
        if names[group] < 0 and free[label]:
            names[group], free[label] = label, False
    names[names < 0] = np.flatnonzero(free)[: int((names < 0).sum())]
    return np.where(groups >= 0, names[groups], -1) if len(names) else groups


def _mutual_pairs(gradients: Gradients, cameras: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pairs s < t that are each other's best by their cameras, int64 [m, 2], and their similarities."""
    names, own = np.unique(cameras, return_inverse=True)
    columns = [np.flatnonzero(own == camera) for camera in range(len(names))]
    n = len(cameras)
    best, similarity = np.zeros((n, len(names)), np.int64), np.full((n, len(names)), -np.inf, np.float32)
    step = max(1, _AT_A_TIME // n)
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        for camera, those in enumerate(columns):
            d = (gradients.x[rows] @ gradients.x[those].T) * (gradients.u[rows] @ gradients.u[those].T)  # Eq. 3
            if len(names) > 1:
                d[own[rows] == camera] = -np.inf
            else:
                d[np.arange(len(rows)), rows] = -np.inf  # all columns are there, in order
            places = d.argmax(axis=1)
            best[rows, camera], similarity[rows, camera] = those[places], d[np.arange(len(rows)), places]
    s = np.repeat(np.arange(n), len(names))
    t, d_st = best.ravel(), similarity.ravel()
    mutual = (s < t) & (best[t, own[s]] == s) & np.isfinite(d_st)
    return np.stack([s[mutual], t[mutual]], axis=1), d_st[mutual]


def _numbered(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups numbered from 0, in the order of their first picture; -1 stays."""
    numbers: dict[int, int] = {}
    for value in group[group >= 0].tolist():
        numbers.setdefault(value, len(numbers))
    return np.array([numbers.get(value, -1) for value in group.tolist()], np.int64)
