"""Accuracy and cost against w, the length of a short list: Fig. 7 of the SSR paper (attribute-based fast retrieval)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from swiftreid.calibration.short_list import ShortList
from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.matches import Matches
from swiftreid.evaluation.protocol import Protocol
from swiftreid.figures.accuracy_time import decades_axis
from swiftreid.figures.style import LOOKS, TextSize, compose, draw_line, new_figure, percent_axis, styled
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
from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.reference import share_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLOCK = 64


@dataclass(frozen=True)
class ShortListFigure:
    """The numbers of the figure.

    Attributes:
        code: the short code.
        final: the code that orders the short list.
        entries: size of the gallery.
        trials: one for each w, rising.
        matched: for each of them the share of queries with a match on the short list (rank-w of the short code).
        exhaustive: search by the final code alone; its ``at`` is 0.
        rank_share: what the rule asks for on held-out people, as 0.97.
        rule: the w of this gallery that the rule's share comes to.
        share: that share of the gallery.
        fitted_on: the people that the rule was fitted on.
    """

    code: str
    final: str
    entries: int
    trials: list[Trial]
    matched: list[float]
    exhaustive: Trial
    rank_share: float
    rule: int
    share: float
    fitted_on: str


def lengths(entries: int) -> list[int]:
    """Lengths of short lists to try: 1, 2 and 5 of each power of ten from 10 on, and the whole gallery."""
    found = [m * 10**p for p in range(1, 8) for m in (1, 2, 5)]
    return [*(w for w in found if w < entries), entries]


def short_list_figure(
    fitted: ShortList,
    query: LabelledCodes,
    gallery: LabelledCodes,
    *,
    fitted_on: str,
    widths: Sequence[int] | None = None,
    timed: bool = False,
    protocol: Protocol | None = None,
    progress: Progress = no_progress,
) -> ShortListFigure:
    """Measure a short list of every length on the test set, the rule's choice among them.

    Args:
        fitted: the w rule on held-out people (`fit_short_list`).
        query: of the test set.
        gallery: of the test set.
        fitted_on: those people in words.
        widths: lengths to try; by default `lengths`.
        timed: whether to measure the time.
        protocol: how rankings are evaluated.
        progress: takes cascades measured and cascades in all.

    Raises:
        UsageError: a code is not there, or a length is below 1 or beyond the gallery.
    """
    entries = len(gallery)
    rule = max(1, share_of(fitted.share, entries))
    tried = sorted({*(lengths(entries) if widths is None else widths), rule})
    if tried[0] < 1 or tried[-1] > entries:
        raise UsageError(
            f"a short list has 1 to {entries:,} entries of this gallery, not {tried[0]:,} or {tried[-1]:,}"
        )
    cascades = {float(w): Cascade([Stage(fitted.code, top=w), Stage(fitted.final)]) for w in tried}
    exhaustive, *trials = try_cascades(
        {0.0: Cascade([Stage(fitted.final)]), **cascades},
        query,
        gallery,
        timed=timed,
        protocol=protocol,
        progress=progress,
    )
    ranks = first_match_ranks(fitted.code, query, gallery, protocol=protocol)
    return ShortListFigure(
        fitted.code,
        fitted.final,
        entries,
        trials,
        [float((ranks <= w).mean()) for w in tried],
        exhaustive,
        fitted.rank_share,
        rule,
        rule / entries,
        fitted_on,
    )


def first_match_ranks(
    code: str, query: LabelledCodes, gallery: LabelledCodes, *, protocol: Protocol | None = None
) -> NDArray[np.int64]:
    """Place of the first match of each query that has one, in the whole ranking by one code; ties by gallery order.

    Ignored entries count as places here, because they fill a short list too.

    Returns:
        From 1, int64 [queries with a match].
    """
    how = protocol or Protocol()
    matches = Matches(gallery.persons, gallery.cameras if how.cross_camera else None)
    own, column = how.own(len(query)), np.ascontiguousarray(gallery.codes[code])
    ranks = []
    for start in range(0, len(query), _BLOCK):
        block = np.ascontiguousarray(query.codes[code][start : start + _BLOCK])
        for row, distances in enumerate(kernels.hamming(column, block, code), start):
            good, _ = matches.of(int(query.persons[row]), int(query.cameras[row]), int(own[row]))
            if len(good):
                nearest = int(good[np.lexsort((good, distances[good]))[0]])
                before = (distances < distances[nearest]).sum() + (distances[:nearest] == distances[nearest]).sum()
                ranks.append(int(before) + 1)
    return np.array(ranks, np.int64)


def draw_short_lists(
    numbers: ShortListFigure, about: Sequence[str], *, cost: Cost = "bytes", text: TextSize = "normal"
) -> Figure:
    """Draw accuracy above cost over a logarithmic axis of w, with the rule's choice.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    with styled(text):
        figure = new_figure(6.4, 5.4, text)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 1])
        at = [trial.at for trial in numbers.trials]
        low, high = accuracy_panel(above, numbers.trials, numbers.exhaustive)
        lists = {
            "match on the list": [100 * share for share in numbers.matched],
            "mAP over the list alone": [100 * trial.map_short_list for trial in numbers.trials],
        }
        for look, (name, values) in zip(LOOKS[3:5], lists.items(), strict=True):
            draw_line(above, at, values, look, name, markersize=4)
        percent_axis(above, "share (%)", min(low, *map(min, lists.values())), max(high, *map(max, lists.values())))
        cost_panel(below, numbers.trials, numbers.exhaustive, cost)
        decades_axis(below.xaxis, at)
        below.set_xlabel("w: entries on the short list (logarithmic)")
        share = f"{100 * numbers.rank_share:g} %"
        mark(above, numbers.rule, "")
        mark(
            below,
            numbers.rule,
            f"rank-w {share}: w = {numbers.rule:,}\n{100 * numbers.share:.3g} % of the gallery",
        )
        notes = [
            f"The rule (w at which {share} of the queries have a match on the list) was fitted on {numbers.fitted_on}.",
            "mAP over the list alone: a match that is not on the list costs nothing beside others that are.",
        ]
        notes.append(trial_notes(numbers.exhaustive, cost))
        keys = above.get_legend_handles_labels()[0]
        compose(figure, f"Short list by {numbers.code}, ordered by {numbers.final}", about, notes, keys=keys)
        return figure
