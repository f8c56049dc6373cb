"""The distance up to which two pictures count as the same person's, and the answer 'unknown'.

A ranking always has a first entry, even when the person was never seen before. The threshold separates the two cases.
At most a stated share of the queries *without* a match may get an entry (``false_accepts``), in a gallery of a stated
size. More entries give more chances of a mistake, so the size is part of the statement: `SamePerson.false_accepts_in`
estimates the share for a gallery of another size.

All figures are counted on held-out people: pictures of the same person by different cameras on one hand, of different
people on the other. They are measurements, not promises with a confidence, since pairs of strangers share pictures.

**Sizes.** For a gallery no larger than the held-out strangers, the chance that none of them is within the threshold is
that of drawing it from them without replacement (hypergeometric), query by query. For a larger one an assumption is
needed: strangers are within the threshold independently, with the share counted over all queries. Queries differ, so
fewer of them get an entry than this estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.calibration.labels import people_and_places
from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.codes import bits_of
from swiftreid.search.results import SearchResult

FALSE_ACCEPTS = 0.05

EMBEDDING = "embedding"
"""In place of a code's name: cosine distance of float embeddings, 0 to 2."""

LABELLED: Final = "labelled people"
UNLABELLED: Final = "groups without labels"
"""What a threshold is fitted on: people with names, or groups of pictures (`swiftreid.calibration.unlabelled`)."""

_BLOCK, _MOST_QUERIES = 128, 2048
_COSINE_BINS = 2000


@dataclass(frozen=True)
class SamePerson:
    """A decision threshold with its figures, all shares in 0..1.

    Attributes:
        code: the code that decides, or ``embedding``.
        threshold: largest distance of the same person: bits, or cosine distance (1 less the cosine).
        gallery: entries of the gallery for which ``false_accepts`` holds.
        false_accepts: of queries without a match, how many are given some entry of such a gallery.
        false_accepts_per_pair: of pairs of pictures of different people, how many are taken for the same.
        recall: of queries with a match, how many have one within the threshold.
        recall_per_pair: of pairs of the same person by different cameras, how many are within it.
        met: whether ``false_accepts`` is as low as requested (False: even distance 0 has more).
        persons: held-out people with pictures by two cameras.
        queries: held-out pictures asked.
        source: what it is fitted on, `LABELLED` or `UNLABELLED`; of groups without labels all shares are estimates,
            and ``recall`` and ``persons`` are of the people who were found by two cameras.
    """

    code: str
    threshold: float
    gallery: int
    false_accepts: float
    false_accepts_per_pair: float
    recall: float
    recall_per_pair: float
    met: bool
    persons: int
    queries: int
    source: str = LABELLED

    def false_accepts_in(self, gallery: int) -> float:
        """An estimate of ``false_accepts`` in a gallery of another size (see this module on independence)."""
        independent = -math.expm1(gallery * math.log1p(-min(self.false_accepts_per_pair, 1 - 1e-12)))
        return max(independent, self.false_accepts) if gallery >= self.gallery else min(independent, self.false_accepts)


@dataclass(frozen=True)
class Decision:
    """What a threshold makes of a search.

    Attributes:
        same: bool [q, k], entries that show the query's person by the threshold; False where a row has ended.
        unknown: bool [q], queries for which there is none.
    """

    same: NDArray[np.bool_]
    unknown: NDArray[np.bool_]


def decide(result: SearchResult, threshold: float | SamePerson) -> Decision:
    """Which entries of a search show the query's person, and for which queries the answer is 'unknown'.

    Only entries that reached the last stage can: the distance of another stage is in bits of another code.

    Args:
        result: of `Cascade.search` or `Cascade.rank`.
        threshold: largest distance, in bits of the last stage's code; or a calibrated one, which knows its code.

    Raises:
        UsageError: the search ended in another code than the calibrated threshold is for, or it is below 0.
    """
    if isinstance(threshold, SamePerson):
        last = result.report[-1].code
        if last != threshold.code:
            raise UsageError(
                f"the same-person threshold is for {threshold.code}, but the search ended in {last}: "
                f"end the cascade in {threshold.code}, or pass a number of bits of {last}"
            )
        threshold = threshold.threshold
    if not (math.isfinite(threshold) and threshold >= 0):
        raise UsageError(f"a same-person threshold is a distance of at least 0, got {threshold}")
    final = result.stages == len(result.report) - 1
    same = final & (result.distances <= threshold)
    return Decision(same, ~same.any(axis=1))


def fit_same_person(
    vectors: NDArray[np.uint8] | NDArray[np.float32],
    persons: ArrayLike,
    cameras: ArrayLike,
    *,
    code: str = EMBEDDING,
    false_accepts: float = FALSE_ACCEPTS,
    gallery: int | None = None,
    seed: int = 0,
) -> SamePerson:
    """The largest threshold that gives an entry to at most a share ``false_accepts`` of the queries without a match.

    Args:
        vectors: packed codes, uint8 [n, row bytes], or embeddings, float32 [n, d], of held-out people.
        persons: int [n]; identities below zero (junk) are left out.
        cameras: int [n].
        code: name of the code; ``embedding`` for embeddings, with distances counted in steps of 0.001.
        false_accepts: above 0 and below 1.
        gallery: entries of the gallery for which that is to hold; by default as many as there are held-out strangers.
        seed: above 2,048 pictures that many are drawn as queries.

    Raises:
        UsageError: an argument is out of range or a number not finite, or there are no two people, or none was seen by
            two cameras.
    """
    if not 0 < false_accepts < 1:
        raise UsageError(f"false_accepts must be above 0 and below 1, got {false_accepts}")
    counted, size = _checked(vectors, persons, cameras, code=code, gallery=gallery, seed=seed)
    curve = _false_accepts(counted.strangers, size)
    place = max(0, int(np.searchsorted(curve, false_accepts, side="right")) - 1)
    return _measured(counted, curve, place, code, size, most=false_accepts)


def measure_same_person(
    vectors: NDArray[np.uint8] | NDArray[np.float32],
    persons: ArrayLike,
    cameras: ArrayLike,
    fitted: SamePerson,
    *,
    seed: int = 0,
) -> SamePerson:
    """The figures that a threshold has on other people: its distance and gallery stay.

    Args:
        vectors: as for `fit_same_person`, of the threshold's code.
        persons: likewise.
        cameras: likewise.
        fitted: the threshold; ``met`` becomes whether its ``false_accepts`` holds here.
        seed: above 2,048 pictures that many are drawn as queries.

    Raises:
        UsageError: as for `fit_same_person`.
    """
    counted, size = _checked(vectors, persons, cameras, code=fitted.code, gallery=fitted.gallery, seed=seed)
    curve = _false_accepts(counted.strangers, size)
    place = round(fitted.threshold * _COSINE_BINS / 2) if fitted.code == EMBEDDING else int(fitted.threshold)
    return _measured(counted, curve, place, fitted.code, size, most=fitted.false_accepts)


def _checked(
    vectors: NDArray[np.uint8] | NDArray[np.float32],
    persons: ArrayLike,
    cameras: ArrayLike,
    *,
    code: str,
    gallery: int | None,
    seed: int,
) -> tuple[_Counted, int]:
    """Counted distances, and the size of the gallery."""
    if gallery is not None and gallery < 1:
        raise UsageError(f"the gallery needs at least 1 entry, got {gallery}")
    people, places = people_and_places(persons, cameras, len(vectors))
    if code == EMBEDDING and not np.issubdtype(vectors.dtype, np.floating):
        raise UsageError(
            f"embeddings are floats, and these vectors are {vectors.dtype}: for packed codes give their name, "
            "as in code='id2048'"
        )
    if code == EMBEDDING and len(bad := np.flatnonzero(~np.isfinite(vectors).all(axis=1))):
        raise UsageError(f"embedding {int(bad[0])} (and {len(bad) - 1} more) holds a number that is not finite")
    real = np.flatnonzero(people >= 0)
    counted = _count(vectors[real], people[real], places[real], code, np.random.default_rng(seed))
    if not counted.matches.sum() or not counted.strangers.sum():
        raise UsageError(
            "a same-person threshold needs held-out pictures of two people at least, one of them seen by two cameras; "
            "calibrate on other people"
        )
    return counted, gallery or int(counted.strangers[:, -1].min())


def _measured(
    counted: _Counted, curve: NDArray[np.float64], place: int, code: str, size: int, *, most: float
) -> SamePerson:
    with_match = counted.nearest < len(curve)
    return SamePerson(
        code=code,
        threshold=place * 2 / _COSINE_BINS if code == EMBEDDING else place,
        gallery=size,
        false_accepts=float(curve[place]),
        false_accepts_per_pair=float(counted.strangers[:, place].sum() / counted.strangers[:, -1].sum()),
        recall=float((counted.nearest[with_match] <= place).mean()),
        recall_per_pair=float(counted.matches[: place + 1].sum() / counted.matches.sum()),
        met=bool(curve[place] <= most),
        persons=counted.persons,
        queries=len(counted.nearest),
    )


@dataclass(frozen=True)
class _Counted:
    """Distances as whole numbers 0..bins - 1.

    Attributes:
        strangers: int64 [q, bins], for each query how many strangers are at this distance or less.
        matches: int64 [bins], pairs of query and match at this distance.
        nearest: int64 [q], distance of the closest match; bins if there is none.
        persons: people with a match.
    """

    strangers: NDArray[np.int64]
    matches: NDArray[np.int64]
    nearest: NDArray[np.int64]
    persons: int


def _count(
    vectors: NDArray[np.uint8] | NDArray[np.float32],
    people: NDArray[np.int64],
    places: NDArray[np.int64],
    code: str,
    rng: np.random.Generator,
) -> _Counted:
    bins = (_COSINE_BINS if code == EMBEDDING else bits_of(code)) + 1
    queries = np.sort(rng.permutation(len(people))[:_MOST_QUERIES])
    distances_of = _cosine_steps(vectors) if code == EMBEDDING else partial(_hamming, vectors, code)
    strangers, nearest = np.zeros((len(queries), bins), np.int64), np.full(len(queries), bins)
    matches = np.zeros(bins, np.int64)
    for start in range(0, len(queries), _BLOCK):
        rows = queries[start : start + _BLOCK]
        distances = distances_of(rows)
        same = people[rows, None] == people[None, :]
        match = same & (places[rows, None] != places[None, :])
        at = distances + np.arange(len(rows))[:, None] * bins
        block = np.bincount(at[~same], minlength=len(rows) * bins).reshape(len(rows), bins)
        strangers[start : start + len(rows)] = np.cumsum(block, axis=1)
        matches += np.bincount(distances[match], minlength=bins)
        nearest[start : start + len(rows)] = np.where(match, distances, bins).min(axis=1, initial=bins)
    return _Counted(strangers, matches, nearest, len(np.unique(people[queries[nearest < bins]])))


def _false_accepts(strangers: NDArray[np.int64], gallery: int) -> NDArray[np.float64]:
    """For each threshold the share of queries for which some stranger of the gallery is within it, float64 [bins]."""
    totals = strangers[:, -1]
    if gallery > int(totals.min()):
        return np.asarray(1 - (1 - strangers.sum(axis=0) / totals.sum()) ** gallery)
    # C(total - within, gallery) / C(total, gallery), by logarithms of factorials.
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, int(totals.max()) + 1)))])
    outside = totals[:, None] - strangers
    possible = outside >= gallery
    drawn = factorials[outside] - factorials[np.where(possible, outside - gallery, 0)]
    whole = (factorials[totals] - factorials[totals - gallery])[:, None]
    return np.asarray(1 - np.where(possible, np.exp(drawn - whole), 0.0).mean(axis=0))


def _hamming(column: NDArray[Any], code: str, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    column = np.ascontiguousarray(column)
    return kernels.hamming(column, column[rows], code).astype(np.int64)


def _cosine_steps(vectors: NDArray[Any]) -> Callable[[NDArray[np.intp]], NDArray[np.int64]]:
    """Cosine distances in steps, rounded up: a pair at a step's distance is at most that far apart."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)

    def distances(rows: NDArray[np.intp]) -> NDArray[np.int64]:
        steps = np.ceil((1 - unit[rows] @ unit.T) * (_COSINE_BINS / 2) - 1e-3)
        return np.asarray(np.clip(steps, 0, _COSINE_BINS), np.int64)

    return distances
