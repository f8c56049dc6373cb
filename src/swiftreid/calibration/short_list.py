"""How many entries must pass a short code to have a right one among them: the w rule of AFR.

The SSR paper's attribute-based fast retrieval (AFR, methods.md section 1) ranks by a short code, keeps the closest
``w`` and ranks those by the long code; ``w`` is the smallest at which search by the short code alone reaches *rank-w =
97 %* on validation people.

**A share, not a number, is carried over.** Others stand before the first match in proportion to how many there are,
so ``w`` of a small held-out gallery would be far too few in a large one. The cascade therefore has ``share=``; ``top``
is for comparison with the paper.

**Pictures of the query's person by its own camera** are no matches, but they fill a list like anybody: they count among
those that stand before.

**Ties** count against the match: all others at its distance stand before it. The order among them is the gallery's,
which means nothing, and short codes tie much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.calibration.labels import people_and_places
from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import CodeSpec, bits_of
from swiftreid.search.stages import Stage

RANK_SHARE = 0.97
"""The paper's."""

_BLOCK = 256


@dataclass(frozen=True)
class ShortList:
    """How much of the gallery search by a short code must keep.

    Attributes:
        code: the short code.
        final: the code that orders what is kept.
        rank_share: share of the queries for which a match is among what is kept.
        top: the paper's w: smallest number of entries for which that holds in the held-out gallery.
        share: the same as a share of the gallery.
        queries: held-out pictures with a match by another camera.
        entries: size of the held-out gallery.
    """

    code: str
    final: str
    rank_share: float
    top: int
    share: float
    queries: int
    entries: int

    def cascade(self) -> Cascade:
        """The cascade of two stages, by share."""
        return Cascade([Stage(self.code, share=self.share), Stage(self.final)])


def short_and_final(codes: Iterable[str], code: str | None = None, final: str | None = None) -> tuple[str, str]:
    """The two codes of a short list.

    Args:
        codes: names of those that there are.
        code: the short one; by default the attributes (``attrN``) if there are any, else the shortest.
        final: the one that orders the list; by default the longest.

    Raises:
        UsageError: there is no such code, or both are the same.
    """
    names = sorted(codes, key=lambda name: (not name.startswith("attr"), bits_of(name)))
    short, last = code or next(iter(names), ""), final or next(iter(names[::-1]), "")
    for name in (short, last):
        if name not in names:
            raise UsageError(f"there is no code {name!r}; there is: {', '.join(names) or 'none'}")
    if short == last:
        raise UsageError(f"a short list needs two codes, a short one and a final one; both are {short}")
    return short, last


def fit_short_list(
    codes: Mapping[str, NDArray[np.uint8]],
    persons: ArrayLike,
    cameras: ArrayLike,
    *,
    code: str | None = None,
    final: str | None = None,
    rank_share: float = RANK_SHARE,
) -> ShortList:
    """The w rule on held-out people; every picture is a query to all others, and looks for another camera's.

    Args:
        codes: packed codes by name, uint8 [n, row bytes].
        persons: int [n]; identities below zero (junk) are left out.
        cameras: int [n].
        code: the short code; by default as `short_and_final` chooses it.
        final: the code that orders the list; likewise.
        rank_share: share of the queries that must keep their first match; above 0, at most 1.

    Raises:
        UsageError: an argument is out of range, or no person was seen by two cameras.
    """
    if not 0 < rank_share <= 1:
        raise UsageError(f"rank_share must be above 0 and at most 1, got {rank_share}")
    short, last = short_and_final(codes, code, final)
    people, places = people_and_places(persons, cameras, CodeSpec(tuple(codes)).check(codes))
    real = np.flatnonzero(people >= 0)
    people, places, column = people[real], places[real], np.ascontiguousarray(codes[short][real])
    found = []
    for start in range(0, len(column), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(column)))
        distances = kernels.hamming(column, column[block], short)
        match = (people[block, None] == people[None, :]) & (places[block, None] != places[None, :])
        with_match = match.any(axis=1)
        nearest = np.where(match, distances, np.iinfo(np.int32).max).min(axis=1)
        before = (~match & (distances <= nearest[:, None])).sum(axis=1) - 1  # not itself
        found.append(before[with_match] + 1)
    ranks = np.sort(np.concatenate([*found, np.empty(0, np.int64)]))
    if not len(ranks):
        raise UsageError("no person was seen by two cameras, so no short list can be fitted; calibrate on other people")
    top = int(ranks[math.ceil(rank_share * len(ranks) - 1e-9) - 1])
    # Rounded up, so that the cascade's text is short and never keeps less.
    share = min(1.0, math.ceil(top / (len(people) - 1) * 1e4 - 1e-9) / 1e4)
    return ShortList(short, last, rank_share, top, share, len(ranks), len(people))
