"""Ranked people as a picture: the query at the left, crops in rows, right and wrong shown by mark and border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from swiftreid.errors import UsageError
from swiftreid.figures.crops import (
    BLUE,
    BORDER,
    FAINT,
    GAP,
    INK,
    MARGIN,
    PAPER,
    RULE,
    VERMILION,
    cell_size,
    draw_cell,
)
from swiftreid.figures.lettering import fitted, font

_RIGHT, _WRONG = BLUE, VERMILION
_BADGE = 26


@dataclass(frozen=True)
class Candidate:
    """One ranked picture.

    Attributes:
        picture: uint8 [h, w, 3] RGB.
        distance: the distance as short text, such as "212 / 2048"; cut where it is wider than the crop.
        verdict: True right, False wrong, None unknown.
        caption: more to say, such as "camera 3" and "person 17" on two lines; wrapped, and cut after two.
        ignored: the protocol leaves it out: it takes no rank, and is shown faint in a dotted frame.
    """

    picture: NDArray[np.uint8]
    distance: str = ""
    verdict: bool | None = None
    caption: str = ""
    ignored: bool = False


@dataclass(frozen=True)
class RankedPictures:
    """One query and its ranked candidates, nearest first."""

    query: NDArray[np.uint8]
    candidates: Sequence[Candidate]
    caption: str = ""


def draw_rankings(
    rankings: Sequence[RankedPictures], *, title: str = "", columns: int = 10, crop_height: int = 192, text: float = 1.0
) -> Image.Image:
    """Draw several queries, one under the other, into one RGB picture.

    Each candidate shows its rank, its distance and its caption. A right one has a full border and a badge with a tick,
    a wrong one a dashed border and a badge with a cross, an ignored one a dotted border, a badge with a bar and no
    rank, distinct in a grey print; unknown ones have neither border nor badge.

    Args:
        rankings: queries with their candidates.
        title: a heading above all, one line for each of its own.
        columns: candidates per row; more of them go on in further rows.
        crop_height: height of each crop in pixels; a crop's cell is half as wide, and crops of other shapes are fitted.
        text: how much larger than usual text is, 0.5 to 3.

    Raises:
        UsageError: no ranking, or sizes that cannot be drawn.
    """
    if not 0.5 <= text <= 3:
        raise UsageError(f"text must be 0.5 to 3 times as large as usual, got {text}")
    if isinstance(rankings, RankedPictures) or not all(isinstance(one, RankedPictures) for one in rankings):
        raise UsageError("draw_rankings takes a list of RankedPictures: swiftreid.rankings_of([answer]) makes one")
    if not rankings:
        raise UsageError("there is no ranking to draw")
    if columns < 1 or not 64 <= crop_height <= 1024:
        raise UsageError(f"columns must be at least 1 and crop_height 64 to 1024, got {columns} and {crop_height}")
    used = max(1, min(columns, max(len(ranking.candidates) for ranking in rankings)))
    cell_width, cell_height = cell_size(crop_height, text)
    titles = title.splitlines()
    heading = round(28 * text) * len(titles) + (12 if titles else 0)
    rows = [max(1, -(-len(ranking.candidates) // used)) for ranking in rankings]
    width = 2 * MARGIN + (used + 1) * (cell_width + GAP) + GAP
    height = 2 * MARGIN + heading + sum(count * (cell_height + GAP) for count in rows) + GAP * (len(rows) - 1)
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(titles):
        size, colour = (round(16 * text), FAINT) if number else (round(20 * text), INK)
        line_top = MARGIN + number * round(28 * text)
        draw.text((MARGIN, line_top), fitted(line, width - 2 * MARGIN, size), colour, font(size))
    top = MARGIN + heading
    for number, (ranking, count) in enumerate(zip(rankings, rows, strict=True)):
        if number:
            draw.line((MARGIN, top, width - MARGIN, top), RULE)
            top += GAP
        draw_cell(
            canvas,
            (MARGIN, top),
            ranking.query,
            crop_height,
            label="query",
            caption=ranking.caption,
            border=INK,
            text=text,
        )
        bar = MARGIN + cell_width + GAP
        draw.line((bar, top, bar, top + count * (cell_height + GAP) - GAP), RULE)
        ranks = accumulate(int(not candidate.ignored) for candidate in ranking.candidates)
        for place, (candidate, rank) in enumerate(zip(ranking.candidates, ranks, strict=True)):
            left = bar + GAP + (place % used) * (cell_width + GAP)
            corner = (left, top + (place // used) * (cell_height + GAP))
            _draw_candidate(canvas, corner, candidate, rank, height=crop_height, text=text)
        if not ranking.candidates:
            draw.text(
                (bar + GAP, top + BORDER),
                fitted("nobody found", cell_width, round(14 * text)),
                FAINT,
                font(round(14 * text)),
            )
        top += count * (cell_height + GAP)
    return canvas


def _draw_candidate(
    canvas: Image.Image, corner: tuple[int, int], candidate: Candidate, rank: int, *, height: int, text: float
) -> None:
    colour: tuple[int, int, int] | None = {True: _RIGHT, False: _WRONG, None: None}[candidate.verdict]
    dash = 3 * BORDER if candidate.verdict is False else 0
    if candidate.ignored:
        colour, dash = FAINT, BORDER
    number = "-" if candidate.ignored else str(rank)
    draw_cell(
        canvas,
        corner,
        candidate.picture,
        height,
        label=f"{number}   {candidate.distance}".rstrip(),
        caption=candidate.caption,
        border=colour,
        dash=dash,
        faint=candidate.ignored,
        text=text,
    )
    if candidate.verdict is not None or candidate.ignored:
        right = corner[0] + height // 2 + 2 * BORDER
        verdict = None if candidate.ignored else candidate.verdict
        _draw_badge(ImageDraw.Draw(canvas), (right - _BADGE, corner[1]), verdict)


def _draw_badge(draw: ImageDraw.ImageDraw, corner: tuple[int, int], right: bool | None) -> None:
    """A tick, a cross or a bar, white on its colour; the right one round, the wrong one square, the ignored one low."""
    x, y = corner
    box = (x, y, x + _BADGE - 1, y + _BADGE - 1)
    if right is None:
        draw.rectangle((x, y, x + _BADGE - 1, y + _BADGE // 2), FAINT, outline=PAPER, width=2)
        draw.line([(x + 7, y + _BADGE // 4), (x + _BADGE - 8, y + _BADGE // 4)], PAPER, width=3)
    elif right:
        draw.ellipse(box, _RIGHT, outline=PAPER, width=2)
        draw.line([(x + 7, y + 13), (x + 11, y + 18), (x + 19, y + 8)], PAPER, width=3, joint="curve")
    else:
        draw.rectangle(box, _WRONG, outline=PAPER, width=2)
        draw.line([(x + 8, y + 8), (x + 17, y + 17)], PAPER, width=3)
        draw.line([(x + 17, y + 8), (x + 8, y + 17)], PAPER, width=3)
