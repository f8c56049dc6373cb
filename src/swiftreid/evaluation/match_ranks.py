"""Where good matches stand in a full ranking, without making the ranking: by counting what stands before them.

The figures of an evaluation need only the ranks of each query's few good matches. An entry stands behind all that are
nearer and, of those as near, behind all that come earlier in the gallery: counting these takes one comparison with each
entry, while a ranking takes sorting them all. The results are those of `Cascade.rank`, entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.search import kernels
from swiftreid.search.reference import share_of
from swiftreid.search.results import SearchReport, StageReport
from swiftreid.search.stages import EMBEDDING, Stage

OnDistances = Callable[[int, NDArray[Any]], None]
"""Called with each query's number and its distances to all entries, as the first stage gives them."""

_BLOCK_BYTES = 2**24
"""Of distances at a time: fresh memory for more costs as much as short codes' distances themselves."""

_MANY = 24


def can_count(stages: Sequence[Stage]) -> bool:
    """Whether `count_ranks` knows the rules of these stages; a full ranking by others must be made."""
    return all(stage.code != EMBEDDING and stage.keep in ("all", "threshold", "top", "share") for stage in stages)


def places_in(distances: NDArray[Any], entries: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many entries stand before each of some, by distance and then position: [n], int64 [m] -> int64 [m]."""
    chosen = distances[entries]
    values, which = np.unique(chosen, return_inverse=True)
    if len(values) > _MANY and distances.dtype.kind == "i":
        nearer = np.concatenate([[0], np.cumsum(np.bincount(distances))])[values]
    else:
        nearer = np.fromiter((np.count_nonzero(distances < value) for value in values), np.int64, len(values))
    ties = (np.count_nonzero(distances[:at] == own) for at, own in zip(entries, chosen, strict=True))
    places: NDArray[np.int64] = nearer[which] + np.fromiter(ties, np.int64, len(entries))
    return places


def without_ignored(
    places: NDArray[np.int64], keys: NDArray[np.int64], ignored_keys: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ranks, from 1 and ascending, of entries at these places once what is ignored was taken out.

    ``keys`` order entries as the ranking does; of what is ignored nothing else is needed.
    """
    return np.sort(places + 1 - np.searchsorted(np.sort(ignored_keys), keys))


def ranks_by_distance(
    distances: NDArray[Any], good: NDArray[np.int64], ignored: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ranks of one query's good matches, from 1 and ascending, once what is ignored was taken out.

    Args:
        distances: to every entry, [n]; ranked by them, then by position.
        good: positions of the good matches, int64 [m].
        ignored: positions of what is ignored, int64 [i].
    """
    marked = np.concatenate([good, ignored])
    keys = np.empty(len(marked), np.int64)
    keys[np.lexsort((marked, distances[marked]))] = np.arange(len(marked))
    return without_ignored(places_in(distances, good), keys[: len(good)], keys[len(good) :])


@dataclass
class CountedRanks:
    """Ranks of good matches, one query after the other, and what the stages did meanwhile.

    Attributes:
        stages: the cascade.
        queries: codes of the queries by name, uint8 [q, row bytes].
        gallery: codes of the entries by name, uint8 [n, row bytes].
        entries_in: of each stage, summed over the queries so far.
        entries_kept: likewise.
        listed: how many good matches of each query so far reached the last stage.
    """

    stages: Sequence[Stage]
    queries: dict[str, NDArray[np.uint8]]
    gallery: dict[str, NDArray[np.uint8]]
    entries_in: list[int] = field(init=False)
    entries_kept: list[int] = field(init=False)
    listed: list[int] = field(init=False, default_factory=list)
    _done: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.entries_in, self.entries_kept = [0] * len(self.stages), [0] * len(self.stages)

    def ranks(
        self, verdicts: Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]], on_distances: OnDistances | None = None
    ) -> Iterator[NDArray[np.int64]]:
        """For each query the ranks of its good matches, from 1 and ascending, once what is ignored was taken out.

        Args:
            verdicts: for each query the positions of good matches, and of what is ignored.
            on_distances: looks at the distances of the first stage.
        """
        name = self.stages[0].code
        column, query_codes = self.gallery[name], self.queries[name]
        at_a_time = max(1, min(256, _BLOCK_BYTES // (4 * max(1, len(column)))))
        for start in range(0, len(query_codes), at_a_time):
            block = kernels.hamming(column, query_codes[start : start + at_a_time], name)
            for number, distances in enumerate(block, start):
                if on_distances is not None:
                    on_distances(number, distances)
                self._done += 1
                yield self._ranks(number, distances, *next(verdicts))

    def _ranks(
        self, number: int, distances: NDArray[np.int32], good: NDArray[np.int64], ignored: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        entries: NDArray[np.int64] | None = None  # those that reached the stage; None for all
        marked = np.concatenate([good, ignored])
        is_good = np.arange(len(marked)) < len(good)
        here, places = marked, np.zeros(len(marked), np.int64)  # where the marked stand among those that came in
        left = np.arange(len(marked))
        keys = np.zeros(len(marked), np.int64)
        for depth, stage in enumerate(self.stages):
            if depth:
                assert entries is not None
                code = self.queries[stage.code][number : number + 1]
                distances = kernels.hamming(np.take(self.gallery[stage.code], entries, axis=0), code, stage.code)[0]
            last = depth == len(self.stages) - 1
            passes = _passing(stage, distances)
            self.entries_in[depth] += len(distances)
            self.entries_kept[depth] += len(distances) if passes is None else int(np.count_nonzero(passes))
            going = np.zeros(len(left), np.bool_)
            if not last:
                going = np.ones(len(left), np.bool_) if passes is None else passes[here]
            stop, at = left[~going], here[~going]
            # Those that went further stand before all that stop here, and are nearer: they count as such.
            counted = is_good[stop]
            places[stop[counted]] = places_in(distances, at[counted])
            keys[stop] = ((len(self.stages) - depth) << 48) + (distances[at].astype(np.int64) << 32) + marked[stop]
            if last:
                self.listed.append(int(np.count_nonzero(is_good[left])))
                break
            left, here = left[going], here[going]
            if passes is not None:
                kept = np.flatnonzero(passes)
                here = np.searchsorted(kept, here)
                entries = kept if entries is None else entries[kept]
            elif entries is None:
                entries = np.arange(len(distances))
        return without_ignored(places[: len(good)], keys[: len(good)], keys[len(good) :])

    def report(self) -> SearchReport:
        """What each stage did; without times, which are measured apart."""
        return SearchReport(
            [
                StageReport(stage.code, str(stage), self._done, came_in, kept, 0.0, self.gallery[stage.code].shape[1])
                for stage, came_in, kept in zip(self.stages, self.entries_in, self.entries_kept, strict=True)
            ]
        )


def _passing(stage: Stage, distances: NDArray[np.int32]) -> NDArray[np.bool_] | None:
    """Which entries pass a stage's rule; None where all do."""
    passes: NDArray[np.bool_]
    if stage.threshold is not None:
        passes = distances <= stage.threshold
        return passes
    if stage.keep == "all":
        return None
    wanted = stage.top if stage.top is not None else share_of(stage.share or 0.0, len(distances))
    if wanted >= len(distances):
        return None
    if wanted == 0:
        return np.zeros(len(distances), np.bool_)
    limit = np.partition(distances, wanted - 1)[wanted - 1]
    if stage.whole_ties:
        passes = distances <= limit
        return passes
    passes = distances < limit
    passes[np.flatnonzero(distances == limit)[: wanted - int(np.count_nonzero(passes))]] = True
    return passes
