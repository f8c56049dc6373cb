"""Accuracy and time against the gallery's size as distractors join: Fig. 3 of the CtF paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard
from swiftreid.evaluation.comparison import differences
from swiftreid.evaluation.verdicts import CardsDiffer
from swiftreid.figures.accuracy_time import decades_axis
from swiftreid.figures.cards import about, choose_rows, encoder_name
from swiftreid.figures.cmc import default_rankings
from swiftreid.figures.style import LOOKS, TextSize, compose, draw_line, new_figure, percent_axis, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GROWS = ("data set", "distractors")  # in these alone may the cards differ


@dataclass(frozen=True)
class GallerySize:
    """One ranking in a gallery of one size.

    Attributes:
        distractors: how many distractors are in the gallery.
        entries: pictures of the gallery, distractors among them.
        rank1: share of queries with a match at rank 1.
        map_standard: mean average precision, standard.
        microseconds: of one query; None if the card has no such time.
    """

    distractors: int
    entries: int
    rank1: float
    map_standard: float
    microseconds: float | None


@dataclass(frozen=True)
class GrowingGallery:
    """One line of the figure: a ranking, and what it does in galleries of rising size."""

    label: str
    sizes: list[GallerySize]


def load_sweep(paths: Sequence[Path]) -> list[ResultCard]:
    """Read the cards of one encoder and test set with different numbers of distractors, the fewest first.

    Raises:
        SwiftReIDError: a card cannot be read.
        CardsDiffer: they differ in more than the distractors.
        UsageError: there are fewer than two, or two with as many distractors.
    """
    cards = [ResultCard.load(path) for path in paths]
    for path, card in zip(paths[1:], cards[1:], strict=True):
        first = cards[0]
        apart = [str(each) for each in differences(first, card, ap="standard") if each.field not in _GROWS]
        if _encoder(first) != _encoder(card):
            apart.append(f"encoder ({encoder_name(first)} and {encoder_name(card)})")
        if _test_set(first) != _test_set(card):
            apart.append(f"data set ({first.data.name} and {card.data.name})")
        if apart:
            raise CardsDiffer(f"{paths[0]} and {path} differ in more than distractors: {'; '.join(apart)}")
    counts = [card.protocol.distractors for card in cards]
    if len(set(counts)) < max(2, len(counts)):
        raise UsageError(
            f"this figure needs two or more cards with different numbers of distractors, not {list(counts)}; "
            "`swiftreid evaluate --distractors 0,10000,all --card NAME.json` writes them"
        )
    return sorted(cards, key=lambda card: card.protocol.distractors)


def _encoder(card: ResultCard) -> str | None:
    return card.encoder.fingerprint if card.encoder else None


def _test_set(card: ResultCard) -> dict[str, object]:
    """Queries and gallery without distractors, as far as a card knows them."""
    return {"name": card.data.name, **{k: n for k, n in card.data.pictures.items() if k in ("query", "gallery")}}


def _cascades(card: ResultCard) -> list[str]:
    """Rankings by cascades that were asked for by their rules, not those of the encoder's calibration."""
    return [row.ranking for row in card.rows if ">" in row.ranking]


def growing_galleries(
    cards: Sequence[ResultCard], wanted: Sequence[str] = (), *, full: bool = False
) -> list[GrowingGallery]:
    """The lines of the chosen rankings.

    Args:
        cards: of `load_sweep`.
        wanted: names of rankings or parts of them; empty takes every code, the float embedding, the first calibrated
            cascade, and those that `evaluate` was given.
        full: whether times are of ranking the whole gallery, as papers report, not of the 100 best.

    Raises:
        UsageError: a card has no such ranking, or there are too many to distinguish.
    """
    chosen = choose_rows(cards[:1], wanted, [*default_rankings(cards[:1]), *_cascades(cards[0])])
    if len(chosen) > len(LOOKS):
        raise UsageError(f"{len(chosen)} lines are too many to distinguish in one figure; choose at most {len(LOOKS)}")
    return [
        GrowingGallery(
            one.label,
            [
                GallerySize(
                    card.protocol.distractors,
                    card.data.pictures.get("gallery", 0) + card.protocol.distractors,
                    row.rank1,
                    row.map_standard,
                    (row.full_ranking_microseconds if full else row.microseconds_per_query) or None,
                )
                for card in cards
                for row in [card.find(one.label)]
            ],
        )
        for one in chosen
    ]


def draw_growing(
    lines: Sequence[GrowingGallery], cards: Sequence[ResultCard], *, full: bool = False, text: TextSize = "normal"
) -> Figure:
    """Draw rank-1, mAP and, where the cards have it, the time of a query over a logarithmic axis of gallery pictures.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    timed = any(size.microseconds for line in lines for size in line.sizes)
    with styled(text):
        figure = new_figure(10.2 if timed else 7.0, 4.4, text)
        panels = figure.subplots(1, 3 if timed else 2, sharex=True)
        entries = [size.entries for line in lines for size in line.sizes]
        for look, line in zip(LOOKS, lines, strict=False):
            at = [size.entries for size in line.sizes]
            draw_line(panels[0], at, [100 * size.rank1 for size in line.sizes], look, line.label)
            draw_line(panels[1], at, [100 * size.map_standard for size in line.sizes], look)
            if timed:
                had = [size for size in line.sizes if size.microseconds]
                draw_line(panels[2], [size.entries for size in had], [size.microseconds or 0 for size in had], look)
        for axes, words, field in zip(
            panels, ("rank-1 (%)", "mAP, standard (%)"), ("rank1", "map_standard"), strict=False
        ):
            values = [100 * getattr(size, field) for line in lines for size in line.sizes]
            percent_axis(axes, words, min(values), max(values))
        if timed:
            panels[2].set_yscale("log")
            panels[2].set_ylabel("time per query (µs, logarithmic)")
            decades_axis(panels[2].yaxis, [size.microseconds or 1 for line in lines for size in line.sizes])
        for axes in panels:
            axes.set_xscale("log")
            axes.set_xlabel("gallery pictures (logarithmic)")
        decades_axis(panels[0].xaxis, entries)
        what = "distances to the whole gallery and their sorting" if full else "a search for the 100 best"
        notes = [f"Time: {what}, one query at a time on one thread; the float embedding's is NumPy's."] if timed else []
        first, last = cards[0], cards[-1]
        heading = about(
            first.data.name,
            queries=first.protocol.queries,
            gallery=first.data.pictures.get("gallery", 0) + first.protocol.distractors,
            cross_camera=first.protocol.cross_camera,
            multi_query=first.protocol.multi_query,
        )
        compose(
            figure,
            "Accuracy and time as distractors join",
            [heading, f"with up to {last.protocol.distractors:,} distractors", f"encoder {encoder_name(first)}"],
            notes,
            keys=panels[0].get_legend_handles_labels()[0],
        )
        return figure
