"""The protocols of person re-identification: what counts as right, wrong and junk, and the figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.matches import Matches
from swiftreid.evaluation.metrics import figures_of_ranks

EmptyRule = Literal["skip", "zero"]

_GOOD, _IGNORED = 1, 2


@dataclass(frozen=True)
class Metrics:
    """Figures of one evaluation; means are over the counted queries.

    Attributes:
        cmc: share of queries whose first good match stands at rank k or better, float64 [max_rank], rank 1 first.
        map_standard: mean of the standard average precision.
        map_trapezoid: mean of Market-1501's trapezoidal average precision.
        map_short_list: mean of the average precision over the short list of a cascade: only good matches that reached
            its last stage count. As ``map_standard`` where there is one stage.
        minp: mean inverse negative penalty.
        valid: queries with at least one good match in the gallery.
        skipped: queries without one: left out, or counted as 0 with ``empty="zero"``.
        incomplete: valid queries with a ranking that missed at least one good match (which then counts as never found).
        ap_standard: per query, float64 [q]; NaN for queries left out.
        ap_trapezoid: likewise.
        ap_short_list: likewise.
        inp: likewise.
        first_match: rank of the first good match, counted from 1, int64 [q]; 0 where none was ranked.
        empty: what was done with queries without a good match.
        cross_camera: whether pictures by the query's own camera were ignored.
    """

    cmc: NDArray[np.float64]
    map_standard: float
    map_trapezoid: float
    map_short_list: float
    minp: float
    valid: int
    skipped: int
    incomplete: int
    ap_standard: NDArray[np.float64]
    ap_trapezoid: NDArray[np.float64]
    ap_short_list: NDArray[np.float64]
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
class Protocol:
    """How rankings are evaluated.

    Attributes:
        empty: queries without a good match in the gallery are left out ("skip", as most toolkits do) or counted as 0
            ("zero", as Market-1501's own code does).
        cross_camera: False for data without camera ids: matches by the same camera then count.
        self_positions: for each query its own position in the gallery, or -1, int64 [q]; that picture is ignored. None
            where no query stands in the gallery.
    """

    empty: EmptyRule = "skip"
    cross_camera: bool = True
    self_positions: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.empty not in ("skip", "zero"):
            raise UsageError(f"empty is 'skip' or 'zero', not {self.empty!r}")

    def own(self, queries: int) -> NDArray[np.int64]:
        """Each query's own position in the gallery, or -1: int64 [q]."""
        return np.full(queries, -1) if self.self_positions is None else self.self_positions


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
    short_lists: Iterable[int] | None = None,
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
        short_lists: for each query how many entries of its ranking, the first ones, reached the last stage of a
            cascade; by default all. Each is read after its ranking.

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

    matches = Matches(entries, entry_cameras if cross_camera else None)
    marks = np.zeros(len(entries), np.uint8)
    marks[matches.junk] = _IGNORED
    standing: list[NDArray[np.int64]] = []
    positives: list[int] = []
    listed: list[int] = []
    lengths = None if short_lists is None else iter(short_lists)
    number = -1
    for number, ranking in enumerate(rankings):
        if number >= len(persons):
            raise UsageError(f"there are more rankings than the {len(persons)} queries")
        good, ignored = matches.of(int(persons[number]), int(cameras[number]), int(own[number]))
        marks[good], marks[ignored] = _GOOD, _IGNORED
        order = _checked(ranking, len(entries), number)
        standing.append(_ranks(order, marks))
        listed.append(int(np.count_nonzero(marks[order if lengths is None else order[: next(lengths)]] == _GOOD)))
        positives.append(len(good))
        marks[good] = marks[ignored] = 0
        marks[matches.junk] = _IGNORED
    if number + 1 < len(persons):
        raise UsageError(f"there are {number + 1} rankings for {len(persons)} queries")
    return summarise(standing, positives, listed, empty=empty, cross_camera=cross_camera, max_rank=max_rank)


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


def _checked(ranking: NDArray[np.integer], entries: int, number: int) -> NDArray[np.integer]:
    """A ranking without its padding."""
    order = np.asarray(ranking)
    if order.ndim != 1 or (order.size and not np.issubdtype(order.dtype, np.integer)):
        raise UsageError(f"ranking {number} must be gallery positions in one dimension, got shape {order.shape}")
    order = order[order >= 0]
    if len(order) and int(order.max()) >= entries:
        raise UsageError(f"ranking {number} holds position {int(order.max())}; the gallery has {entries} entries")
    present = np.zeros(entries, np.bool_)
    present[order] = True
    if np.count_nonzero(present) != len(order):
        raise UsageError(f"ranking {number} holds a gallery position more than once")
    return order


def _ranks(order: NDArray[np.integer], marks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Ranks of the good matches, counted from 1, once what is ignored was taken out."""
    marked = marks[order]
    places = np.flatnonzero(marked)
    ignored = marked[places] == _IGNORED
    ranks: NDArray[np.int64] = (places + 1 - np.cumsum(ignored))[~ignored]
    return ranks


def summarise(
    ranks: Sequence[NDArray[np.int64]],
    positives: Sequence[int] | NDArray[np.int64],
    listed: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    empty: EmptyRule = "skip",
    cross_camera: bool = True,
    max_rank: int = 50,
) -> Metrics:
    """Figures of an evaluation, from where the good matches stand.

    Args:
        ranks: for each query the ranks of its good matches once what is ignored was taken out, from 1, ascending.
        positives: for each query how many good matches there are, ranked or not.
        listed: for each query how many of its ranks, the first ones, are on the short list; by default all.
        empty: see `evaluate_rankings`, as for the next two.
        cross_camera: which rule made the ranks.
        max_rank: length of the CMC curve.

    Raises:
        SwiftReIDError: no query has a good match in the gallery.
    """
    standard, trapezoid, short_list, inp = figures_of_ranks(ranks, positives, listed)
    aps = np.stack([standard, trapezoid, short_list])
    first = np.fromiter((found[0] if len(found) else 0 for found in ranks), np.int64, len(ranks))
    incomplete = sum(len(found) < total for found, total in zip(ranks, positives, strict=True))
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
        map_short_list=float(aps[2, counted].mean()),
        minp=float(inp[counted].mean()),
        valid=valid,
        skipped=len(first) - valid,
        incomplete=incomplete,
        ap_standard=aps[0],
        ap_trapezoid=aps[1],
        ap_short_list=aps[2],
        inp=inp,
        first_match=first,
        empty=empty,
        cross_camera=cross_camera,
    )
