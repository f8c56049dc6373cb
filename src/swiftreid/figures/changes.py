"""Rank changes: what another encoder or ranking does to each query."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from swiftreid.errors import UsageError
from swiftreid.evaluation.card import PerQuery
from swiftreid.figures.cards import ChosenRow
from swiftreid.figures.style import FAINT, INK, LOOKS, TextSize, compose, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST, _MOST = 2.2, 14.0  # radius of a bubble, points
_LONG = 28  # letters that an axis has no room for


@dataclass(frozen=True)
class QueryChange:
    """One query in both rankings.

    Attributes:
        query: path relative to the data set's folder.
        before: rank of its first match in the first ranking, from 1; 0 where none was ranked.
        after: likewise in the second.
        ap_before: standard average precision in the first ranking.
        ap_after: likewise in the second.
    """

    query: str
    before: int
    after: int
    ap_before: float
    ap_after: float

    @property
    def factor(self) -> float:
        """How many times nearer to the top the first match stands; below 1 it is farther away."""
        return _place(self.before) / _place(self.after)


@dataclass(frozen=True)
class RankChanges:
    """The numbers of the figure.

    Attributes:
        first: label of the first ranking.
        second: label of the second.
        better: queries with their first match at a better rank.
        same: queries with their first match at the same rank.
        worse: queries with their first match at a worse rank.
        changes: one for each query that counts in both, in the cards' order.
    """

    first: str
    second: str
    better: int
    same: int
    worse: int
    changes: list[QueryChange]

    def most(self, count: int) -> list[QueryChange]:
        """The queries with the largest factor between the ranks of the first match; of equal ones, larger AP first."""
        moved = [change for change in self.changes if change.before != change.after]
        ordered = sorted(moved, key=lambda c: (-abs(math.log(c.factor)), -abs(c.ap_after - c.ap_before), c.query))
        return ordered[:count]


def _place(rank: int) -> float:
    """A rank as a number to compare: none is farther away than any."""
    return float(rank) if rank else 1e9


def rank_changes(first: ChosenRow, second: ChosenRow) -> RankChanges:
    """Compare two rankings query by query, matched by the queries' names.

    Raises:
        UsageError: a card has no figures of single queries, or they are not of the same queries.
    """
    a, b = _by_query(first), _by_query(second)
    if a.keys() != b.keys():
        alone = sorted(a.keys() ^ b.keys())
        raise UsageError(
            f"'{first.label}' and '{second.label}' are not of the same queries: {len(alone)} are in one only, the "
            f"first is {alone[0]}. Evaluate both on the same data set"
        )
    changes = [QueryChange(query, before, b[query][0], ap, b[query][1]) for query, (before, ap) in a.items()]
    moves = Counter(np.sign(_place(c.before) - _place(c.after)) for c in changes)
    return RankChanges(first.label, second.label, moves[1.0], moves[0.0], moves[-1.0], changes)


def _by_query(chosen: ChosenRow) -> dict[str, tuple[int, float]]:
    """Rank of the first match and average precision of each query that counts."""
    figures: PerQuery | None = chosen.row.per_query
    if figures is None or not chosen.card.queries:
        raise UsageError(
            f"the card of '{chosen.label}' has no figures of single queries (left out, or an old card): "
            "run `swiftreid evaluate` again"
        )
    return {
        query: (first, ap)
        for query, first, ap in zip(chosen.card.queries, figures.first_match, figures.ap_standard, strict=True)
        if ap is not None
    }


def draw_changes(changes: RankChanges, about: Sequence[str], *, text: TextSize = "normal") -> Figure:
    """Draw first-match ranks against each other as bubbles, and the changes of average precision in order.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    with styled(text) as points:
        figure = new_figure(7.8, 4.9, text)
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        _bubbles(left, changes, points)
        _differences(right, changes, points)
        total = len(changes.changes)
        title = (
            f"First match's rank: {changes.better} of {total} queries better, {changes.same} the same, "
            f"{changes.worse} worse"
        )
        notes = [
            "Up: better; down: worse; round: the same. Area: number of queries; the smallest marks are enlarged. "
            "AP also changes where the first match's rank does not."
        ]
        compose(figure, title, [*about, f"from {changes.first} to {changes.second}"], notes)
        return figure


def _bubbles(axes: Axes, changes: RankChanges, points: float) -> None:
    ranks = [r for c in changes.changes for r in (c.before, c.after)]
    highest = max(2, *ranks)
    nowhere = 10 ** (math.ceil(math.log10(1.3 * highest)))  # where queries without any match stand
    cells = Counter((c.before or nowhere, c.after or nowhere) for c in changes.changes)
    missing = any(r == 0 for r in ranks)
    top = (nowhere if missing else highest) * 1.6
    scale = _MOST / math.sqrt(max(cells.values()))
    axes.fill_between([0.5, top], [0.5, 0.5], [0.5, top], color="#f3f3f5", linewidth=0, zorder=0)
    axes.plot([0.5, top], [0.5, top], color=FAINT, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)
    for (before, after), count in sorted(cells.items(), key=lambda item: -item[1]):
        look, hollow = (
            (LOOKS[0], False) if after < before else (LOOKS[1], True) if after > before else (LOOKS[7], False)
        )
        radius = max(_LEAST, scale * math.sqrt(count))
        axes.plot(
            [before],
            [after],
            linestyle="none",
            marker={True: "^", False: "v"}[after < before] if after != before else "o",
            markersize=2 * radius,
            color=look.colour,
            markerfacecolor="white" if hollow else look.colour,
            alpha=0.9,
            markeredgewidth=1.0,
            zorder=2,
        )
        if radius > 1.1 * points * (0.28 * len(f"{count:,}") + 0.35):
            axes.annotate(
                f"{count:,}",
                (before, after),
                xytext=(0, 0 if after == before else (-0.2 if after < before else 0.2) * radius),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=0.75 * points,
                color=INK if hollow else "white",
            )
    long = max(len(changes.first), len(changes.second)) > _LONG  # the heading has the names
    for axis, setter, label in (
        (axes.xaxis, axes.set_xlabel, "before" if long else changes.first),
        (axes.yaxis, axes.set_ylabel, "after" if long else changes.second),
    ):
        setter(f"first match's rank: {label}")
        axis.set_ticks([], minor=True)
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [r for p in range(8) for r in (1 * 10**p, 2 * 10**p, 5 * 10**p) if r <= highest]
    if highest < 5:  # so few that each has its tick
        ticks = list(range(1, highest + 1))
    if len(ticks) > 8:
        ticks = [r for r in ticks if str(r)[0] == "1"]
    words = [f"{r:,}" for r in ticks]
    if missing:
        ticks, words = [*ticks, nowhere], [*words, "none"]
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(ticks, words)
        set_ticks([], minor=True)
    axes.set_xlim(0.5, top)
    axes.set_ylim(0.5, top)
    axes.text(0.03, 0.97, f"worse: {changes.worse}", transform=axes.transAxes, va="top", weight="bold")
    axes.text(0.97, 0.03, f"better: {changes.better}", transform=axes.transAxes, ha="right", weight="bold")


def _differences(axes: Axes, changes: RankChanges, points: float) -> None:
    """The change of each query's average precision (AP), largest gain first."""
    gains = np.sort([100 * (c.ap_after - c.ap_before) for c in changes.changes])[::-1]
    at = np.linspace(0, 100, len(gains) + 1)
    for look, part, name in (
        (LOOKS[0], np.maximum(gains, 0), "gained"),
        (LOOKS[1], np.minimum(gains, 0), "lost"),
    ):
        axes.stairs(
            part, at, fill=True, facecolor=look.colour + "33", edgecolor=look.colour, hatch=look.hatch, linewidth=0
        )
        share = 100 * float((part != 0).mean())
        axes.text(
            0.97 if name == "gained" else 0.03,
            0.97 if name == "gained" else 0.03,
            f"{share:.0f} % of queries {name} AP,\n{abs(float(part.mean())):.1f} points of mAP in all",
            transform=axes.transAxes,
            ha="right" if name == "gained" else "left",
            va="top" if name == "gained" else "bottom",
            fontsize=0.9 * points,
        )
    axes.stairs(gains, at, color=INK, linewidth=1.1)
    axes.axhline(0, color=FAINT, linewidth=0.8)
    reach = max(5.0, float(np.abs(gains).max()) * 1.08)
    axes.set_ylim(-reach, reach)
    axes.set_xlim(0, 100)
    axes.set_xlabel("queries, largest gain first (%)")
    axes.set_ylabel("change of AP (points)")
