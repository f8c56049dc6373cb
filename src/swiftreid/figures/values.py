"""Histograms of the real values behind codes, before and after the relaxation of training: Fig. 2 of the SSR paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.figures.style import LOOKS, TextSize, compose, draw_bars, grid_size, new_figure, panel_grid, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS: Final = 60
_TAIL: Final = 0.0005
"""Share of the values left out at each end."""

RELAXATIONS: Final[Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "sigmoid": lambda v: 1 / (1 + np.exp(-v.clip(-700, 700))),
    "hardsigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "hardtanh": lambda v: np.clip(v, -1, 1),
}
"""As `swiftreid.nn.relaxation.ACTIVATIONS`, in NumPy."""


@dataclass(frozen=True)
class ValueHistogram:
    """The values behind one code, of many pictures.

    Attributes:
        code: its name.
        relaxation: what values pass in training; "none" where it is none.
        edges: of the bars, one more than there are bars; the first and the last bar hold what lies beyond too.
        before: values in each bar.
        after_edges: of the bars of the values that passed the relaxation, over the range that it has.
        after: values in each of these; None where there is no relaxation.
    """

    code: str
    relaxation: str
    edges: list[float]
    before: list[int]
    after_edges: list[float] | None
    after: list[int] | None


def value_histograms(values: Mapping[str, NDArray[np.float32]], relaxation: str = "none") -> list[ValueHistogram]:
    """Count values by code, before and after a relaxation.

    Args:
        values: for each code float32 [n, bits], as `swiftreid.encoding.abstract.Encoder.values_of` gives them.
        relaxation: a name of `RELAXATIONS`; others, such as "ssr", squash nothing.

    Raises:
        UsageError: there is no value.
    """
    found = []
    for code, given in values.items():
        before = given.astype(np.float64).ravel()
        if not before.size:
            raise UsageError("there are no pictures, so there are no values to draw")
        low, high = np.quantile(before, [_TAIL, 1 - _TAIL]).tolist()
        edges = np.linspace(low, high if high > low else low + 1, BARS + 1)
        counted = edges.tolist(), _counted(before, edges)
        if (squash := RELAXATIONS.get(relaxation)) is None:
            found.append(ValueHistogram(code, "none", *counted, None, None))
            continue
        least, most = squash(np.array([-1e3, 1e3])).tolist()
        after_edges = np.linspace(least, most, BARS // 2 + 1)
        found.append(
            ValueHistogram(code, relaxation, *counted, after_edges.tolist(), _counted(squash(before), after_edges))
        )
    return found


def _counted(values: NDArray[np.float64], edges: NDArray[np.float64]) -> list[int]:
    counted: list[int] = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].tolist()
    return counted


def draw_values(histograms: Sequence[ValueHistogram], about: Sequence[str], *, text: TextSize = "normal") -> Figure:
    """Draw one panel for each code.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    with styled(text):
        figure = new_figure(*grid_size(len(histograms), 2.3), text)
        panels = panel_grid(figure, len(histograms), left="values in % per unit", below="value")
        for axes, histogram in zip(panels, histograms, strict=True):
            _panel(axes, histogram)
        keys = panels[0].get_legend_handles_labels()[0]
        notes = ["A bit is the sign of its value before the relaxation."]
        if all(histogram.after is None for histogram in histograms):
            notes.append("This encoder's values pass no relaxation.")
        compose(figure, "Values behind the codes", about, notes, keys=keys)
        return figure


def _panel(axes: Axes, histogram: ValueHistogram) -> None:
    name = "values" if histogram.after is None else "before"
    series = [(name, histogram.before, histogram.edges), ("after", histogram.after, histogram.after_edges)]
    for look, (words, counts, edges) in zip(LOOKS, series, strict=False):
        if counts is None or edges is None:
            continue
        label = f"after {histogram.relaxation}" if words == "after" else words
        draw_bars(axes, 100 * np.array(counts) / sum(counts) / np.diff(edges), edges, look, label)
    axes.set_title(histogram.code, loc="left", weight="bold")
