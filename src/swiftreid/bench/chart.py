"""Charts with logarithmic axes as SVG documents, written by hand: no drawing package is needed to show a benchmark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

_WIDTH, _HEIGHT = 900, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 650, 50, 460
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#56b4e9", "#e69f00", "#66c2a5")  # told apart by the colour-blind too
_LABEL_HEIGHT = 17
_PREFIXES = {0: "", 1: "k", 2: "M", 3: "bn"}


@dataclass(frozen=True)
class Line:
    """One line of the chart.

    Attributes:
        name: written at its right end.
        points: measured points, each drawn as a dot.
        paper: points that were not measured, joined by dots.
        dashed: how the measured points are joined.
    """

    name: str
    points: Sequence[Point]
    paper: Sequence[Point] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Series:
    """Points of one kind, joined by a line.

    Attributes:
        name: in the legend.
        points: in any order.
        own: whether it is drawn filled, as ours; those of others are hollow.
    """

    name: str
    points: Sequence[Point]
    own: bool


class _Axis:
    """From values to pixels, logarithmically."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low = math.floor(math.log10(min(values)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values))))
        self._start, self._scale = start, (end - start) / (self.high - self.low)

    def __call__(self, value: float) -> float:
        return self._start + self._scale * (math.log10(value) - self.low)

    def decades(self) -> Iterator[tuple[float, str]]:
        for power in range(self.low, self.high + 1):
            yield 10.0**power, _label(power)


def log_log_chart(title: str, across: str, up: str, lines: Sequence[Line]) -> str:
    """Draw lines over two logarithmic axes.

    Args:
        title: heading.
        across: what runs from left to right.
        up: what runs upwards.
        lines: at least one, every value above 0.

    Returns:
        An SVG document.
    """
    points = [point for line in lines for point in (*line.points, *line.paper)]
    x = _Axis([point[0] for point in points], _LEFT, _RIGHT)
    y = _Axis([point[1] for point in points], _BOTTOM, _TOP)
    parts = _frame(title, across, up)
    for value, label in x.decades():
        parts += _tick_across(x(value), label)
    for value, label in y.decades():
        parts += _tick_up(y(value), label)
    colours = [_COLOURS[i % len(_COLOURS)] for i in range(len(lines))]
    for line, colour in zip(lines, colours, strict=True):
        at = [(x(a), y(b)) for a, b in line.points]
        parts.append(_path(at, colour, "6 4" if line.dashed else ""))
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in at]
        parts.append(_path([(x(a), y(b)) for a, b in line.paper], colour, "1 4"))
    ends = [y((*line.points, *line.paper)[-1][1]) for line in lines]
    for line, colour, height in zip(lines, colours, _apart(ends), strict=True):
        parts.append(_text(_RIGHT + 8, height + 4, line.name, colour=colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


def scatter_chart(title: str, across: str, up: str, series: Sequence[Series], floor: float) -> str:
    """Draw points over a logarithmic axis and shares up to 1.

    Args:
        title: heading.
        across: what runs from left to right, logarithmically.
        up: what runs upwards.
        series: at least one; every value across is above 0.
        floor: least share that the axis shows; points below it are left out.

    Returns:
        An SVG document.
    """
    x = _Axis([point[0] for one in series for point in one.points], _LEFT, _RIGHT)

    def y(share: float) -> float:
        return _BOTTOM - (share - floor) / (1 - floor) * (_BOTTOM - _TOP)

    parts = _frame(title, across, up)
    for value, label in x.decades():
        parts += _tick_across(x(value), label)
    for step in range(round(floor * 20), 21):
        parts += _tick_up(y(step / 20), f"{step / 20:.2f}")
    for place, one in enumerate(series):
        colour, sides = _COLOURS[place % len(_COLOURS)], 0 if one.own else 3 + place % 3
        at = [(x(a), y(b)) for a, b in sorted(one.points) if b >= floor]
        parts.append(_path(at, colour, "" if one.own else "2 3"))
        height = _TOP + 8 + place * _LABEL_HEIGHT
        parts += [_mark(a, b, sides, colour, filled=one.own) for a, b in [*at, (_RIGHT + 16, height)]]
        parts.append(_text(_RIGHT + 28, height + 4, one.name, colour=colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _mark(x: float, y: float, sides: int, colour: str, *, filled: bool) -> str:
    """A dot, or a polygon of so many sides."""
    fill = colour if filled else "#ffffff"
    if not sides:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="{colour}"/>'
    turns = [2 * math.pi * side / sides - math.pi / 2 for side in range(sides)]
    corners = " ".join(f"{x + 5.5 * math.cos(turn):.1f},{y + 5.5 * math.sin(turn):.1f}" for turn in turns)
    return f'<polygon points="{corners}" fill="{fill}" stroke="{colour}" stroke-width="1.5"/>'


def _apart(heights: Sequence[float]) -> list[float]:
    """Heights of labels near those given, from the top, none over another."""
    placed = [0.0] * len(heights)
    free = -math.inf
    for i in sorted(range(len(heights)), key=lambda i: heights[i]):
        placed[i] = max(heights[i], free)
        free = placed[i] + _LABEL_HEIGHT
    return placed


def _frame(title: str, across: str, up: str) -> list[str]:
    """The document's beginning, its heading and what the axes are."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="13"><title>{escape(title)}</title>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 28, title, size=17),
        _text((_LEFT + _RIGHT) / 2, _HEIGHT - 15, across, anchor="middle"),
        f'<g transform="translate(20 {(_TOP + _BOTTOM) / 2}) rotate(-90)">{_text(0, 0, up, anchor="middle")}</g>',
    ]


def _tick_across(x: float, label: str) -> list[str]:
    return [_rule(x, _TOP, x, _BOTTOM), _text(x, _BOTTOM + 20, label, anchor="middle")]


def _tick_up(y: float, label: str) -> list[str]:
    return [_rule(_LEFT, y, _RIGHT, y), _text(_LEFT - 8, y + 4, label, anchor="end")]


def _label(power: int) -> str:
    if power < 0:
        return f"{10.0**power:.{-power}f}"
    return f"{10 ** (power % 3)}{_PREFIXES.get(power // 3, f'e{power // 3 * 3}')}"


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, colour: str = "#222222") -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def _path(points: Sequence[Point], colour: str, dashes: str) -> str:
    joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    style = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"{style}/>'
