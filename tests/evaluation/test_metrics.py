"""Metrics against hand-computed cases and against loops that follow the definitions word for word."""

from __future__ import annotations

import numpy as np
import pytest

from swiftreid.errors import UsageError
from swiftreid.evaluation.metrics import average_precision, inverse_negative_penalty


def hits(text: str) -> np.ndarray:
    return np.array([letter == "x" for letter in text])


@pytest.mark.parametrize(
    ("ranking", "positives", "standard", "trapezoid", "inp"),
    [
        ("x", 1, 1, 1, 1),
        (".x", 1, 1 / 2, 1 / 4, 1 / 2),
        ("xx..", 2, 1, 1, 1),
        ("x.x", 2, (1 + 2 / 3) / 2, (1 + (1 / 2 + 2 / 3) / 2) / 2, 2 / 3),
        ("..x", 1, 1 / 3, 1 / 6, 1 / 3),
        (".xx", 2, (1 / 2 + 2 / 3) / 2, (1 / 4 + (1 / 2 + 2 / 3) / 2) / 2, 2 / 3),
        ("x..", 2, 1 / 2, 1 / 2, 0),
        ("...", 3, 0, 0, 0),
        ("", 1, 0, 0, 0),
    ],
)
def test_by_hand(ranking: str, positives: int, standard: float, trapezoid: float, inp: float) -> None:
    assert average_precision(hits(ranking), "standard", positives) == pytest.approx(standard, abs=1e-12)
    assert average_precision(hits(ranking), "trapezoid", positives) == pytest.approx(trapezoid, abs=1e-12)
    assert inverse_negative_penalty(hits(ranking), positives) == pytest.approx(inp, abs=1e-12)


def naive_standard(flags: list[bool], positives: int) -> float:
    total, found = 0.0, 0
    for rank, hit in enumerate(flags, start=1):
        if hit:
            found += 1
            total += found / rank
    return total / positives


def naive_trapezoid(flags: list[bool], positives: int) -> float:
    """The area under the precision-recall line, entry by entry, as the Market-1501 evaluation defines it."""
    area, old_recall, old_precision, found = 0.0, 0.0, 1.0, 0
    for rank, hit in enumerate(flags, start=1):
        found += hit
        recall, precision = found / positives, found / rank
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return area


def naive_inp(flags: list[bool], positives: int) -> float:
    if sum(flags) < positives:
        return 0.0
    last = max(rank for rank, hit in enumerate(flags, start=1) if hit)
    return positives / last


def test_1000_random_rankings_agree_with_the_definitions() -> None:
    rng = np.random.default_rng(1)
    for _ in range(1000):
        flags = rng.random(int(rng.integers(1, 120))) < rng.choice([0.02, 0.2, 0.9])
        positives = int(flags.sum()) + int(rng.choice([0, 0, 1, 5]))
        if positives == 0:
            continue
        plain = flags.tolist()
        assert abs(average_precision(flags, "standard", positives) - naive_standard(plain, positives)) < 1e-12
        assert abs(average_precision(flags, "trapezoid", positives) - naive_trapezoid(plain, positives)) < 1e-12
        listed = naive_standard(plain, sum(plain)) if any(plain) else 0.0
        assert abs(average_precision(flags, "short_list", positives) - listed) < 1e-12
        assert abs(inverse_negative_penalty(flags, positives) - naive_inp(plain, positives)) < 1e-12


def test_positives_default_to_those_ranked() -> None:
    assert average_precision(hits("x.x")) == average_precision(hits("x.x"), "standard", 2)
    assert inverse_negative_penalty(hits("x.x")) == inverse_negative_penalty(hits("x.x"), 2)


def test_what_has_no_value_is_refused() -> None:
    for metric in (average_precision, inverse_negative_penalty):
        with pytest.raises(UsageError, match="without any good match"):
            metric(hits("..."))
    with pytest.raises(UsageError, match="only 1 exist"):
        average_precision(hits("xx"), "standard", 1)
    with pytest.raises(UsageError, match="not 'interpolated'"):
        average_precision(hits("x"), "interpolated")  # type: ignore[arg-type]
