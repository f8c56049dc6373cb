"""People without names in two stages: clusters within each camera, then links between the cameras' clusters.

Within a camera light, place and often clothes and pose are the same, so clusters there are nearly pure; only then are
clusters of different cameras compared, by mean vectors, which are less noisy than pictures. Both stages take pairs in
the order of `swiftreid.clustering.strangers`, and each sets its own threshold by the share of errors that it expects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.clustering.linkage import average_linkage
from swiftreid.clustering.strangers import FLOOR, NO_PAIRS, Pairs, close_pairs, comparable
from swiftreid.errors import UsageError
from swiftreid.progress import Progress, no_progress

ALONE: Final = -1
"""Group of pictures that are alone in it."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class ClusterSettings:
    """How pictures are clustered.

    Attributes:
        within_errors: expected share of errors among the pairs within a camera that decide on its threshold.
        link_errors: expected share of clusters with a link to another camera that have a wrong one.
        largest: strangers expected as close as the last link, at most.
    """

    within_errors: float = 0.2
    link_errors: float = 0.4
    largest: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.within_errors < 1 and 0 < self.link_errors < 1 and self.largest > 0):
            raise UsageError(
                "within_errors and link_errors are between 0 and 1, and largest is above 0; got "
                f"{self.within_errors}, {self.link_errors} and {self.largest}"
            )


@dataclass(frozen=True)
class KnownPairs:
    """What is known of who n pictures show.

    Attributes:
        together: pairs that show one person, int64 [t, 2].
        apart: pairs that show two, int64 [a, 2].
        names: person of each picture, int64 [n], -1 where it is not known; None where none is.
    """

    together: Ids = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    apart: Ids = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    names: Ids | None = None

    def among(self, rows: Ids, units: Ids, count: int) -> KnownPairs:
        """The pairs of which both pictures are among ``rows``, as pairs of their units, and the units' persons.

        Args:
            rows: places of pictures, int64 [m].
            units: number of each one's unit, int64 [m].
            count: pictures in all.
        """
        place = np.full(count, -1, np.int64)
        place[rows] = units
        together, apart = (pairs[(pairs >= 0).all(axis=1)] for pairs in (place[self.together], place[self.apart]))
        if self.names is None:
            return KnownPairs(together, apart)
        names = np.full(int(units.max(initial=-1)) + 1, -1, np.int64)
        np.maximum.at(names, units, self.names[rows])
        return KnownPairs(together, apart, names)


@dataclass(frozen=True)
class PeopleClusters:
    """Clusters of n pictures.

    Attributes:
        people: the group of each picture over all cameras, int64 [n], in the order of their first pictures; `ALONE` for
            pictures that are alone in theirs.
        tracklets: the cluster of each picture within its camera, int64 [n]; pictures that are alone have their own.
        close: pairs of clusters within cameras that lie unexpectedly close, of different cameras.
        linked: mutually nearest pairs among the clusters of two cameras that were accepted.
        beyond_chance: clusters within cameras that have a link to another camera where half a stranger would be as
            close, less those that chance gives one; a share of those that could have one.
        threshold: strangers expected as close as the last link that was accepted; 0 where none was.
    """

    people: Ids
    tracklets: Ids
    close: Pairs
    linked: int
    beyond_chance: float
    threshold: float

    @property
    def groups(self) -> int:
        """Groups of two pictures or more."""
        return int(self.people.max(initial=ALONE)) + 1

    def groups_of_tracklets(self, rows: NDArray[np.bool_]) -> Ids:
        """The group of each cluster within a camera of some pictures, in the order of their numbers, int64 [c].

        A cluster whose picture is alone is a group of its own.

        Args:
            rows: the pictures, bool [n].
        """
        names, first = np.unique(self.tracklets[rows], return_index=True)
        people = self.people[rows][first]
        return np.where(people == ALONE, len(self.people) + names, people)


def cluster_people(
    embeddings: NDArray[np.float32],
    cameras: Ids,
    *,
    tracks: Ids | None = None,
    known: KnownPairs | None = None,
    settings: ClusterSettings | None = None,
    progress: Progress = no_progress,
) -> PeopleClusters:
    """Cluster pictures within each camera, and link the clusters of different cameras.

    Args:
        embeddings: float32 [n, d], best without what is the cameras' (`swiftreid.encoding.camera_statistics`).
        cameras: int64 [n].
        tracks: of each picture, int64 [n], -1 where it is of none: those of one track and camera are one person.
        known: pairs of pictures that are one person, or are not; where the two contradict each other, they are one.
        settings: how to cluster.
        progress: takes cameras, then pairs of cameras, that are done and in all.
    """
    known = known or KnownPairs()
    how = settings or ClusterSettings()
    units = centred(embeddings)
    within, count = np.empty(len(units), np.int64), 0
    every = np.unique(cameras)
    for number, camera in enumerate(every):
        progress("clustering cameras", number, len(every))
        rows = np.flatnonzero(cameras == camera)
        seen = np.arange(len(rows)) if tracks is None else _by_track(tracks[rows])
        means = centroids_of(units[rows], seen, int(seen.max()) + 1)
        clusters = cluster_camera(means, errors=how.within_errors, known=known.among(rows, seen, len(units)))[seen]
        within[rows] = clusters + count
        count += int(clusters.max()) + 1
    progress("clustering cameras", len(every), len(every))
    found = links_between(units, cameras, within, progress=progress)
    close = found.pairs
    threshold, beyond = link_threshold(found, how)
    accepted = found.mutual & (close.expected <= threshold)
    between = known.among(np.arange(len(units)), within, len(units))
    groups = average_linkage(
        close,
        count,
        max(threshold, FLOOR),
        may_join=accepted,
        cameras=found.cameras,
        together=between.together,
        apart=between.apart,
        names=between.names,
    )
    people = groups[within]
    sizes = np.bincount(people)
    people = np.where(sizes[people] > 1, people, ALONE)
    kept = people >= 0
    people[kept] = np.unique(people[kept], return_inverse=True)[1]
    return PeopleClusters(people, within, close, int(accepted.sum()), beyond, threshold)


def _by_track(tracks: Ids) -> Ids:
    """Number of each picture's track from 0, int64 [n]; a picture of no track is one of its own."""
    alone = tracks.max(initial=-1) + 1 + np.arange(len(tracks))
    return np.unique(np.where(tracks < 0, alone, tracks), return_inverse=True)[1].astype(np.int64)


def cluster_camera(units: NDArray[np.float32], *, errors: float, known: KnownPairs | None = None) -> Ids:
    """Clusters among the pictures of one camera, int64 [n].

    The threshold is the largest for which the expected strangers, half of ``n threshold``, are at most the share
    ``errors`` of the pairs found. Where people were seen once, no threshold is, and everybody stays alone.

    Args:
        units: of length 1, float32 [n, d].
        errors: share of pairs.
        known: pairs of pictures that are one person, or are not.
    """
    known = known or KnownPairs()
    pairs = close_pairs(units)
    expected = np.sort(pairs.expected)
    share = len(units) * expected / (2 * np.arange(1, len(expected) + 1))
    fine = np.flatnonzero(share <= errors)
    limit = float(expected[fine[-1]]) if len(fine) else FLOOR / 2  # below all that there is
    return average_linkage(pairs, len(units), limit, together=known.together, apart=known.apart, names=known.names)


@dataclass(frozen=True)
class Links:
    """Close pairs of clusters of different cameras.

    Attributes:
        pairs: of clusters.
        mutual: which of them are mutually nearest among the clusters of their two cameras, bool [p].
        cameras: of each cluster, int64 [c].
    """

    pairs: Pairs
    mutual: NDArray[np.bool_]
    cameras: Ids


def links_between(
    units: NDArray[np.float32], cameras: Ids, clusters: Ids, *, progress: Progress = no_progress
) -> Links:
    """Compare the mean vectors of clusters of different cameras.

    Args:
        units: embeddings, float32 [n, d], best without what is the cameras', centred and of length 1.
        cameras: int64 [n].
        clusters: within cameras, int64 [n] from 0.
        progress: takes pairs of cameras that are done and in all.
    """
    count = int(clusters.max(initial=-1)) + 1
    centroids, of = centroids_of(units, clusters, count), first_of(cameras, clusters, count)
    parts, mutual = [NO_PAIRS], [np.zeros(0, bool)]
    two = list(combinations([np.flatnonzero(of == camera) for camera in np.unique(of)], 2))
    for number, (ours, theirs) in enumerate(two):
        progress("comparing cameras", number, len(two))
        found = close_pairs(centroids[ours], centroids[theirs])
        mutual.append(mutually_nearest(found, len(ours), len(theirs)))
        parts.append(Pairs(ours[found.left], theirs[found.right], found.expected))
    progress("comparing cameras", len(two), len(two))
    every = Pairs(
        np.concatenate([part.left for part in parts]),
        np.concatenate([part.right for part in parts]),
        np.concatenate([part.expected for part in parts]),
    )
    return Links(every, np.concatenate(mutual), of)


def mutually_nearest(pairs: Pairs, left: int, right: int) -> NDArray[np.bool_]:
    """Which pairs have the smallest expectation of both their left and their right unit, bool [p]."""
    ours, theirs = np.full(left, np.inf, np.float32), np.full(right, np.inf, np.float32)
    np.minimum.at(ours, pairs.left, pairs.expected)
    np.minimum.at(theirs, pairs.right, pairs.expected)
    both: NDArray[np.bool_] = (pairs.expected == ours[pairs.left]) & (pairs.expected == theirs[pairs.right])
    return both


_STEPS: Final = np.round(np.arange(0.02, 2.001, 0.02), 2)


_COUNTS: Final = (21, 30, 45, 65, 100, 150, 220, 300)
"""Units for which chance is simulated: of fewer, growth is read from a few neighbours, and chance finds more."""


def chance_links(count: int) -> NDArray[np.float64]:
    """Share of units with a mutually nearest one within each of `_STEPS` where nobody was seen twice, by simulation.

    Args:
        count: units of the smaller camera, 21 or more.
    """
    return _simulated(max(number for number in _COUNTS if number <= count))


@cache
def _simulated(number: int) -> NDArray[np.float64]:
    """`chance_links` of directions drawn at random; their dimensions matter little (16 here)."""
    rng, counts, draws = np.random.default_rng(0), np.zeros(len(_STEPS)), 2400 // number
    for _ in range(draws):
        ours, theirs = (_directions(rng, number) for _ in range(2))
        found = close_pairs(ours, theirs)
        expected = found.expected[mutually_nearest(found, number, number)]
        counts += np.searchsorted(np.sort(expected), _STEPS, side="right")
    share: NDArray[np.float64] = counts / (draws * number)
    return share


def _directions(rng: np.random.Generator, number: int) -> NDArray[np.float32]:
    values = rng.normal(size=(number, 16)).astype(np.float32)
    return centred(values)


def link_threshold(links: Links, how: ClusterSettings) -> tuple[float, float]:
    """The largest threshold at which chance explains at most the share ``how.link_errors`` of the clusters linked.

    It counts clusters, not links: the more cameras there are, the more of them chance links to somebody, and one wrong
    link is enough to spoil a group.

    Args:
        links: between cameras.
        how: settings.

    Returns:
        The threshold, 0 where there is none; and the share of clusters that are linked beyond chance where half a
        stranger would be as close.
    """
    nearest = np.full(len(links.cameras), np.inf)
    for side in (links.pairs.left, links.pairs.right):
        np.minimum.at(nearest, side[links.mutual], links.pairs.expected[links.mutual])
    observed = np.searchsorted(np.sort(nearest), _STEPS, side="right")
    chance, possible = _linked_by_chance(np.unique(links.cameras, return_counts=True)[1].tolist())
    if not possible:
        return 0.0, 0.0
    fine = np.flatnonzero((chance <= how.link_errors * observed) & (how.largest >= _STEPS) & (observed > 0))
    half = int(np.searchsorted(_STEPS, 0.5))
    beyond = float(observed[half] - chance[half]) / possible
    return (float(_STEPS[fine[-1]]) if len(fine) else 0.0), beyond


def _linked_by_chance(sizes: list[int]) -> tuple[NDArray[np.float64], int]:
    """Clusters that chance gives a link within each of `_STEPS`, and how many could have one.

    Args:
        sizes: clusters of each camera.
    """
    linked, possible = np.zeros(len(_STEPS)), 0
    for one, size in enumerate(sizes):
        others = [other for place, other in enumerate(sizes) if place != one and comparable(size, other)]
        # Two cameras have at most as many links as the smaller of them has clusters.
        smaller = [min(size, other) for other in others]
        none = np.prod([1 - chance_links(count) * count / size for count in smaller], axis=0)
        linked += size * (1 - none)
        possible += size * bool(others)
    return linked, possible


def centred(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embeddings less their mean, of length 1, float32 [n, d]."""
    moved = embeddings - embeddings.mean(axis=0)
    lengths = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
    units: NDArray[np.float32] = np.divide(moved, lengths, dtype=np.float32)
    return units


def centroids_of(units: NDArray[np.float32], clusters: Ids, count: int) -> NDArray[np.float32]:
    """The mean of the embeddings of each cluster, of length 1, float32 [count, d].

    Args:
        units: embeddings of length 1, float32 [n, d].
        clusters: of each, int64 [n] from 0.
        count: clusters.
    """
    sums = np.zeros((count, units.shape[1]))
    np.add.at(sums, clusters, units)
    lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    means: NDArray[np.float32] = (sums / lengths).astype(np.float32)
    return means


def first_of(values: Ids, clusters: Ids, count: int) -> Ids:
    """A value of each cluster, where all of its pictures have the same, int64 [count]."""
    found = np.zeros(count, np.int64)
    found[clusters] = values
    return found
