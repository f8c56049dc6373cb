"""Average linkage on close pairs: members of a group are close on average, not only along a chain."""

from __future__ import annotations

import heapq
from collections import Counter

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
    together: NDArray[np.int64] | None = None,
    apart: NDArray[np.int64] | None = None,
    names: NDArray[np.int64] | None = None,
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
        together: pairs of units that are one person, int64 [t, 2].
        apart: pairs of units that are not, int64 [a, 2]; whoever is in ``together`` stays together all the same.
        names: person of each unit, int64 [count], -1 where it is not known; units of one person join, and those of two
            never do, unless ``together`` has them.
    """
    linkage = _Linkage(pairs, count, may_join, cameras, names)
    linkage.join_named()
    for a, b in [] if together is None else together.tolist():
        linkage.join(linkage.group(a), linkage.group(b))
    for a, b in [] if apart is None else apart.tolist():
        linkage.keep_apart(linkage.group(a), linkage.group(b))
    linkage.run(float(np.log(limit)))
    groups = np.array([linkage.group(unit) for unit in range(count)], np.int64)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    numbers: NDArray[np.int64] = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    return numbers


class _Linkage:
    """Groups, each named by one of its units, and what lies between them."""

    def __init__(
        self,
        pairs: Pairs,
        count: int,
        may_join: NDArray[np.bool_] | None,
        cameras: NDArray[np.int64] | None,
        names: NDArray[np.int64] | None,
    ) -> None:
        self._far = float(np.log(CAP))
        self._within = cameras is None  # whether pairs within a camera count
        self._parent = list(range(count))
        of = [0] * count if cameras is None else cameras.tolist()
        self._units = [Counter({camera: 1}) for camera in of]
        self._names = [-1] * count if names is None else names.tolist()
        self._apart: list[set[int]] = [set() for _ in range(count)]
        # Between two groups: the sum of log expectations less that of `CAP`, and how many pairs may join them.
        self._sums: list[dict[int, tuple[float, int]]] = [{} for _ in range(count)]
        logs = np.log(pairs.expected) - self._far
        joins = np.ones(len(pairs), bool) if may_join is None else may_join
        for a, b, value, joining in zip(
            pairs.left.tolist(), pairs.right.tolist(), logs.tolist(), joins.tolist(), strict=True
        ):
            self._sums[a][b] = self._sums[b][a] = (value, int(joining))

    def group(self, unit: int) -> int:
        """The group that a unit is in."""
        while self._parent[unit] != unit:
            self._parent[unit] = unit = self._parent[self._parent[unit]]
        return unit

    def join_named(self) -> None:
        """Units of one person are one group."""
        first: dict[int, int] = {}
        for unit, name in enumerate(self._names.copy()):
            if name >= 0:
                self.join(self.group(first.setdefault(name, unit)), self.group(unit))

    def keep_apart(self, a: int, b: int) -> None:
        """Two groups never join."""
        if a != b:
            self._apart[a].add(b)
            self._apart[b].add(a)

    def run(self, limit: float) -> None:
        """Join groups, the closest first, up to a mean of log expectation."""
        heap = [(self._mean(a, b), a, b) for a, sums in enumerate(self._sums) for b in sums if a < b and sums[b][1]]
        heapq.heapify(heap)
        while heap and heap[0][0] <= limit:
            value, a, b = heapq.heappop(heap)
            if b not in self._sums[a] or self._must_not(a, b) or self._mean(a, b) != value:
                continue  # they may not, or one of them has joined another since
            self.join(a, b)
            for c, (_, joining) in self._sums[a].items():
                if joining:
                    heapq.heappush(heap, (self._mean(a, c), min(a, c), max(a, c)))

    def join(self, a: int, b: int) -> None:
        """Group b becomes part of group a."""
        if a == b:
            return
        self._parent[b] = a
        self._units[a] += self._units[b]
        self._names[a] = max(self._names[a], self._names[b])
        self._sums[a].pop(b, None)
        for c, (value, joining) in self._sums[b].items():
            if c == a:
                continue
            del self._sums[c][b]
            ours = self._sums[a].get(c, (0.0, 0))
            self._sums[a][c] = self._sums[c][a] = (ours[0] + value, ours[1] + joining)
        self._sums[b] = {}
        for c in self._apart[b]:
            self._apart[c].discard(b)
            self.keep_apart(a, c)
        self._apart[b] = set()

    def _must_not(self, a: int, b: int) -> bool:
        """Whether two groups are known to be two people."""
        return b in self._apart[a] or -1 < self._names[a] != self._names[b] > -1

    def _mean(self, a: int, b: int) -> float:
        ours, theirs = self._units[a], self._units[b]
        number = ours.total() * theirs.total()
        if not self._within:
            number -= sum(units * theirs[camera] for camera, units in ours.items())
        return self._far + self._sums[a][b][0] / number
