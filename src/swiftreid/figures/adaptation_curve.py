"""How clusters change while an encoder is adapted without labels, epoch by epoch, and what the guard says of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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
class HeldOutLeads:
    """What held-out pictures say of an encoder before and after.

    Attributes:
        before: how far a cluster's nearest one by another camera leads the next one there, in logarithms of expected
            strangers (`swiftreid.adaptation.guard`).
        after: likewise by the adapted one.
        error: standard error of ``after - before``.
        clusters: that were compared.
    """

    before: float
    after: float
    error: float
    clusters: int


@dataclass(frozen=True)
class AdaptationCurve:
    """A run of adapting.

    Attributes:
        epochs: clusters of each.
        held_out: what held-out pictures say; None where the run has no verdict yet, or too few were compared.
        believed: whether the guard believes that it is better; None where it has not said.
    """

    epochs: list[EpochClusters]
    held_out: HeldOutLeads | None
    believed: bool | None


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
        held_out = _held_out(guard) if guard else None
        believed = guard["believed"] == "yes" if guard else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SwiftReIDError(f"{path} cannot be read as a run's log ({error})") from error
    if not epochs:
        raise UsageError(f"{path} has no epoch with clusters: it is not the log of adapting to pictures without labels")
    return AdaptationCurve([epochs[step] for step in sorted(epochs)], held_out, believed)


def _held_out(entry: dict[str, Any]) -> HeldOutLeads | None:
    if "error" not in entry:
        return None
    return HeldOutLeads(entry["lead_before"], entry["lead_after"], entry["error"], entry["clusters"])


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
        held_out = curve.held_out
        figure = new_figure(8.4 if held_out is None else 10.8, 4.2, text)
        shares, groups, *guard = figure.subplots(1, 2 if held_out is None else 3)
        at = list(range(1, len(curve.epochs) + 1))
        rows = {
            "linked beyond chance": [100 * epoch.beyond_chance for epoch in curve.epochs],
            "pictures alone": [100 * epoch.alone for epoch in curve.epochs],
        }
        for look, (label, values) in zip(LOOKS, rows.items(), strict=False):
            draw_line(shares, at, values, look, label)
        every = [value for values in rows.values() for value in values]
        percent_axis(shares, "share (%)", min(every), max(every))
        if min(every) < 0:  # fewer links than chance gives
            shares.set_ylim(bottom=min(every) - 1)
        draw_line(groups, at, [epoch.groups for epoch in curve.epochs], LOOKS[0], "")
        groups.set_ylabel("groups of two pictures or more")
        groups.set_ylim(0, 1.08 * max(epoch.groups for epoch in curve.epochs))
        for axes in (shares, groups):
            axes.set_xlabel("epoch that learned from these clusters")
            axes.set_xlim(0.4, len(at) + 0.6)
            axes.xaxis.get_major_locator().set_params(integer=True)
        notes = []
        if held_out is not None:
            _draw_held_out(guard[0], held_out)
            notes = [f"Held out: {held_out.clusters:,} clusters that nothing was learned from; ± two standard errors."]
        verdict = {
            None: "no verdict in its log",
            True: "the guard believes it",
            False: "the guard does not believe it",
        }[curve.believed]
        keys = shares.get_legend_handles_labels()[0]
        compose(figure, "Clusters while adapting without labels", [*about, verdict], notes, keys=keys)
        return figure


def _draw_held_out(axes: Axes, held_out: HeldOutLeads) -> None:
    """How far the nearest cluster by another camera leads the next one there, before and after."""
    look, margin = LOOKS[2], 2 * held_out.error
    draw_line(axes, [0, 1], [held_out.before, held_out.after], look, "")
    axes.errorbar([1], [held_out.after], [margin], color=look.colour, capsize=3)
    axes.set_xticks([0, 1], ["before", "after"])
    axes.set_xlim(-0.4, 1.4)
    axes.set_ylim(0, 1.1 * max(held_out.before, held_out.after + margin))
    axes.set_xlabel("encoder")
    axes.set_ylabel("lead of the nearest cluster, held out")
