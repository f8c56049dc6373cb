"""Average linkage on pairs that are close: groups whose members are close on average, not only along a chain."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from swiftreid.clustering.strangers import CAP, Pairs


def average_linkage(
    pairs: Pairs,
    count: int,
    limit: float,
    *,
    may_join: NDArray[np.bool_] | None = None,
    cameras: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """The group of each unit, int64 [count], numbered in the order of their first units.

    The two groups with the lowest mean of log expectation join first, as long as it is at most that of ``limit``. Pairs
    that are not given count as `CAP`.

    Args:
        pairs: of units.
        count: units.
        limit: of the geometric mean of expectations between two groups that join.
        may_join: which pairs may bring two groups together, bool [p]; the others only count in means.
        cameras: of each unit, int64 [count]: pairs within a camera are not asked for, and do not count.
    """
    far, most = float(np.log(CAP)), float(np.log(limit))
    members: dict[int, dict[int, int]] = {}  # units of each camera in a group
    for unit in range(count):
        members[unit] = {0 if cameras is None else int(cameras[unit]): 1}
    sums: list[dict[int, list[float]]] = [{} for _ in range(count)]  # of log expectation less far, and of joining pairs
    logs = np.log(pairs.expected) - far
    joins = np.ones(len(pairs), bool) if may_join is None else may_join
    for left, right, value, joining in zip(
        pairs.left.tolist(), pairs.right.tolist(), logs.tolist(), joins.tolist(), strict=True
    ):
        sums[left][right] = sums[right][left] = [value, float(joining)]

    def mean(a: int, b: int) -> float:
        ours, theirs = members[a], members[b]
        number = sum(ours.values()) * sum(theirs.values())
        if cameras is not None:
            number -= sum(n * theirs.get(camera, 0) for camera, n in ours.items())
        return far + sums[a][b][0] / number

    heap = [(mean(a, b), a, b) for a in range(count) for b in sums[a] if a < b and sums[a][b][1]]
    heapq.heapify(heap)
    parent = np.arange(count)
    while heap:
        value, a, b = heapq.heappop(heap)
        if value > most:
            break
        if a not in members or b not in members or b not in sums[a] or mean(a, b) != value:
            continue  # one of them has joined another since
        _join(a, b, members, sums)
        parent[b] = a
        for c, (_, joining) in sums[a].items():
            if joining:
                heapq.heappush(heap, (mean(a, c), min(a, c), max(a, c)))
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    _, first, inverse = np.unique(parent, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return order[inverse].astype(np.int64)


def _join(a: int, b: int, members: dict[int, dict[int, int]], sums: list[dict[int, list[float]]]) -> None:
    """Group b becomes part of group a."""
    for camera, number in members.pop(b).items():
        members[a][camera] = members[a].get(camera, 0) + number
    del sums[a][b]
    for c, (value, joining) in sums[b].items():
        if c == a:
            continue
        del sums[c][b]
        ours = sums[a].setdefault(c, [0.0, 0.0])
        ours[0] += value
        ours[1] += joining
        sums[c][a] = ours
    sums[b] = {}
