"""The single-query protocol of person re-identification: what counts as right, wrong and junk, and the figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.data.samples import JUNK
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.metrics import average_precision, inverse_negative_penalty, ranks_of

EmptyRule = Literal["skip", "zero"]


@dataclass(frozen=True)
class Metrics:
    """Figures of one evaluation; means are over the counted queries.

    Attributes:
        cmc: share of queries whose first good match stands at rank k or better, float64 [max_rank], rank 1 first.
        map_standard: mean of the standard average precision.
        map_trapezoid: mean of Market-1501's trapezoidal average precision.
        minp: mean inverse negative penalty.
        valid: queries with at least one good match in the gallery.
        skipped: queries without one: left out, or counted as 0 with ``empty="zero"``.
        incomplete: valid queries whose ranking missed at least one good match (which then counts as never found).
        ap_standard: per query, float64 [q]; NaN for queries left out.
        ap_trapezoid: likewise.
        inp: likewise.
        first_match: rank of the first good match, counted from 1, int64 [q]; 0 where none was ranked.
        empty: what was done with queries without a good match.
        cross_camera: whether pictures by the query's own camera were ignored.
    """

    cmc: NDArray[np.float64]
    map_standard: float
    map_trapezoid: float
    minp: float
    valid: int
    skipped: int
    incomplete: int
    ap_standard: NDArray[np.float64]
    ap_trapezoid: NDArray[np.float64]
    inp: NDArray[np.float64]
    first_match: NDArray[np.int64]
    empty: EmptyRule
    cross_camera: bool

    @property
    def rank1(self) -> float:
        """Share of queries with a good match at rank 1."""
        return self.rank(1)

    def rank(self, k: int) -> float:
        """Share of queries with a good match among the first ``k``; k counts from 1."""
        if not 1 <= k <= len(self.cmc):
            raise UsageError(f"CMC was computed for ranks 1 to {len(self.cmc)}, not for {k}; ask for a larger max_rank")
        return float(self.cmc[k - 1])

    @property
    def protocol(self) -> str:
        """The protocol in words, for tables and cards."""
        if self.cross_camera:
            rule = (
                "single query, cross-camera: gallery pictures of the query's person by the query's camera are ignored"
            )
        else:
            rule = "single query, camera-less: same-camera matches count, only the query's own picture is ignored"
        counted = "counted as 0" if self.empty == "zero" else "left out"
        return f"{rule}; junk (person -1) is ignored; queries without a good match are {counted}"


@dataclass(frozen=True)
class SingleQuery:
    """Who stands in the gallery, and the junk rules that turn a ranking into hits.

    A good match is another picture of the query's person. Ignored are junk (person -1) and, across cameras, the
    query's person by the query's own camera; without cameras, the query's own picture. Market-1501's distractors
    (person 0) need no rule: no query carries that number, so they stay and are wrong.

    Attributes:
        persons: person id of each gallery entry, int64 [n].
        cameras: camera id of each gallery entry, int64 [n]; None without cameras.
    """

    persons: NDArray[np.int64]
    cameras: NDArray[np.int64] | None

    def verdicts(self, person: int, camera: int, own: int = -1) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """For one query: which gallery entries are good matches, and which are ignored; two bool arrays [n].

        Args:
            person: the query's person.
            camera: the query's camera; not used without cameras.
            own: the query's own position in the gallery; -1 if it is not there.
        """
        same = self.persons == person
        ignored = self.persons == JUNK
        if self.cameras is not None:
            ignored |= same & (self.cameras == camera)
        if own >= 0:
            ignored[own] = True
        return same & ~ignored, ignored


def evaluate_rankings(
    rankings: Iterable[NDArray[np.integer]] | NDArray[np.integer],
    query_persons: ArrayLike,
    query_cameras: ArrayLike,
    gallery_persons: ArrayLike,
    gallery_cameras: ArrayLike,
    *,
    empty: EmptyRule = "skip",
    cross_camera: bool = True,
    max_rank: int = 50,
    self_positions: Sequence[int] | NDArray[np.integer] | None = None,
) -> Metrics:
    """Judge one ranking per query by the single-query protocol; rankings are used one at a time, so they may stream.

    Args:
        rankings: for each query the gallery positions, best first; int [q, n], or an iterable of int [n_i]. A ranking
            may leave entries out (a cascade does); negative positions are padding and are skipped.
        query_persons: int [q].
        query_cameras: int [q].
        gallery_persons: int [n].
        gallery_cameras: int [n].
        empty: queries without a good match in the gallery are left out ("skip", as most toolkits do) or counted as 0
            ("zero", as Market-1501's own code does).
        cross_camera: False for data without camera ids: matches by the same camera then count.
        max_rank: length of the CMC curve.
        self_positions: for each query its own position in the gallery, or -1; that picture is ignored.

    Raises:
        SwiftReIDError: no query has a good match in the gallery.
        UsageError: arrays of different lengths, rankings too few or too many, positions out of range or repeated.
    """
    persons, cameras = _ids("query_persons", query_persons), _ids("query_cameras", query_cameras)
    entries, entry_cameras = _ids("gallery_persons", gallery_persons), _ids("gallery_cameras", gallery_cameras)
    own = np.full(len(persons), -1) if self_positions is None else _ids("self_positions", self_positions)
    _check(persons, cameras, entries, entry_cameras, own)
    if empty not in ("skip", "zero") or max_rank < 1:
        raise UsageError(f"empty must be 'skip' or 'zero' and max_rank at least 1, got {empty!r} and {max_rank}")

    rule = SingleQuery(entries, entry_cameras if cross_camera else None)
    aps, inp = np.full((2, len(persons)), np.nan), np.full(len(persons), np.nan)
    first = np.zeros(len(persons), np.int64)
    incomplete, number = 0, -1
    for number, ranking in enumerate(rankings):
        if number >= len(persons):
            raise UsageError(f"there are more rankings than the {len(persons)} queries")
        good, ignored = rule.verdicts(int(persons[number]), int(cameras[number]), int(own[number]))
        hits = _hits(ranking, good, ignored, number)
        positives = int(good.sum())
        if positives == 0:
            continue
        ranks = ranks_of(hits)
        aps[0, number] = average_precision(hits, "standard", positives)
        aps[1, number] = average_precision(hits, "trapezoid", positives)
        inp[number] = inverse_negative_penalty(hits, positives)
        first[number] = ranks[0] if len(ranks) else 0
        incomplete += len(ranks) < positives
    if number + 1 < len(persons):
        raise UsageError(f"there are {number + 1} rankings for {len(persons)} queries")
    return _summary(aps, inp, first, incomplete=incomplete, empty=empty, cross_camera=cross_camera, max_rank=max_rank)


def _ids(name: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise UsageError(f"{name} must be whole numbers in one dimension, got {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)


def _check(
    persons: NDArray[np.int64],
    cameras: NDArray[np.int64],
    entries: NDArray[np.int64],
    entry_cameras: NDArray[np.int64],
    own: NDArray[np.int64],
) -> None:
    if not len(persons) == len(cameras) == len(own):
        raise UsageError(f"{len(persons)} query persons, {len(cameras)} query cameras and {len(own)} self positions")
    if len(entries) != len(entry_cameras):
        raise UsageError(f"{len(entries)} gallery persons, but {len(entry_cameras)} gallery cameras")
    if len(own) and int(own.max()) >= len(entries):
        raise UsageError(f"self position {int(own.max())} is not in a gallery of {len(entries)}")


def _hits(
    ranking: NDArray[np.integer], good: NDArray[np.bool_], ignored: NDArray[np.bool_], number: int
) -> NDArray[np.bool_]:
    order = np.asarray(ranking)
    if order.ndim != 1 or (order.size and not np.issubdtype(order.dtype, np.integer)):
        raise UsageError(f"ranking {number} must be gallery positions in one dimension, got shape {order.shape}")
    order = order[order >= 0]
    if len(order) and int(order.max()) >= len(good):
        raise UsageError(f"ranking {number} holds position {int(order.max())}; the gallery has {len(good)} entries")
    seen = np.zeros(len(good), np.bool_)
    seen[order] = True
    if int(seen.sum()) != len(order):
        raise UsageError(f"ranking {number} holds a gallery position more than once")
    return good[order[~ignored[order]]]


def _summary(
    aps: NDArray[np.float64],
    inp: NDArray[np.float64],
    first: NDArray[np.int64],
    *,
    incomplete: int,
    empty: EmptyRule,
    cross_camera: bool,
    max_rank: int,
) -> Metrics:
    valid = int((~np.isnan(inp)).sum())
    if valid == 0:
        raise SwiftReIDError(
            f"none of the {len(first)} queries has a good match in the gallery"
            f"{' by another camera' if cross_camera else ''}, so there is nothing to measure; "
            "run `swiftreid doctor` on the data folder to see why"
        )
    if empty == "zero":
        aps, inp = np.nan_to_num(aps, nan=0.0), np.nan_to_num(inp, nan=0.0)
    counted = ~np.isnan(inp)
    at = np.bincount(first[counted & (first > 0) & (first <= max_rank)], minlength=max_rank + 1)[1:]
    return Metrics(
        cmc=np.cumsum(at) / counted.sum(),
        map_standard=float(aps[0, counted].mean()),
        map_trapezoid=float(aps[1, counted].mean()),
        minp=float(inp[counted].mean()),
        valid=valid,
        skipped=len(first) - valid,
        incomplete=incomplete,
        ap_standard=aps[0],
        ap_trapezoid=aps[1],
        inp=inp,
        first_match=first,
        empty=empty,
        cross_camera=cross_camera,
    )
