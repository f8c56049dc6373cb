"""Names beside the lines that they name, in place of a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from swiftreid.figures.style import FAINT, INK, SeriesLook

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Bbox


@dataclass(frozen=True)
class Named:
    """A point in data coordinates and what to write beside it."""

    x: float
    y: float
    text: str


def label_ends(axes: Axes, ends: Sequence[Named], looks: Sequence[SeriesLook], points: float) -> None:
    """Write each name right of the end of its line, behind a piece of that line; none covers another.

    The axes must leave room at the right. Call when the layout stands.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    scale = 72 / figure.dpi  # pixels to points
    places = [axes.transData.transform((end.x, end.y)) * scale for end in ends]
    frame = axes.get_window_extent()
    order = sorted(range(len(ends)), key=lambda i: (places[i][1], -i))
    centres = _spread([float(places[i][1]) for i in order], 1.4 * points, frame.y0 * scale, frame.y1 * scale)
    for i, centre in zip(order, centres, strict=True):
        left, sample, gap = float(places[i][0]) + 10, 2.4 * points, 0.5 * points
        pixels = [(x / scale, centre / scale) for x in (left, left + sample / 2, left + sample, left + sample + gap)]
        figure.add_artist(
            _line([(places[i][0] / scale + 5, places[i][1] / scale), pixels[0]], color=FAINT, linewidth=0.6)
        )
        look = looks[i]
        figure.add_artist(
            _line(
                pixels[:3],
                color=look.colour,
                linestyle=look.dashes,
                marker=look.marker,
                markevery=[1],
                markerfacecolor="white",
            )
        )
        x, y = figure.transFigure.inverted().transform(pixels[3])
        figure.text(x, y, ends[i].text, va="center", fontsize=points, color=INK)


def ends_inches(widest: float, points: float) -> float:
    """Room that `label_ends` takes right of the axes, for names at most ``widest`` inches wide."""
    return widest + (10 + 3.2 * points) / 72


def _line(pixels: Sequence[tuple[float, float]], **looks: Any) -> Line2D:
    from matplotlib.lines import Line2D
    from matplotlib.transforms import IdentityTransform

    return Line2D([x for x, _ in pixels], [y for _, y in pixels], transform=IdentityTransform(), **looks)


def _spread(wanted: Sequence[float], height: float, low: float, high: float) -> list[float]:
    """Centres near those wanted (ascending), ``height`` apart, within the limits if there is room for all."""
    centres: list[float] = []
    for centre in wanted:
        centres.append(max(centre, centres[-1] + height) if centres else max(centre, low + height / 2))
    # From the top down, so that those pushed too far come back and push the others.
    limit = high - height / 2
    for i in reversed(range(len(centres))):
        centres[i] = min(centres[i], limit)
        limit = centres[i] - height
    return centres


def label_points(axes: Axes, named: Sequence[Named], points: float, lines: Sequence[Sequence[Named]] = ()) -> None:
    """Write each name beside its point, where it covers no other name and no point, inside the axes.

    Args:
        axes: laid out for good.
        named: the points.
        points: size of the text.
        lines: lines (through these points) that names should not cover either.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    pixels = figure.dpi / 72
    spots = [axes.transData.transform((point.x, point.y)) for point in named]
    crossed = [axes.transData.transform([(p.x, p.y) for p in line]) for line in lines]
    pieces = [np.linspace(a, b, 60) for line in crossed for a, b in pairwise(line)]
    beside = np.concatenate([np.empty((0, 2)), *pieces])
    taken: list[Bbox] = []
    leaders = np.empty((0, 2))
    frame = axes.get_window_extent()
    # Points in crowds first: they have the fewest free places.
    crowd = [sum(math.dist(a, b) < 60 * pixels for b in spots) for a in spots]
    for i in sorted(range(len(named)), key=lambda i: (-crowd[i], i)):
        best: tuple[float, float, float, float, float] | None = None
        text = axes.annotate(
            named[i].text, (named[i].x, named[i].y), xytext=(0, 0), textcoords="offset points", fontsize=points
        )
        text.set_linespacing(1.05)
        size = text.get_window_extent()
        text.remove()
        for radius in (7, 12, 18, 26, 36, 48, 62, 80, 105, 135):
            for angle in range(0, 360, 15):
                across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
                # The text's nearest edge stands ``radius`` from the point.
                x = spots[i][0] + pixels * radius * across + (across - 1) / 2 * size.width
                y = spots[i][1] + pixels * radius * up + (up - 1) / 2 * size.height
                cost = _cost((x, y, x + size.width, y + size.height), taken, (spots, beside, leaders), frame, pixels)
                cost += 0.04 * radius + (0.05 if angle % 90 else 0) + (0.1 if across < 0 else 0)
                edge = (spots[i][0] + pixels * radius * across, spots[i][1] + pixels * radius * up)
                cost += _crossings(spots[i], edge, taken, (leaders, spots[:i] + spots[i + 1 :]), pixels)
                if best is None or cost < best[0] - 1e-9:
                    best = cost, x, y, across, up
        assert best is not None
        _, x, y, across, up = best
        far = math.dist((x + (1 - across) / 2 * size.width, y + (1 - up) / 2 * size.height), spots[i]) > 13 * pixels
        placed = axes.annotate(
            named[i].text,
            (named[i].x, named[i].y),
            xytext=((x - spots[i][0]) / pixels, (y - spots[i][1]) / pixels),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=points,
            color=INK,
            annotation_clip=False,
            linespacing=1.05,
            arrowprops={
                "arrowstyle": "-",
                "color": FAINT,
                "linewidth": 0.6 if far else 0.0,
                "shrinkA": 0,
                "shrinkB": 3,
                "relpos": ((1 - across) / 2, (1 - up) / 2),
            },
        )
        taken.append(_box_of(placed.get_window_extent()))
        if far:
            end = (x + (1 - across) / 2 * size.width, y + (1 - up) / 2 * size.height)
            leaders = np.concatenate([leaders, np.linspace(spots[i], end, 40)])


def _box_of(box: Bbox) -> Bbox:
    from matplotlib.transforms import Bbox

    return Bbox.from_extents(box.x0, box.y0, box.x1, box.y1)


def _cost(
    box: tuple[float, float, float, float],
    taken: Sequence[Bbox],
    drawn: tuple[Sequence[np.ndarray], np.ndarray, np.ndarray],
    frame: Bbox,
    pixels: float,
) -> float:
    """What is wrong with a name in this box: it covers names, points or lines, or sticks out of the axes."""
    left, low, right, high = box
    spots, *lines = drawn
    cost = 0.0
    for other in taken:
        wide = min(right, other.x1) - max(left, other.x0) + 2 * pixels
        tall = min(high, other.y1) - max(low, other.y0) + 1 * pixels
        if wide > 0 and tall > 0:
            cost += 20 + wide * tall / pixels**2
    rim = 4 * pixels
    for x, y in spots:
        if left - rim < x < right + rim and low - rim < y < high + rim:
            cost += 15
    for line, weight in zip(lines, (0.25, 3.0), strict=True):
        inside = (line[:, 0] > left) & (line[:, 0] < right) & (line[:, 1] > low) & (line[:, 1] < high)
        cost += weight * min(float(inside.sum()), 12)
    outside = max(0.0, frame.x0 - left) + max(0.0, right - frame.x1)
    outside += max(0.0, frame.y0 - low) + max(0.0, high - frame.y1)
    return float(cost + (20 if outside else 0) + 3 * outside / pixels)


def _crossings(
    spot: np.ndarray,
    edge: tuple[float, float],
    taken: Sequence[Bbox],
    away: tuple[np.ndarray, Sequence[np.ndarray]],
    pixels: float,
) -> float:
    """What is wrong with a leader from the point to its name: it crosses names, other leaders or points."""
    leaders, others = away
    path = np.linspace(spot, edge, 40)
    cost = 0.0
    for box in taken:
        inside = (path[:, 0] > box.x0) & (path[:, 0] < box.x1) & (path[:, 1] > box.y0) & (path[:, 1] < box.y1)
        cost += 8 * float(inside.any())
    if len(leaders):
        gaps = np.hypot(path[:, None, 0] - leaders[None, :, 0], path[:, None, 1] - leaders[None, :, 1])
        cost += 6 * float((gaps < 1.5 * pixels).any())
    for other in others:
        cost += 4 * float((np.hypot(path[:, 0] - other[0], path[:, 1] - other[1]) < 4 * pixels).any())
    return cost
