"""Thresholds with a bound on recall: the cheapest cascade that keeps a stated share of the exhaustive result.

**What is kept.** The exhaustive result of a query are its *relevant* entries (same person, other camera) that are
within ``reach`` bits by the final code. ``reach`` is the distance within which a share ``depth`` of the strangers
lies: at 0.01, about the hundredth place of a gallery of ten thousand. Relevant entries farther away are not found by
exhaustive search either, so no stage need keep them. Whether an entry is in this result, and whether thresholds keep
it, depends on that one pair of pictures alone: the bound does not change with the size of the gallery, as one on
"the first k" would (and `Cascade.search`, which lets at least k candidates through, only adds to recall).

**The bound.** For a new person, drawn like the held-out ones, the expected share of the result that passes
*all* stages is at least ``share``: the mean over the person's queries of the kept share of each. With probability
``confidence`` over the choice of held-out people this is true, whatever the distribution of distances. People
without any entry in the exhaustive result do not count.

**People are counted, not pairs.** Pairs of one person depend on each other (a coat that changes with the camera spoils
all of them), so a person is one observation: its loss, in 0..1, is the mean above. Losses of different people are
independent, because each depends on that person's own pictures only. Their mean is bounded by *betting* (Waudby-Smith
and Ramdas, "Estimating means of bounded random variables by betting", 2024): if the expected loss were above ``a = 1 -
share``, then ``E[1 + s (a - loss)] <= 1`` for any fixed stake ``0 <= s <= 1 / (1 - a)``, so the product over people,
the *capital*, exceeds ``1 / (1 - confidence)`` with probability ``1 - confidence`` at most (Markov). It uses that most
people lose only part of their pairs, which an exact binomial bound on drawn pairs cannot, and needs as few people as
that: without any loss, ``log(1 - confidence) / log(share)``; 299 for 0.99 at 0.95.

**Which thresholds are smallest.** Several stages have many smallest combinations; the one wanted compares the fewest
bytes. A random quarter of the people, the *shaping* part, gives a chain of threshold vectors from "all passes"
downwards: each step lowers the one threshold that saves most bytes for each relevant share that it loses (greedy). It
gives the stake too. The other people, the *certifying* part, are not used for the chain; they decide how far down it
to go: to the last place where the capital suffices. Losses only grow down the chain, so the first failure ends the walk
and no correction for many comparisons is due (Bates et al., "Distribution-free, risk-controlling prediction sets",
2021, Theorem 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.calibration.labels import people_and_places
from swiftreid.calibration.threshold_chains import cost_per_entry, losses_along, pair_loads, threshold_chain
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import CodeSpec, bits_of
from swiftreid.search.stages import Stage

SHARE, CONFIDENCE, DEPTH = 0.99, 0.95, 0.01

_STRANGERS = 20_000
_STAKES = np.linspace(0.05, 1.0, 40)


class TooFewPeople(SwiftReIDError):
    """Too few held-out people for the bound, however well their pictures match."""


@dataclass(frozen=True)
class RecallThresholds:
    """Certified thresholds, with the promise and what it rests on.

    Attributes:
        values: for each code but the last, shortest first, the largest distance in bits that goes on.
        final: the last code, which needs no threshold.
        share: least expected share of a new person's exhaustive result that passes all stages.
        confidence: of that statement.
        depth: share of strangers within ``reach``; None when every relevant entry counts.
        reach: largest distance by the final code, in bits, of an entry that counts as found by exhaustive search.
        shaping: people who fixed the chain.
        certifying: people who certified it.
        kept: share kept of these people's results, as measured; above ``share`` by the price of the confidence.
        bytes_per_entry: mean bytes compared for each stranger in the gallery, measured on the shaping people.
    """

    values: dict[str, int]
    final: str
    share: float
    confidence: float
    depth: float | None
    reach: int
    shaping: int
    certifying: int
    kept: float
    bytes_per_entry: float

    def cascade(self) -> Cascade:
        """The cascade with these thresholds."""
        return Cascade([*(Stage(code, threshold=t) for code, t in self.values.items()), Stage(self.final)])


def people_needed(share: float = SHARE, confidence: float = CONFIDENCE) -> int:
    """The fewest held-out people, each seen by two cameras, for `recall_thresholds` to promise ``share``.

    Raises:
        UsageError: a share or confidence that is not between 0 and 1.
    """
    _check(share, confidence, None)
    certifying = _least(share, confidence)
    return next(n for n in range(certifying, 2 * certifying + 4) if n - _shaping(n) >= certifying)


def recall_thresholds(
    codes: Mapping[str, NDArray[np.uint8]],
    persons: ArrayLike,
    cameras: ArrayLike,
    *,
    share: float = SHARE,
    confidence: float = CONFIDENCE,
    depth: float | None = DEPTH,
    seed: int = 0,
) -> RecallThresholds:
    """The cheapest thresholds that are certified to keep ``share`` of the exhaustive result (see this module).

    Args:
        codes: packed codes by name, uint8 [n, row bytes], of held-out people. The longest is the final one.
        persons: int [n]; identities below zero (junk) are left out. Distractors are not people: leave them out.
        cameras: int [n].
        share: what is to be kept, between 0 and 1.
        confidence: of the promise, between 0 and 1.
        depth: see `RecallThresholds`; None promises a share of all relevant entries, however far.
        seed: of the division of the people in two parts and of the draw of strangers.

    Raises:
        TooFewPeople: not even a loss of nothing would certify the promise; the message says how many are needed.
        UsageError: an argument is out of range, or there is only one code.
    """
    _check(share, confidence, depth)
    names = sorted(codes, key=bits_of)
    if len(names) < 2:
        raise UsageError(f"a cascade needs two codes at least, got {', '.join(names) or 'none'}")
    people, places = people_and_places(persons, cameras, CodeSpec(tuple(names)).check(codes))
    queries, entries = relevant_pairs(people, places)
    rng = np.random.default_rng(seed)
    present = np.unique(people[queries])
    shaping = shaping_people(present, share, confidence, rng)
    first, second = _strangers(people, np.isin(people, shaping), rng)
    between = np.stack([_distances(codes[name], first, second) for name in names], axis=1)
    within = np.stack([_distances(codes[name], queries, entries) for name in names], axis=1)
    reach = bits_of(names[-1])
    if depth is not None:
        reach = int(np.sort(between[:, -1])[max(0, math.ceil(depth * len(between)) - 1)])
    found = within[:, -1] <= reach
    within, queries = within[found, :-1], queries[found]
    in_shape = np.isin(people[queries], shaping)
    if not in_shape.any():
        raise TooFewPeople(
            f"no relevant entry of {len(shaping)} people is within {reach} bits of its query by {names[-1]}, where "
            f"{_percent(depth or 1)} of the strangers are: these codes do not separate people"
        )
    bits = np.array([bits_of(name) for name in names])
    loads = [pair_loads(queries[part], people[queries[part]]) for part in (in_shape, ~in_shape)]
    chain = threshold_chain(bits, within[in_shape], loads[0], between[:, :-1], until=2 * (1 - share) + 0.05)
    shape, losses = (
        losses_along(chain, within[part], people[queries[part]], load)
        for part, load in zip((in_shape, ~in_shape), loads, strict=True)
    )
    if len(losses) < _least(share, confidence):
        raise TooFewPeople(
            f"only {len(losses)} of the {len(present) - len(shaping)} certifying people have a relevant entry within "
            f"{reach} bits; to promise {_percent(share)} at {_percent(confidence)} confidence takes "
            f"{_least(share, confidence)}: ask for less, or calibrate on more people"
        )
    place = certified_place(shape, losses, share, confidence)
    values = dict(zip(names[:-1], chain[place].tolist(), strict=True))
    return RecallThresholds(
        values=values,
        final=names[-1],
        share=share,
        confidence=confidence,
        depth=depth,
        reach=reach,
        shaping=len(shaping),
        certifying=len(losses),
        kept=float(1 - losses[:, place].mean()),
        bytes_per_entry=cost_per_entry(bits, chain[place], between[:, :-1]),
    )


def relevant_pairs(people: NDArray[np.int64], places: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All ordered pairs (query, entry) of the same person by different cameras, two arrays of equal length."""
    order = np.argsort(people, kind="stable")
    starts = np.flatnonzero(np.diff(people[order], prepend=people[order][:1] - 1)) if len(order) else order
    queries, entries = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    for rows in np.split(order, starts[1:]):
        if not len(rows) or people[rows[0]] < 0:
            continue
        q, e = np.nonzero(places[rows][:, None] != places[rows][None, :])
        queries.append(rows[q])
        entries.append(rows[e])
    return np.concatenate(queries), np.concatenate(entries)


def shaping_people(
    people: NDArray[np.int64], share: float, confidence: float, seed: int | np.random.Generator
) -> NDArray[np.int64]:
    """A random quarter of the people, who have no say in what is certified.

    Raises:
        TooFewPeople: there are fewer than a promise takes.
        UsageError: a share or confidence that is not between 0 and 1.
    """
    needed = people_needed(share, confidence)
    present: NDArray[np.int64] = np.random.default_rng(seed).permutation(np.unique(people))
    if len(present) < needed:
        raise TooFewPeople(
            f"to promise {_percent(share)} of the exhaustive result at {_percent(confidence)} confidence takes "
            f"{needed} held-out people seen by two cameras; there are {len(present)}: "
            "ask for less, or calibrate on more people"
        )
    return present[: _shaping(len(present))]


def certified_place(shape: NDArray[np.float64], losses: NDArray[np.float64], share: float, confidence: float) -> int:
    """The last certified place of a chain.

    Args:
        shape: what the shaping people lose at each place, float64 [people, places], growing along the places.
        losses: the same of the certifying people, at least as many as `people_needed` asks for.
        share: what is to be kept.
        confidence: of the promise.
    """
    return _certified(losses, _stake(shape, len(losses), share, confidence), share, confidence)


def _least(share: float, confidence: float) -> int:
    """How many certifying people a promise takes when nobody loses anything."""
    return math.ceil(math.log(1 - confidence) / math.log(share) - 1e-9)


def _shaping(people: int) -> int:
    """How many of the people fix the chain: a quarter, at least two."""
    return max(2, people // 4)


def _strangers(
    people: NDArray[np.int64], chosen: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Random pairs of chosen pictures of different people."""
    rows = np.flatnonzero(chosen)
    first, second = rng.choice(rows, (2, 2 * _STRANGERS))
    apart = np.flatnonzero(people[first] != people[second])[:_STRANGERS]
    return first[apart], second[apart]


def _distances(column: NDArray[np.uint8], first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.int64]:
    """Hamming distance of each pair of rows, int64 [pairs], in bounded memory."""
    out = np.empty(len(first), np.int64)
    for start in range(0, len(first), 4096):
        part = slice(start, start + 4096)
        out[part] = np.bitwise_count(column[first[part]] ^ column[second[part]]).sum(axis=1, dtype=np.int64)
    return out


def _stake(shape: NDArray[np.float64], certifying: int, share: float, confidence: float) -> float:
    """The stake that would certify the farthest place, and there win most, were the others like the shaping people.

    One certifying person more is taken to lose everything: a full stake is ruined by a single such person, and that the
    few shaping people hold none says little. With too few people for anything less, the full stake is all there is.
    """
    allowed, wanted = 1 - share, -math.log(1 - confidence)
    best, reached = 1 / share, (-1, 0.0)
    for stake in _STAKES / share:
        spoiled = math.log(max(1 + stake * (allowed - 1), 1e-300))
        capital = certifying * _gains(shape, float(stake), allowed).mean(axis=0) + spoiled
        place = _passed(capital >= wanted)
        if place >= 0 and (place, float(capital[place])) > reached:
            best, reached = float(stake), (place, float(capital[place]))
    return best


def _certified(losses: NDArray[np.float64], stake: float, share: float, confidence: float) -> int:
    """The last place of the chain up to which the capital always suffices; losses: [people, places]."""
    capital = _gains(losses, stake, 1 - share).sum(axis=0)
    return _passed(capital >= -math.log(1 - confidence) - 1e-9)


def _gains(losses: NDArray[np.float64], stake: float, allowed: float) -> NDArray[np.float64]:
    """Logarithm of what each person multiplies the capital by, at each place; ruin is minus infinity."""
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(1 + stake * (allowed - losses), 0.0))


def _passed(enough: NDArray[np.bool_]) -> int:
    return int(np.argmin(enough)) - 1 if not enough.all() else len(enough) - 1


def _percent(share: float) -> str:
    """A share in per cent, for messages."""
    return f"{100 * share:.4g} %"


def _check(share: float, confidence: float, depth: float | None) -> None:
    for name, value in (("share", share), ("confidence", confidence)):
        if not 0 < value < 1:
            raise UsageError(f"{name} must be between 0 and 1 (neither can be certain), got {value}")
    if depth is not None and not 0 < depth <= 1:
        raise UsageError(f"depth must be above 0 and at most 1, or None, got {depth}")
