"""What all figures share: looks that are distinct without colour, text sizes, headings, reproducible files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from numpy.typing import ArrayLike

from swiftreid.errors import SwiftReIDError, UsageError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TextSize = Literal["normal", "large"]
TEXT_SIZES: tuple[TextSize, ...] = get_args(TextSize)

SUFFIXES: Final = (".png", ".svg", ".pdf")
"""How the name of a figure's file may end."""

INK, FAINT, GRID = "#1c1c1e", "#5c5c62", "#d6d6da"

_POINTS: Final = {"normal": 9.0, "large": 12.5}
_WIDER: Final = {"normal": 1.0, "large": 1.15}
_DPI: Final = 200
_MARGIN = 0.10  # inches


@dataclass(frozen=True)
class SeriesLook:
    """How one of several things is drawn: each property alone is distinct from the others'."""

    colour: str
    dashes: Any
    marker: str
    hatch: str


# Okabe and Ito's colours, distinct for colour-blind readers too; dark and light ones in turn, for grey prints.
LOOKS: Final = (
    SeriesLook("#0072b2", "-", "o", "////"),
    SeriesLook("#d55e00", (0, (6, 2)), "s", "...."),
    SeriesLook("#000000", (0, (1.2, 1.4)), "^", "\\\\\\\\"),
    SeriesLook("#009e73", (0, (7, 2, 1.2, 2)), "D", "xxxx"),
    SeriesLook("#cc79a7", (0, (4, 1.2, 1.2, 1.2, 1.2, 1.2)), "v", "++++"),
    SeriesLook("#e69f00", (0, (10, 3)), "P", "oooo"),
    SeriesLook("#56b4e9", (0, (3, 3)), "X", "----"),
    SeriesLook("#5c5c62", (0, (1, 3)), "*", "||||"),
)


def load() -> None:
    """See that matplotlib is there.

    Raises:
        SwiftReIDError: it is not installed; the message says how to get it.
    """
    try:
        import_module("matplotlib.figure")
    except ImportError as error:
        raise SwiftReIDError(
            f"figures need the package {error.name or 'matplotlib'}, which is not installed; "
            'run: pip install "swiftreid[figures]"'
        ) from error


@contextmanager
def styled(text: TextSize = "normal") -> Iterator[float]:
    """Matplotlib's own defaults and ours for a while, whatever the user's settings; gives the text's size in points.

    Nothing of pyplot is used, so that drawing changes nothing for other users of matplotlib in the process.

    Raises:
        SwiftReIDError: matplotlib is not installed.
        UsageError: there is no such size of text.
    """
    if text not in TEXT_SIZES:
        raise UsageError(f"the size of text is {' or '.join(TEXT_SIZES)}, not {text!r}")
    load()
    import matplotlib as mpl
    from matplotlib import style

    points = _POINTS[text]
    with mpl.rc_context():
        style.use("default")
        mpl.rcParams.update(
            {
                "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
                "font.size": points,
                "axes.labelsize": points,
                "axes.titlesize": points,
                "xtick.labelsize": 0.9 * points,
                "ytick.labelsize": 0.9 * points,
                "legend.fontsize": 0.9 * points,
                "text.color": INK,
                "axes.labelcolor": INK,
                "axes.edgecolor": FAINT,
                "xtick.color": FAINT,
                "ytick.color": FAINT,
                "xtick.labelcolor": INK,
                "ytick.labelcolor": INK,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.grid": True,
                "grid.color": GRID,
                "grid.linewidth": 0.6,
                "axes.axisbelow": True,
                "lines.linewidth": 1.6,
                "lines.markersize": 5.5,
                "hatch.linewidth": 0.6,
                "legend.frameon": False,
                "svg.hashsalt": "swiftreid",
                "svg.fonttype": "path",
                "pdf.fonttype": 42,
                "figure.dpi": _DPI,
            }
        )
        yield points


def new_figure(width: float, height: float, text: TextSize) -> Figure:
    """An empty figure, in inches at normal size of text; call within `styled`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wider = _WIDER[text]
    figure = Figure(figsize=(width * wider, height * wider), dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def compose(
    figure: Figure,
    title: str,
    about: Sequence[str],
    notes: Sequence[str] = (),
    *,
    keys: Sequence[Artist] = (),
) -> None:
    """Write heading, what was measured, and notes, and give the rest of the figure to its axes, laid out once for all.

    Args:
        figure: with its axes drawn; call within `styled`.
        title: what the figure shows, in bold.
        about: under it: data set, protocol, encoder.
        notes: lines at the foot, in small print.
        keys: labelled artists to explain in a line above the axes.
    """
    import matplotlib as mpl
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    points = float(mpl.rcParams["font.size"])
    width, height = figure.get_size_inches()
    left, room = _MARGIN / width, width - 2 * _MARGIN
    top = height - _MARGIN
    for line in wrapped(figure, title, room, 1.12 * points, weight="bold"):
        figure.text(left, top / height, line, va="top", fontsize=1.12 * points, weight="bold")
        top -= 1.12 * points * 1.35 / 72
    for line in wrapped(figure, " · ".join(about), room, 0.9 * points):
        figure.text(left, top / height, line, va="top", fontsize=0.9 * points, color=FAINT)
        top -= 0.9 * points * 1.35 / 72
    if keys:
        figure.legend(
            handles=list(keys),
            loc="upper left",
            bbox_to_anchor=(left, top / height),
            borderaxespad=0.3,
            borderpad=0.2,
            ncols=len(keys),
            handletextpad=0.5,
            columnspacing=1.4,
        ).set_in_layout(False)
        top -= 0.9 * points * 1.9 / 72
    bottom = _MARGIN
    small = 0.8 * points
    lines = [line for note in notes for line in wrapped(figure, note, room, small)]
    for line in reversed(lines):
        figure.text(left, bottom / height, line, va="bottom", fontsize=small, color=FAINT)
        bottom += small * 1.35 / 72
    low, high = (bottom + 0.4 * _MARGIN) / height, (top - 0.6 * _MARGIN) / height
    for axes in figure.axes:
        # Else how many ticks there are would depend on the settings at the time of writing the file.
        axes.tick_params(labelsize=0.9 * points)
    figure.set_layout_engine(
        ConstrainedLayoutEngine(rect=(left, low, room / width, high - low), w_pad=0.04, h_pad=0.04, wspace=0.06)
    )
    figure.canvas.draw()
    figure.canvas.draw()  # ticks chosen for the first layout may need another
    figure.set_layout_engine("none")  # labels are placed next, and nothing may move under them


def panel_grid(figure: Figure, count: int, *, left: str, below: str) -> list[Axes]:
    """One panel each, two in a row, with the words of the axes at the left and at the bottom."""
    across = 2 if count > 1 else 1
    grid = figure.subplots(-(-count // across), across, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.set_axis_off()
    for axes in grid[::across]:
        axes.set_ylabel(left)
    for axes in grid[max(0, count - across) : count]:
        axes.set_xlabel(below)
    return list(grid[:count])


def grid_size(count: int, height: float) -> tuple[float, float]:
    """Inches of a figure with so many panels of that height."""
    across = 2 if count > 1 else 1
    return 3.9 * across, 1.1 + height * -(-count // across)


def draw_line(axes: Axes, at: ArrayLike, values: ArrayLike, look: SeriesLook, label: str = "", **looks: Any) -> None:
    """A line with hollow markers that is told apart without colour too."""
    axes.plot(
        at,
        values,
        color=look.colour,
        linestyle=look.dashes,
        marker=look.marker,
        markerfacecolor="white",
        label=label or None,
        **looks,
    )


def draw_bars(axes: Axes, shares: ArrayLike, edges: ArrayLike, look: SeriesLook, label: str) -> None:
    """A histogram that is told apart without colour too."""
    axes.stairs(shares, edges, fill=True, color=look.colour, alpha=0.12, linewidth=0)
    axes.stairs(
        shares,
        edges,
        fill=False,
        color=look.colour,
        hatch=look.hatch,
        linewidth=1.3,
        linestyle=look.dashes,
        label=label,
    )


def wrapped(figure: Figure, text: str, room: float, points: float, *, weight: str = "normal") -> list[str]:
    """The text in lines of at most ``room`` inches, broken at spaces."""
    lines = [""]
    for word in text.split(" "):  # not at spaces that do not break
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_inches(figure, longer, points, weight=weight) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def text_inches(figure: Figure, text: str, points: float, *, weight: str = "normal") -> float:
    """How wide a line of text comes out."""
    artist = figure.text(0, 0, text, fontsize=points, weight=weight)
    extent = artist.get_window_extent()
    artist.remove()
    return float(extent.width / figure.dpi)


def percent_axis(axes: Axes, label: str, lowest: float, highest: float) -> None:
    """An axis of per cent from a round number below ``lowest`` to one above ``highest``, with room at both ends."""
    step = 5 if highest - lowest > 12 else 1
    low = max(0.0, step * int((lowest - 0.25 * step) // step))
    high = min(100.0, step * -int(-(highest + 0.25 * step) // step))
    rim = 0.02 * (high - low)
    axes.set_ylim(low - (rim if low == 0 else 0), high + rim)
    axes.set_ylabel(label)


def image_of(figure: Figure, suffix: str) -> bytes:
    """The file's content; the same figure gives the same bytes, without time or machine in them.

    Args:
        figure: to be drawn.
        suffix: one of `SUFFIXES`.

    Raises:
        UsageError: another suffix.
    """
    # What matplotlib would write of itself: the time, and its version.
    silent: dict[str, dict[str, None]] = {
        ".png": {"Software": None},
        ".svg": {"Date": None, "Creator": None},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    if suffix not in silent:
        raise UsageError(f"a figure is written as {', '.join(SUFFIXES)}, not as {suffix!r}")
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format=suffix[1:], dpi=_DPI, metadata=silent[suffix])
    return buffer.getvalue()
