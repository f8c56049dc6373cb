"""Comparing result cards: which figures may be compared at all, and which differences are more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard, ResultRow
from swiftreid.evaluation.confidence import bootstrap_intervals
from swiftreid.evaluation.metrics import ApRule

FLIPS: Final = 10_000
SEED: Final = 20_200_809
SIGNIFICANT: Final = 0.05
_BLOCK_BITS: Final = 2**24

Figure = Literal["mAP", "rank-1"]


@dataclass(frozen=True)
class Difference:
    """A field that differs between two cards, so their figures do not compare the encoders."""

    field: str
    first: str
    other: str

    def __str__(self) -> str:
        return f"{self.field} ({self.first} and {self.other})"


def differences(first: ResultCard, other: ResultCard, *, ap: ApRule | None = None) -> list[Difference]:
    """What keeps two cards from being compared; empty if nothing does.

    Args:
        first: a card.
        other: another.
        ap: the definition of AP to compare by; None takes the cards' own, which then must be one.
    """
    ours, theirs = first.protocol, other.protocol
    fields: list[tuple[str, object, object]] = [
        ("data set", _data(first), _data(other)),
        ("query", _words(ours.multi_query), _words(theirs.multi_query)),
        ("pictures by the query's own camera", _cameras(ours.cross_camera), _cameras(theirs.cross_camera)),
        ("queries without a good match", ours.empty, theirs.empty),
        ("distractors", ours.distractors, theirs.distractors),
        ("unreadable pictures", first.unreadable, other.unreadable),
        ("queries with a good match", ours.queries, theirs.queries),
        ("queries without one", ours.skipped, theirs.skipped),
    ]
    if ap is None:
        fields.append(("definition of AP", ours.ap, theirs.ap))
    found = [Difference(name, str(a), str(b)) for name, a, b in fields if a != b]
    if first.queries and other.queries and first.queries != other.queries:
        shared = len(set(first.queries) & set(other.queries))
        found.append(
            Difference("queries", f"{len(first.queries):,}", f"{len(other.queries):,}, {shared:,} of them the same")
        )
    return found


def _data(card: ResultCard) -> str:
    return f"fingerprint {card.data.fingerprint}"  # a renamed folder holds the same pictures


def _words(multi_query: bool) -> str:
    return "multi query" if multi_query else "single query"


def _cameras(cross_camera: bool) -> str:
    return "ignored" if cross_camera else "counted"


@dataclass(frozen=True)
class Paired:
    """One figure of one ranking, of another card against the first.

    Attributes:
        ranking: name of the row.
        card: number of the other card, from 1.
        figure: mAP or rank-1.
        queries: counted queries of both.
        difference: other minus first, a share.
        interval: 95 % bootstrap interval of that.
        p: of the sign-flip test, two-sided.
        adjusted: p after Holm's correction for all tests of the comparison.
    """

    ranking: str
    card: int
    figure: Figure
    queries: int
    difference: float
    interval: tuple[float, float]
    p: float
    adjusted: float

    @property
    def significant(self) -> bool:
        """Whether the corrected p is below 5 %."""
        return self.adjusted < SIGNIFICANT


def compare_rows(
    cards: Sequence[ResultCard], rankings: Sequence[str], *, ap: ApRule, flips: int = FLIPS, seed: int = SEED
) -> list[Paired]:
    """Test each ranking's mAP and rank-1 against the first card's, query by query; with Holm's correction.

    Rankings and cards with other queries, or without figures of each query, are left out.

    Args:
        cards: at least two.
        rankings: names of rows.
        ap: which definition of AP.
        flips: how often signs are drawn, see `sign_flip_p`.
        seed: of the drawing.
    """
    tests: list[Paired] = []
    for ranking in rankings:
        first = cards[0].row(ranking)
        for number, card in enumerate(cards[1:], 1):
            other = card.row(ranking)
            if first is None or other is None or not cards[0].queries or cards[0].queries != card.queries:
                continue
            if first.per_query is None or other.per_query is None:
                continue
            for figure in ("mAP", "rank-1"):
                ours, theirs = (_values(row, figure, ap) for row in (first, other))
                both = ~(np.isnan(ours) | np.isnan(theirs))
                change = (theirs - ours)[both]
                if not len(change):
                    continue
                [(low, high)] = bootstrap_intervals(change).tolist()
                p = sign_flip_p(change, flips=flips, seed=seed)
                tests.append(Paired(ranking, number, figure, len(change), float(change.mean()), (low, high), p, p))
    corrected = holm([test.p for test in tests])
    return [replace(test, adjusted=p) for test, p in zip(tests, corrected, strict=True)]


def sign_flip_p(change: NDArray[np.float64], *, flips: int = FLIPS, seed: int = SEED) -> float:
    """Two-sided p of paired differences by random sign flips (Fisher's randomization test; Smucker et al., CIKM 2007).

    If neither system is better, each query's difference might as well have had the other sign. p is the share of sign
    assignments, the observed one among them, whose mean is at least as far from 0; it is never below 1 / (flips + 1).

    Example:
        >>> sign_flip_p(np.zeros(10)), sign_flip_p(np.full(40, 0.1)) < 0.001
        (1.0, True)

    Args:
        change: float64 [q].
        flips: how many random assignments, at least 1.
        seed: of their drawing.

    Raises:
        UsageError: there is no query, or flips is below 1.
    """
    if change.ndim != 1 or not len(change) or flips < 1:
        raise UsageError(f"a sign-flip test takes differences [q] and flips >= 1, got {change.shape} and {flips}")
    observed = abs(float(change.sum()))
    slack = 1e-9 * float(np.abs(change).sum())  # sums in another order differ in the last digits
    rng, extreme, done = np.random.default_rng(seed), 1, 0
    width = -(-len(change) // 8)
    while done < flips:
        count = min(flips - done, max(1, _BLOCK_BITS // (8 * width)))
        drawn = rng.integers(0, 256, (count, width), dtype=np.uint8)
        kept = np.unpackbits(drawn, axis=1, count=len(change)).astype(np.float32)
        sums = 2 * (kept.astype(np.float64) @ change) - change.sum()
        extreme += int((np.abs(sums) >= observed - slack).sum())
        done += count
    return extreme / (flips + 1)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): each p as if it were the only test, with all of them kept below a level.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def short_names(paths: Sequence[Path]) -> list[str]:
    """Distinct names of files: without folder and ending if that is enough."""
    stems = [path.stem for path in paths]
    return [str(path) if stems.count(path.stem) > 1 else path.stem for path in paths]


def shared_rankings(cards: Sequence[ResultCard], wanted: Sequence[str] = ()) -> list[str]:
    """Names of the rankings to compare: those that all cards have, or those asked for, by name or a part of it.

    Raises:
        UsageError: a card lacks a ranking asked for, or there is none that all have.
    """
    named = [cards[0].find(text).ranking for text in wanted]
    for name in named:
        lacking = next((number for number, card in enumerate(cards, 1) if card.row(name) is None), None)
        if lacking is not None:
            has = ", ".join(f"'{row.ranking}'" for row in cards[lacking - 1].rows)
            raise UsageError(f"card {lacking} has no ranking {name!r}; it has {has}")
    shared = [row.ranking for row in cards[0].rows if all(card.row(row.ranking) is not None for card in cards)]
    if not wanted and not shared:
        each = "; ".join(
            f"card {number}: " + ", ".join(f"'{row.ranking}'" for row in card.rows)
            for number, card in enumerate(cards, 1)
        )
        raise UsageError(f"the cards have no ranking in common ({each})")
    return list(dict.fromkeys(named)) or shared


def _values(row: ResultRow, figure: str, ap: ApRule) -> NDArray[np.float64]:
    each = row.per_query
    assert each is not None
    counted = np.array([np.nan if value is None else value for value in each.inp], np.float64)
    if figure == "rank-1":
        return np.where(np.isnan(counted), np.nan, np.array(each.first_match) == 1)
    values = getattr(each, f"ap_{ap}") or [None] * len(each.inp)
    return np.array([np.nan if value is None else value for value in values], np.float64)
