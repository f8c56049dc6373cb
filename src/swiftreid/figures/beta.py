"""Accuracy and cost against beta of distance threshold optimisation (DTO): Fig. 4 of the CtF paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swiftreid.calibration.pairs import pair_histograms
from swiftreid.calibration.thresholds import fit_thresholds
from swiftreid.data.samples import DISTRACTOR
from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.protocol import Protocol
from swiftreid.figures.accuracy_time import decades_axis
from swiftreid.figures.style import TextSize, compose, new_figure, styled
from swiftreid.figures.trials import (
    Cost,
    Trial,
    accuracy_panel,
    cost_panel,
    mark,
    trial_notes,
    try_cascades,
)
from swiftreid.progress import Progress, no_progress
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import bits_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BETAS = (0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 10.0, 16.0, 32.0, 64.0)
"""From nearly nothing kept to nearly everything kept; the paper's Fig. 4 goes from 0.01 to 10."""


@dataclass(frozen=True)
class BetaFigure:
    """The numbers of the figure.

    Attributes:
        trials: one for each beta, rising.
        exhaustive: search by the longest code alone; its ``at`` is 0.
        fitted_on: the people that the thresholds were fitted on.
        calibrated: the beta on the encoder's card, if there is one.
    """

    trials: list[Trial]
    exhaustive: Trial
    fitted_on: str
    calibrated: float | None = None


def dto_cascades(held_out: LabelledCodes, betas: Sequence[float]) -> dict[float, Cascade]:
    """For each beta the cascade of all identity codes, shortest first, fitted on held-out people.

    Distances are taken as Gaussian and F_beta in its derived form, as `swiftreid calibrate` does.

    Args:
        held_out: people who are not in the test set; distractors and junk are left out.
        betas: weights of recall.

    Raises:
        UsageError: fewer than two codes, no person seen by two cameras, or a beta that is not above 0.
    """
    names = identity_codes(held_out)
    people = held_out.take(held_out.persons > DISTRACTOR)
    histograms = pair_histograms({name: people.codes[name] for name in names}, people.persons, people.cameras)
    return {beta: fit_thresholds(histograms, beta=beta).cascade(names[-1]) for beta in sorted(set(betas))}


def identity_codes(codes: LabelledCodes) -> list[str]:
    """Names of the identity codes, shortest first.

    Raises:
        UsageError: there are fewer than two.
    """
    names = sorted((name for name in codes.codes if name.startswith("id")), key=bits_of)
    if len(names) < 2:
        raise UsageError(f"a cascade needs two identity codes at least; there is {', '.join(names) or 'none'}")
    return names


def beta_figure(
    cascades: Mapping[float, Cascade],
    query: LabelledCodes,
    gallery: LabelledCodes,
    *,
    fitted_on: str,
    calibrated: float | None = None,
    timed: bool = False,
    protocol: Protocol | None = None,
    progress: Progress = no_progress,
) -> BetaFigure:
    """Measure the cascade of every beta, and exhaustive search, on the test set."""
    whole = Cascade([Stage(identity_codes(gallery)[-1])])
    exhaustive, *trials = try_cascades(
        {0.0: whole, **cascades}, query, gallery, timed=timed, protocol=protocol, progress=progress
    )
    return BetaFigure(trials, exhaustive, fitted_on, calibrated)


def draw_beta(numbers: BetaFigure, about: Sequence[str], *, cost: Cost = "bytes", text: TextSize = "normal") -> Figure:
    """Draw accuracy above cost over a logarithmic axis of beta.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    with styled(text):
        figure = new_figure(6.4, 5.2, text)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
        accuracy_panel(above, numbers.trials, numbers.exhaustive)
        cost_panel(below, numbers.trials, numbers.exhaustive, cost)
        decades_axis(below.xaxis, [trial.at for trial in numbers.trials])
        below.set_xlabel("beta: weight of recall in F_beta (logarithmic)")
        if numbers.calibrated is not None:
            for axes, words in ((above, f"the card's beta: {numbers.calibrated:g}"), (below, "")):
                mark(axes, numbers.calibrated, words)
        notes = [f"Thresholds fitted on {numbers.fitted_on}; accuracy and cost measured on the test set."]
        notes.append(trial_notes(numbers.exhaustive, cost))
        keys = above.get_legend_handles_labels()[0]
        compose(figure, "Accuracy and cost against beta (DTO)", about, notes, keys=keys)
        return figure
