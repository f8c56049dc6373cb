"""Accuracy against the time of a query: Fig. 3 of the CtF paper and Table 8 of the SSR paper as one figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard
from swiftreid.figures.cards import ChosenRow, about_cards
from swiftreid.figures.labels import Named, label_points
from swiftreid.figures.style import FAINT, LOOKS, TextSize, compose, new_figure, percent_axis, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Kind = Literal["exhaustive", "cascade", "float", "re-ranked"]

_ROOM = 13  # names of two lines that fit below each other at full size
_KINDS: tuple[Kind, ...] = ("exhaustive", "cascade", "float", "re-ranked")
_WORDS = {
    "exhaustive": "one code, every entry",
    "cascade": "cascade",
    "float": "floats",
    "re-ranked": "re-ranking alone",
}


@dataclass(frozen=True)
class TimedRanking:
    """One point of the figure.

    Attributes:
        label: its name.
        kind: one code exhaustively, a cascade, the float embedding, or re-ranking (whose time is of it alone).
        microseconds: of one query.
        bytes_per_entry: what an entry takes in memory.
        rank1: share of queries with a match at rank 1.
        map_standard: mean average precision, standard.
        rank1_between: its 95 % interval, if the card has one.
        map_between: likewise.
    """

    label: str
    kind: Kind
    microseconds: float
    bytes_per_entry: int
    rank1: float
    map_standard: float
    rank1_between: tuple[float, float] | None
    map_between: tuple[float, float] | None


def timed_rankings(chosen: Sequence[ChosenRow], *, full: bool = False) -> list[TimedRanking]:
    """The chosen rankings that have a time: for the 100 best, or of the whole gallery's ranking.

    Raises:
        UsageError: none has.
    """
    found = [
        TimedRanking(
            one.label,
            kind_of(one),
            time,
            one.row.bytes_per_entry or 0,
            one.row.rank1,
            one.row.map_standard,
            one.row.confidence.get("rank1"),
            one.row.confidence.get("map_standard"),
        )
        for one in chosen
        if (time := one.row.full_ranking_microseconds if full else one.row.microseconds_per_query)
    ]
    if not found:
        raise UsageError("no ranking of these cards has a time: run `swiftreid evaluate` again, with times")
    return found


def kind_of(one: ChosenRow) -> Kind:
    """What kind of ranking it is, by the rules that its card states."""
    rules = str(one.row.extra.get("rules", ""))
    if "k-reciprocal" in rules:
        return "re-ranked"
    if not rules:
        return "float"
    return "cascade" if ">" in rules or ":" in rules else "exhaustive"  # a rule that keeps less than everything


def draw_time(
    rankings: Sequence[TimedRanking], cards: Sequence[ResultCard], *, full: bool = False, text: TextSize = "normal"
) -> Figure:
    """Draw the points, mAP in one panel and rank-1 in the other, over a logarithmic axis of time.

    Points are numbered: cascades stand too close together for names beside them. A list says which is which.

    Args:
        rankings: the points.
        cards: that they are from.
        full: whether their times are of ranking the whole gallery.
        text: size of the text.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    with styled(text) as points:
        figure = new_figure(10.2, 4.7, text)
        *panels, names = figure.subplots(1, 3, width_ratios=[1, 1, 0.62])
        panels[1].sharex(panels[0])
        names.set_axis_off()
        figures = (("mAP, standard (%)", "map_standard"), ("rank-1 (%)", "rank1"))
        for axes, (label, field) in zip(panels, figures, strict=True):
            _panel(axes, rankings, label, field)
        times = [r.microseconds for r in rankings]
        panels[0].set_xlim(min(times) / 1.6, max(times) * (2.6 if max(times) > 4 * min(times) else 1.6))
        kinds = [kind for kind in _KINDS if any(r.kind == kind for r in rankings)]
        handles = [panels[0].plot([], [], **_marks(kind), label=_WORDS[kind])[0] for kind in kinds]
        notes = ["B: bytes in memory per gallery entry. Bars: 95 % bootstrap over queries. Dotted: exhaustive."]
        what = "distances to the whole gallery and their sorting" if full else "a search for the 100 best"
        notes.append(f"Time: {what}, one query at a time on one thread; the float embedding's is NumPy's.")
        if len({(card.created, str(card.software)) for card in cards}) > 1:
            notes.append("The times are of different runs: compare them only if those ran on one machine, undisturbed.")
        compose(figure, "Accuracy against time per query", about_cards(cards), notes, keys=handles)
        for axes, (_, field) in zip(panels, figures, strict=True):
            named = [
                Named(r.microseconds, 100 * getattr(r, field), str(number)) for number, r in enumerate(rankings, 1)
            ]
            ladder = [n for n, r in zip(named, rankings, strict=True) if r.kind == "exhaustive"]
            bars = [
                [Named(r.microseconds, 100 * end, "") for end in between]
                for r in rankings
                if (between := _between(r, field))
            ]
            label_points(axes, named, 0.85 * points, [ladder, *bars])
        _list(names, rankings, points)
        return figure


def _list(axes: Axes, rankings: Sequence[TimedRanking], points: float) -> None:
    """Number, name, bytes and time of every point, from the top of the axes down."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    size = 0.85 * points * min(1.0, _ROOM / len(rankings))
    step = 2.9 * points * figure.dpi / 72 / axes.get_window_extent().height
    for number, r in enumerate(rankings, 1):
        top = 1 - (number - 1) * min(step, 1 / len(rankings))
        name = r.label.removesuffix(" exhaustive")
        axes.text(0, top, f"{number}", transform=axes.transAxes, va="top", fontsize=size, weight="bold")
        caption = f"{name}\n{r.bytes_per_entry:,} B, {r.microseconds:,.3g} µs"
        axes.text(0.12, top, caption, transform=axes.transAxes, va="top", fontsize=size, linespacing=1.1)


def _between(ranking: TimedRanking, field: str) -> tuple[float, float] | None:
    return ranking.map_between if field == "map_standard" else ranking.rank1_between


def _marks(kind: Kind) -> dict[str, object]:
    look = LOOKS[_KINDS.index(kind)]
    hollow = kind in ("float", "re-ranked")
    return {
        "linestyle": "none",
        "marker": look.marker,
        "color": look.colour,
        "markerfacecolor": "white" if hollow else look.colour,
        "markersize": 6,
    }


def _panel(axes: Axes, rankings: Sequence[TimedRanking], label: str, field: str) -> None:
    axes.set_xscale("log")
    ladder = [r for r in rankings if r.kind == "exhaustive"]
    axes.plot(
        [r.microseconds for r in ladder],
        [100 * getattr(r, field) for r in ladder],
        color=FAINT,
        linewidth=0.8,
        linestyle=(0, (2, 2)),
        zorder=1,
    )
    values = []
    for r in rankings:
        value = 100 * getattr(r, field)
        between = _between(r, field)
        values.append(value)
        if between:
            low, high = (100 * end for end in between)
            axes.plot([r.microseconds] * 2, [low, high], color=LOOKS[_KINDS.index(r.kind)].colour, linewidth=0.8)
            values += [low, high]
        axes.plot([r.microseconds], [value], zorder=3, **_marks(r.kind))  # type: ignore[arg-type]
    axes.set_xlabel("time per query (µs, logarithmic)")
    percent_axis(axes, label, min(values), max(values))
    decades_axis(axes.xaxis, [r.microseconds for r in rankings])


def decades_axis(axis: Axis, values: Sequence[float]) -> None:
    """Ticks of a logarithmic axis in plain figures: 1, 2 and 5 of each power of ten, fewer over many of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    wide = max(values) > 300 * min(values)
    axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
