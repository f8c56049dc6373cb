"""Histograms of Hamming distances: same person by another camera, different people, and the thresholds between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from swiftreid.errors import SwiftReIDError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.matches import Matches
from swiftreid.evaluation.protocol import Protocol
from swiftreid.figures.style import (
    INK,
    LOOKS,
    TextSize,
    compose,
    draw_bars,
    grid_size,
    new_figure,
    panel_grid,
    styled,
)
from swiftreid.search import kernels
from swiftreid.search.codes import bits_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLOCK = 64
_BARS = 64
_ROOM = 0.42
"""For the words of a threshold, in heights of the tallest bar."""


@dataclass(frozen=True)
class Threshold:
    """A distance in bits up to which something holds.

    Attributes:
        bits: the distance.
        words: what it is for, such as "goes on (DTO)".
        same: share of the pairs of one person within it.
        different: share of the pairs of different people within it.
    """

    bits: int
    words: str
    same: float
    different: float


@dataclass(frozen=True)
class DistanceHistogram:
    """Distances of one code between queries and gallery.

    Attributes:
        code: its name.
        same: pairs of the same person, other camera, at each distance 0..bits.
        different: pairs of different people likewise; distractors among them, junk not.
        thresholds: with the shares within them.
    """

    code: str
    same: list[int]
    different: list[int]
    thresholds: list[Threshold]


def distance_histograms(
    query: LabelledCodes,
    gallery: LabelledCodes,
    thresholds: Mapping[str, Sequence[tuple[int, str]]],
    *,
    protocol: Protocol | None = None,
) -> list[DistanceHistogram]:
    """Count the distances of all pairs of a query and a gallery entry that the protocol does not ignore.

    Args:
        query: of the test set.
        gallery: of the test set.
        thresholds: for each code its thresholds, (bits, words).
        protocol: how rankings are evaluated.

    Raises:
        SwiftReIDError: there is no pair of one of the two kinds.
    """
    how = protocol or Protocol()
    matches = Matches(gallery.persons, gallery.cameras if how.cross_camera else None)
    own = how.own(len(query))
    found = []
    for name in sorted(query.codes, key=bits_of):
        bits = bits_of(name)
        same, different = np.zeros(bits + 1, np.int64), np.zeros(bits + 1, np.int64)
        column, query_codes = np.ascontiguousarray(gallery.codes[name]), np.ascontiguousarray(query.codes[name])
        for start in range(0, len(query), _BLOCK):
            for row, distances in enumerate(kernels.hamming(column, query_codes[start : start + _BLOCK], name), start):
                good, ignored = matches.of(int(query.persons[row]), int(query.cameras[row]), int(own[row]))
                here = np.bincount(distances[good], minlength=bits + 1)
                same += here
                different += np.bincount(distances, minlength=bits + 1) - here
                different -= np.bincount(distances[ignored], minlength=bits + 1)
        if not same.any() or not different.any():
            who = "the same person by two cameras" if not same.any() else "different people"
            raise SwiftReIDError(
                f"there is no pair of query and gallery picture of {who}, so no histogram can be drawn"
            )
        marks = [
            Threshold(
                t, words, float(same[: t + 1].sum() / same.sum()), float(different[: t + 1].sum() / different.sum())
            )
            for t, words in thresholds.get(name, ())
        ]
        found.append(DistanceHistogram(name, same.tolist(), different.tolist(), marks))
    return found


def draw_distances(
    histograms: Sequence[DistanceHistogram],
    about: Sequence[str],
    notes: Sequence[str] = (),
    *,
    text: TextSize = "normal",
) -> Figure:
    """Draw one panel for each code; each kind of pair is scaled to its own number.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    with styled(text) as points:
        figure = new_figure(*grid_size(len(histograms), 2.6), text)
        panels = panel_grid(figure, len(histograms), left="share of its pairs (%)", below="Hamming distance (bits)")
        for axes, histogram in zip(panels, histograms, strict=True):
            _panel(axes, histogram, points)
        keys = panels[0].get_legend_handles_labels()[0]
        small = ["Each kind of pair is scaled to its own number: there are far more pairs of different people.", *notes]
        if any(one.words.startswith("goes on") for histogram in histograms for one in histogram.thresholds):
            small.append("Goes on: up to that distance a cascade compares the next longer code too.")
        compose(figure, "Hamming distances between queries and gallery", about, small, keys=keys)
        return figure


def _panel(axes: Axes, histogram: DistanceHistogram, points: float) -> None:
    bits = len(histogram.same) - 1
    width = max(1, -(-(bits + 1) // _BARS))
    edges = np.arange(0, bits + 1 + width, width)
    tallest, used = 0.0, []
    kinds = (
        (LOOKS[0], "same person, other camera", histogram.same),
        (LOOKS[1], "different people", histogram.different),
    )
    for look, name, counts in kinds:
        shares = np.add.reduceat(np.array(counts), edges[:-1][edges[:-1] <= bits]) / sum(counts) * 100
        draw_bars(axes, shares, edges[: len(shares) + 1] - 0.5, look, name)
        tallest = max(tallest, float(shares.max()))
        used += edges[:-1][: len(shares)][shares > 0.02].tolist()
    axes.set_xlim(max(-0.5, min(used) - 2 * width), min(bits + 0.5, max(used) + 3 * width))
    lines = len(histogram.thresholds)
    axes.set_ylim(0, tallest * (1.1 + _ROOM * lines))
    axes.set_title(f"{histogram.code}" + (f", bars of {width} bits" if width > 1 else ""), loc="left", weight="bold")
    left, right = axes.get_xlim()
    for place, threshold in enumerate(sorted(histogram.thresholds, key=lambda t: t.bits)):
        at = threshold.bits + 0.5
        top = 0.99 - place * _ROOM / (1.1 + _ROOM * lines)
        axes.plot(
            [at, at],
            [0, tallest * (1.1 + _ROOM * lines) * top],
            color=INK,
            linewidth=1.2,
            linestyle=((0, (4, 2)), (0, (1, 1.2)))[place % 2],
        )
        words = (
            f"≤ {threshold.bits}: {threshold.words}\n"
            f"{100 * threshold.same:.1f} % of same person\n{_share(threshold.different)} of different people"
        )
        leftwards = (at - left) / (right - left) > 0.55
        axes.annotate(
            words,
            (at, top),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if leftwards else 4, 0),
            textcoords="offset points",
            ha="right" if leftwards else "left",
            va="top",
            fontsize=0.78 * points,
            in_layout=False,
            linespacing=1.1,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )


def _share(share: float) -> str:
    """A share in per cent, with as many places as a small one needs."""
    return f"{100 * share:.2g} %" if share < 0.01 else f"{100 * share:.1f} %"
