"""Cascades tried one after the other on a test set: what each finds and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from swiftreid.evaluation.confidence import bootstrap_intervals
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import measure_cascades
from swiftreid.evaluation.protocol import Metrics, Protocol
from swiftreid.figures.style import FAINT, LOOKS, draw_line, percent_axis
from swiftreid.progress import Progress, no_progress
from swiftreid.search.cascade import Cascade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Cost = Literal["bytes", "time", "full time"]
COSTS: tuple[Cost, ...] = get_args(Cost)


@dataclass(frozen=True)
class Trial:
    """One cascade as measured on the test set.

    Attributes:
        at: beta, or w.
        cascade: in text form.
        rank1: share of queries with a match at rank 1 of the full coarse-to-fine ranking.
        rank1_between: its 95 % bootstrap interval over queries.
        map_standard: mean average precision of that ranking, standard.
        map_between: likewise.
        map_short_list: mean average precision over the short list, of which matches that are not on it cost nothing.
        bytes_per_query: mean bytes of codes compared per query, whatever the machine.
        microseconds: time of one query for the 100 best, one thread; None when untimed.
        full_microseconds: time of one query for distances to, and sorting of, the whole gallery, as papers report it.
    """

    at: float
    cascade: str
    rank1: float
    rank1_between: tuple[float, float]
    map_standard: float
    map_between: tuple[float, float]
    map_short_list: float
    bytes_per_query: float
    microseconds: float | None
    full_microseconds: float | None = None

    def cost(self, cost: Cost) -> float:
        """Bytes, or microseconds, of one query."""
        if cost == "bytes":
            return self.bytes_per_query
        return (self.full_microseconds if cost == "full time" else self.microseconds) or 0.0


def try_cascades(
    cascades: Mapping[float, Cascade],
    query: LabelledCodes,
    gallery: LabelledCodes,
    *,
    timed: bool = False,
    protocol: Protocol | None = None,
    progress: Progress = no_progress,
) -> list[Trial]:
    """Measure each cascade by the single-query protocol; equal ones are measured once, and all are timed in turn.

    Args:
        cascades: by beta or w.
        query: of the test set.
        gallery: of the test set.
        timed: whether to measure the time too.
        protocol: how rankings are evaluated.
        progress: takes how many different cascades are measured, and how many there are.

    Raises:
        UsageError: a cascade needs a code that the encodings do not hold.
    """
    unlike = {str(cascade): cascade for cascade in cascades.values()}
    measured = measure_cascades(unlike, query, gallery, timed=timed, protocol=protocol, progress=progress)
    found = {row.label: row for row in measured}
    trials = []
    for at, cascade in cascades.items():
        row = found[str(cascade)]
        rank1, mean = intervals_of(row.metrics)
        trials.append(
            Trial(
                at,
                row.label,
                row.metrics.rank1,
                rank1,
                row.metrics.map_standard,
                mean,
                row.metrics.map_short_list,
                row.bytes_per_query,
                row.microseconds,
                row.full_microseconds,
            )
        )
    return trials


def intervals_of(metrics: Metrics) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % bootstrap intervals over the counted queries of rank-1 and of the standard mAP."""
    counted = ~np.isnan(metrics.inp)
    ends = bootstrap_intervals(np.stack([(metrics.first_match == 1)[counted], metrics.ap_standard[counted]]))
    (a, b), (c, d) = ends.tolist()
    return (a, b), (c, d)


def accuracy_panel(axes: Axes, trials: Sequence[Trial], whole: Trial) -> tuple[float, float]:
    """Draw mAP and rank-1 with their bands, and exhaustive search as level lines; gives the range in per cent."""
    at = [trial.at for trial in trials]
    drawn: list[float] = []
    for look, name, field, between in (
        (LOOKS[0], "mAP", "map_standard", "map_between"),
        (LOOKS[1], "rank-1", "rank1", "rank1_between"),
    ):
        values = [100 * getattr(trial, field) for trial in trials]
        low, high = ([100 * getattr(trial, between)[end] for trial in trials] for end in (0, 1))
        level = 100 * getattr(whole, field)
        axes.fill_between(at, low, high, color=look.colour, alpha=0.15, linewidth=0)
        draw_line(axes, at, values, look, name)
        axes.axhline(level, color=look.colour, linewidth=0.8, linestyle=(0, (1, 2)))
        drawn += [*low, *high, level]
    axes.set_xscale("log")
    percent_axis(axes, "accuracy (%)", min(drawn), max(drawn))
    return min(drawn), max(drawn)


def cost_panel(axes: Axes, trials: Sequence[Trial], whole: Trial, cost: Cost) -> None:
    """Draw what a query costs, and exhaustive search as a level line."""
    look = LOOKS[2]
    scale = 1000 if cost == "bytes" else 1
    axes.plot(
        [trial.at for trial in trials],
        [trial.cost(cost) / scale for trial in trials],
        color=look.colour,
        marker=look.marker,
        markerfacecolor="white",
    )
    level = whole.cost(cost) / scale
    unit = "kB" if cost == "bytes" else "µs"
    axes.axhline(level, color=FAINT, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.annotate(
        f"exhaustive: {level:,.4g} {unit}",
        (0.01, level),
        xycoords=("axes fraction", "data"),
        xytext=(0, -3),
        textcoords="offset points",
        va="top",
        fontsize="small",
        color=FAINT,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        zorder=1,  # under the lines
    )
    axes.set_ylim(0, 1.08 * max(level, *(trial.cost(cost) / scale for trial in trials)))
    axes.set_ylabel("kB compared\nper query" if cost == "bytes" else "time per\nquery (µs)")


def mark(axes: Axes, at: float, words: str) -> None:
    """A named vertical line at a chosen value."""
    axes.axvline(at, color=FAINT, linewidth=1.1, linestyle=(0, (5, 2, 1, 2)))
    if words:
        right = axes.transAxes.inverted().transform(axes.transData.transform((at, axes.get_ylim()[0])))[0] > 0.5
        axes.annotate(
            words,
            (at, 0.5),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if right else 4, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            in_layout=False,
            fontsize="small",
            bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
            zorder=1,  # under the lines
        )


def trial_notes(whole: Trial, cost: Cost) -> str:
    """What the lines and bands of the panels are, in small print."""
    timed = {"time": "100 best", "full time": "ranking of the whole gallery"}
    what = f"Time: {timed[cost]}, one query at a time, one thread. " if cost in timed else ""
    level = f"mAP {100 * whole.map_standard:.1f}\u00a0%, rank-1 {100 * whole.rank1:.1f}\u00a0%"
    return f"{what}Bands: 95 % bootstrap over queries. Dotted: exhaustive search by {whole.cascade}, {level}."
