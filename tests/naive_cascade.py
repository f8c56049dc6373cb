"""A cascade in plain Python, from the words of methods.md alone: what the NumPy reference is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction


def distance(a: bytes, b: bytes, weights: list[int] | None = None) -> int:
    if weights is not None:
        return sum(w for i, w in enumerate(weights) if (a[i // 8] ^ b[i // 8]) >> (i % 8) & 1)
    return sum((x ^ y).bit_count() for x, y in zip(a, b, strict=True))


@dataclass
class Found:
    position: int
    stage: int
    distances: list[int]


def cascade(stages, rows, query, live, least, weights):
    """Every live entry with the stage that it reached, and per stage how many came in and were kept.

    ``stages`` are (code, rule, amount, whole ties); ``rows[code][i]`` and ``query[code]`` are bytes;
    ``weights[code][bit]`` says how much a bit counts, where it is not 1.
    """
    entries = [Found(i, 0, []) for i in live]
    stopped, report = [], []
    for number, (code, rule, amount, whole_ties) in enumerate(stages):
        last = number == len(stages) - 1
        for entry in entries:
            entry.stage = number
            entry.distances.append(distance(rows[code][entry.position], query[code], weights.get(code)))
        needed = 0 if last else min(least, len(entries))
        ordered = sorted(entries, key=lambda e: (e.distances[-1], e.position))
        if rule == "threshold":
            limit = amount
            while sum(e.distances[-1] <= limit for e in entries) < needed:
                limit += 1
            kept = [e for e in entries if e.distances[-1] <= limit]
        elif rule == "top":
            kept = ordered[: max(amount, needed)]
        elif rule == "share":
            kept = ordered[: max(math.ceil(Fraction(amount).limit_denominator(1000) * len(entries)), needed)]
        else:
            kept = entries
        if whole_ties and kept:
            kept = [e for e in entries if e.distances[-1] <= max(e.distances[-1] for e in kept)]
        report.append((len(entries), len(kept)))
        names = {e.position for e in kept}
        if last:
            return stopped, entries, names, report
        stopped += [e for e in entries if e.position not in names]
        entries = [e for e in entries if e.position in names]
    raise AssertionError("a cascade has a last stage")


def search(stages, rows, query, live, least, k, weights):
    _, reached, kept, report = cascade(stages, rows, query, live, least, weights)
    best = sorted((e for e in reached if e.position in kept), key=lambda e: (e.distances[-1], e.position))[:k]
    return [(e.position, e.distances[-1], e.stage) for e in best], report


def rank(stages, rows, query, live, least, ties, weights):
    stopped, reached, _, report = cascade(stages, rows, query, live, least, weights)

    def key(e):
        earlier = e.distances[-2::-1] if ties == "stages" else []
        return (-e.stage, e.distances[-1], *earlier, e.position)

    return [(e.position, e.distances[-1], e.stage) for e in sorted(stopped + reached, key=key)], report
