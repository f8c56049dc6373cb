"""CMC curves: the share of queries with a good match among the first k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard
from swiftreid.evaluation.confidence import bootstrap_intervals
from swiftreid.figures.cards import ChosenRow, about_cards, longest_exhaustive
from swiftreid.figures.labels import Named, ends_inches, label_ends
from swiftreid.figures.style import LOOKS, TextSize, compose, draw_line, new_figure, percent_axis, styled, text_inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RANKS = 20
_TICKS = (1, 2, 3, 5, 10, 20, 30, 50)
_BANDS = 3
"""Bands of more curves than these hide each other."""


@dataclass(frozen=True)
class CmcCurve:
    """One curve.

    Attributes:
        label: its name.
        cmc: share of queries with a good match at rank 1, 2, ... or better.
        low: lower end of the 95 % interval at each rank; empty if the card has no figures of single queries.
        high: likewise the upper end.
        map_standard: mean average precision of the same ranking.
    """

    label: str
    cmc: list[float]
    low: list[float]
    high: list[float]
    map_standard: float


def default_rankings(cards: Sequence[ResultCard]) -> list[str]:
    """Of one card every code, the float embedding and the first cascade; of several only the longest code."""
    longest = [name for card in cards if (name := longest_exhaustive(card))]
    if len(cards) > 1:
        return longest
    names = [row.ranking for row in cards[0].rows]
    cascades = [name for name in names if name.startswith("CtF")]
    wanted = [name for name in names if name.endswith(" exhaustive") or name == "float embedding"]
    return [*wanted, *cascades[:1]] or names[:1]


def cmc_curves(chosen: Sequence[ChosenRow], *, ranks: int = RANKS) -> list[CmcCurve]:
    """The curves of the chosen rankings up to rank ``ranks``.

    Intervals are percentile bootstraps over the queries that count (`bootstrap_intervals`), rank by rank.

    Raises:
        UsageError: a card is of format 1, which has no curve, or the curve is shorter, or there are too many.
    """
    if len(chosen) > len(LOOKS):
        raise UsageError(f"{len(chosen)} curves are too many to distinguish in one figure; choose at most {len(LOOKS)}")
    return [_curve(one, ranks) for one in chosen]


def _curve(one: ChosenRow, ranks: int) -> CmcCurve:
    row = one.row
    if not row.cmc:
        raise UsageError(
            f"the card of '{one.label}' has no CMC curve (cards of format 1 lack it): run `swiftreid evaluate` again"
        )
    if not 1 < ranks <= len(row.cmc):
        raise UsageError(
            f"the curve of '{one.label}' has ranks 1 to {len(row.cmc)}; a curve to rank {ranks} is not possible"
        )
    low, high = [], []
    if row.per_query is not None:
        counted = [
            first for first, inp in zip(row.per_query.first_match, row.per_query.inp, strict=True) if inp is not None
        ]
        first = np.array(counted, np.int64)
        found = (first > 0) & (first <= np.arange(1, ranks + 1)[:, None])
        ends = bootstrap_intervals(found.astype(np.float64))
        low, high = ends[:, 0].tolist(), ends[:, 1].tolist()
    return CmcCurve(one.label, row.cmc[:ranks], low, high, row.map_standard)


def draw_cmc(curves: Sequence[CmcCurve], cards: Sequence[ResultCard], *, text: TextSize = "normal") -> Figure:
    """Draw the curves, each named at its right end with its rank-1.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    with styled(text) as points:
        figure = new_figure(6.8, 4.2, text)
        axes = figure.add_subplot()
        banded = len(curves) <= _BANDS
        for place, (look, curve) in enumerate(zip(LOOKS, curves, strict=False)):
            at, share = np.arange(1, len(curve.cmc) + 1), 100 * np.array(curve.cmc)
            low, high = 100 * np.array(curve.low), 100 * np.array(curve.high)
            if curve.low and banded:
                axes.fill_between(at, low, high, color=look.colour, alpha=0.18, linewidth=0)
            elif curve.low:
                # Beside rank 1, where the curves' intervals would lie on one another.
                axes.errorbar(
                    [0.93 * 0.95**place],
                    share[:1],
                    [share[:1] - low[:1], high[:1] - share[:1]],
                    color=look.colour,
                    marker=look.marker,
                    markersize=3.5,
                    linewidth=1.0,
                )
            ticks = [k - 1 for k in _TICKS if k <= len(at)]
            draw_line(axes, at, share, look, markevery=ticks, clip_on=False)
        ranks = len(curves[0].cmc)
        axes.set_xscale("log")
        axes.set_xlim(0.88 if banded else 0.93 * 0.95 ** len(curves), ranks)
        axes.set_xticks([k for k in _TICKS if k <= ranks], [str(k) for k in _TICKS if k <= ranks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("rank k (logarithmic)")
        lowest = min(c.low[0] if c.low else c.cmc[0] for c in curves)
        percent_axis(axes, "queries matched within k (%)", 100 * lowest, 100 * max(c.cmc[-1] for c in curves))
        notes = ["Figures behind the names: rank-1."]
        if any(curve.low for curve in curves):
            what = "Bands" if banded else "Bars left of rank 1"
            notes[0] += f" {what}: 95 % bootstrap over queries."
        ends = [Named(ranks, 100 * c.cmc[-1], f"{c.label}, {100 * c.cmc[0]:.1f} %") for c in curves]
        small = 0.88 * points
        widest = max(text_inches(figure, end.text, small) for end in ends)
        compose(figure, "Cumulative match characteristic (CMC)", about_cards(cards), notes)
        box, inches = axes.get_position(), figure.get_size_inches()
        axes.set_position((box.x0, box.y0, box.width - ends_inches(widest, small) / inches[0], box.height))
        label_ends(axes, ends, LOOKS, small)
        return figure
