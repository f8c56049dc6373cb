"""How clusters change while an encoder is adapted without labels, epoch by epoch, and what the guard says of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.figures.style import LOOKS, TextSize, compose, draw_line, new_figure, percent_axis, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG: Final = "log.jsonl"


@dataclass(frozen=True)
class EpochClusters:
    """The clusters that one epoch learned from.

    Attributes:
        groups: of two pictures or more.
        alone: pictures in none, as a share.
        beyond_chance: clusters within cameras that are linked to one of another camera, less what chance gives, as a
            share of those that could be.
    """

    groups: int
    alone: float
    beyond_chance: float


@dataclass(frozen=True)
class HeldOutLinks:
    """What held-out pictures say of an encoder.

    Attributes:
        linked: their clusters that are linked beyond chance, as a share of those that could be.
        possible: how many could be.
    """

    linked: float
    possible: int

    @property
    def deviation(self) -> float:
        """Standard deviation of ``linked`` that their number leaves, at most."""
        return float(np.sqrt(0.25 / max(1, self.possible)))


@dataclass(frozen=True)
class AdaptationCurve:
    """A run of adapting.

    Attributes:
        epochs: clusters of each.
        before: what held-out pictures say of the encoder as it was; None where the run has not ended.
        after: likewise of the adapted one.
        believed: whether the guard believes that it is better.
    """

    epochs: list[EpochClusters]
    before: HeldOutLinks | None
    after: HeldOutLinks | None
    believed: bool


def load_curve(folder: Path) -> AdaptationCurve:
    """Read the curve of a run from its log.

    Args:
        folder: that `swiftreid adapt` wrote, of which the trial is read, which the guard judged; or that of one run.

    Raises:
        UsageError: there is no log, or it is of a run that did not cluster.
        SwiftReIDError: it cannot be read.
    """
    logs = [folder / part / LOG for part in ("training/trial", "trial", "training", "")]
    path = next((path for path in logs if path.is_file()), None)
    if path is None:
        raise UsageError(
            f"{folder} has no {LOG}, in it or in its folder training: give the folder of an adapted encoder"
        )
    epochs: dict[int, EpochClusters] = {}
    guard: dict[str, Any] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry["kind"] == "targets" and "beyond_chance" in entry:
                epochs[entry["step"]] = EpochClusters(entry["groups"], entry["alone"], entry["beyond_chance"])
            elif entry["kind"] == "guard":
                guard = entry
        links = [HeldOutLinks(guard[f"linked_{at}"], guard[f"possible_{at}"]) for at in ("before", "after") if guard]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SwiftReIDError(f"{path} cannot be read as a run's log ({error})") from error
    if not epochs:
        raise UsageError(f"{path} has no epoch with clusters: it is not the log of adapting to pictures without labels")
    before, after = links or (None, None)
    return AdaptationCurve([epochs[step] for step in sorted(epochs)], before, after, guard.get("believed") == "yes")


def draw_curve(curve: AdaptationCurve, about: Sequence[str], *, text: TextSize = "normal") -> Figure:
    """Draw links beyond chance and pictures alone over the epochs, and the number of groups.

    Args:
        curve: of a run.
        about: what was adapted, and to what.
        text: size of the text.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    with styled(text):
        figure = new_figure(8.4, 4.2, text)
        shares, groups = figure.subplots(1, 2)
        at = list(range(1, len(curve.epochs) + 1))
        rows = {
            "linked beyond chance": [100 * epoch.beyond_chance for epoch in curve.epochs],
            "pictures alone": [100 * epoch.alone for epoch in curve.epochs],
        }
        for look, (label, values) in zip(LOOKS, rows.items(), strict=False):
            draw_line(shares, at, values, look, label)
        every = [value for values in rows.values() for value in values]
        if curve.before is not None and curve.after is not None:
            every += _held_out(shares, [0, len(at) + 1], [curve.before, curve.after])
        percent_axis(shares, "share (%)", min(every), max(every))
        if min(every) < 0:  # fewer links than chance gives
            shares.set_ylim(bottom=min(every) - 1)
        draw_line(groups, at, [epoch.groups for epoch in curve.epochs], LOOKS[0], "")
        groups.set_ylabel("groups of two pictures or more")
        groups.set_ylim(0, 1.08 * max(epoch.groups for epoch in curve.epochs))
        for axes in (shares, groups):
            axes.set_xlabel("epoch that learned from these clusters")
            axes.set_xlim(-0.6, len(at) + 1.6)
            axes.xaxis.get_major_locator().set_params(integer=True)
        verdict = "no verdict in its log"
        notes = []
        if curve.before is not None:
            verdict = "the guard believes it" if curve.believed else "the guard does not believe it"
            notes = [
                "Held out: before the first epoch and after the last, on pictures not learned from; ± one deviation."
            ]
        keys = shares.get_legend_handles_labels()[0]
        compose(figure, "Clusters while adapting without labels", [*about, verdict], notes, keys=keys)
        return figure


def _held_out(axes: Axes, at: Sequence[int], links: Sequence[HeldOutLinks]) -> list[float]:
    look = LOOKS[2]
    values = [100 * link.linked for link in links]
    deviations = [100 * link.deviation for link in links]
    axes.errorbar(
        at,
        values,
        deviations,
        color=look.colour,
        linestyle="none",
        marker=look.marker,
        capsize=3,
        label="held out, linked beyond chance",
    )
    return [end for value, by in zip(values, deviations, strict=True) for end in (value - by, value + by)]
