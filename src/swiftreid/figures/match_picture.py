"""Maps of changes laid over pictures: what agrees is blue and smooth, what differs is vermilion and striped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from swiftreid.errors import UsageError
from swiftreid.figures.crops import (
    BLUE,
    FAINT,
    GAP,
    INK,
    MARGIN,
    PAPER,
    VERMILION,
    cell_size,
    draw_cell,
    drawn_size,
)
from swiftreid.figures.lettering import fitted, font, wrapped

_STRONGEST = 0.85  # share of the colour at the strongest change, so that the picture shows through
_STRIPE = 4  # pixels of a stripe, and of the gap beside it
_SCALE_WIDTH, _SCALE_HEIGHT = 120, 16
_MOST_LINES = 3  # that one line of the title may be broken into


@dataclass(frozen=True)
class Panel:
    """One picture to draw, with a map over it or without.

    Attributes:
        picture: uint8 [h, w, 3] RGB.
        changes: float32 [any height, any width], laid over the whole picture; None shows the picture as it is.
        label: short text under it; cut where it is wider than the picture.
        caption: more to say, wrapped, and cut after two lines.
    """

    picture: NDArray[np.uint8]
    changes: NDArray[np.float32] | None = None
    label: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Legend:
    """What the colours mean.

    Attributes:
        above: of changes above 0, in words.
        below: of changes below 0; None where there are none.
    """

    above: str
    below: str | None = None


def draw_maps(
    rows: Sequence[Sequence[Panel]],
    legend: Legend,
    *,
    title: str = "",
    crop_height: int = 256,
    text: float = 1.0,
) -> Image.Image:
    """Draw rows of pictures with their maps, and a legend in words, into one RGB picture.

    Pictures under a map are grey and faint. The maps of a row share one scale, which ends at the row's strongest
    change, so that weak ones can be seen too. Changes above 0 are blue, those below 0 vermilion and striped: a grey
    print and they are distinct for colour-blind readers.

    Args:
        rows: of panels.
        legend: what the colours mean.
        title: a heading above all, one line for each of its own; the first is large.
        crop_height: height of each picture in pixels; its cell is half as wide, and other shapes are fitted.
        text: how much larger than usual text is, 0.5 to 3.

    Raises:
        UsageError: there is nothing to draw, or sizes that cannot be drawn.
    """
    if not rows or not all(rows):
        raise UsageError("there is no map to draw")
    if not 0.5 <= text <= 3 or not 64 <= crop_height <= 1024:
        raise UsageError(f"text must be 0.5 to 3 and crop_height 64 to 1024, got {text} and {crop_height}")
    cell_width, cell_height = cell_size(crop_height, text)
    line, letters = round(24 * text), font(round(14 * text))
    words = [(1, legend.above), *([] if legend.below is None else [(-1, legend.below)])]
    for_words = max(_SCALE_WIDTH + GAP + ceil(letters.getlength(line_text)) for _, line_text in words)
    room = max(max(map(len, rows)) * (cell_width + GAP) - GAP, for_words)
    titles = [
        (part, size, colour)
        for number, line_text in enumerate(title.splitlines())
        for size, colour in [(round(14 * text), FAINT) if number else (round(18 * text), INK)]
        for part in wrapped(line_text, room, size, _MOST_LINES)
    ]
    heading = line * len(titles) + (GAP if titles else 0)
    height = 2 * MARGIN + heading + len(rows) * (cell_height + GAP) + line * len(words)
    canvas = Image.new("RGB", (room + 2 * MARGIN, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, (line_text, size, colour) in enumerate(titles):
        draw.text((MARGIN, MARGIN + number * line), fitted(line_text, room, size), colour, font(size))
    top = MARGIN + heading
    for row in rows:
        limit = _strongest(row)
        for column, panel in enumerate(row):
            corner = (MARGIN + column * (cell_width + GAP), top)
            picture = _tinted(panel, crop_height, limit)
            draw_cell(
                canvas, corner, picture, crop_height, label=panel.label, caption=panel.caption, border=None, text=text
            )
        top += cell_height + GAP
    for sign, line_text in words:
        ramp = np.broadcast_to(np.linspace(0, sign, _SCALE_WIDTH, dtype=np.float32), (_SCALE_HEIGHT, _SCALE_WIDTH))
        blank = np.full((_SCALE_HEIGHT, _SCALE_WIDTH, 3), 128, np.uint8)
        canvas.paste(Image.fromarray(overlay(blank, ramp, 1.0)), (MARGIN, top + 2))
        draw.text((MARGIN + _SCALE_WIDTH + GAP, top), line_text, INK, letters)
        top += line
    return canvas


def overlay(picture: NDArray[np.uint8], changes: NDArray[np.float32], limit: float) -> NDArray[np.uint8]:
    """A picture in faint grey with a map over it, uint8 [h, w, 3].

    Args:
        picture: uint8 [h, w, 3].
        changes: float32 [any height, any width]; scaled to the picture.
        limit: the change, above 0 or below, that is shown at full strength; 0 shows no colour.
    """
    height, width = picture.shape[:2]
    grey = np.asarray(Image.fromarray(picture).convert("L"), np.float32)[..., None]
    faint = 96 + grey * (159 / 255)  # black becomes a middle grey: colours stand out, and the person stays visible
    if limit <= 0:
        return np.rint(np.broadcast_to(faint, picture.shape)).astype(np.uint8)
    scaled = Image.fromarray(np.ascontiguousarray(changes, np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    share = np.clip(np.asarray(scaled) / np.float32(limit), -1, 1)[..., None]
    rows, columns = np.indices((height, width))
    striped = ((rows + columns) // _STRIPE % 2 == 0)[..., None]
    strength = np.abs(share) * _STRONGEST * np.where((share < 0) & ~striped, np.float32(0.25), np.float32(1))
    colour = np.where(share < 0, np.array(VERMILION, np.float32), np.array(BLUE, np.float32))
    return np.rint(faint * (1 - strength) + colour * strength).astype(np.uint8)


def _strongest(row: Sequence[Panel]) -> float:
    """The largest change of a row's maps, above 0 or below."""
    return max((float(np.abs(panel.changes).max()) for panel in row if panel.changes is not None), default=0.0)


def _tinted(panel: Panel, crop_height: int, limit: float) -> NDArray[np.uint8]:
    if panel.changes is None:
        return panel.picture
    # At the size it is shown at, so that stripes are equally wide on pictures of any size.
    size = drawn_size(panel.picture, crop_height)
    enlarged = np.asarray(Image.fromarray(panel.picture).resize(size, Image.Resampling.BICUBIC))
    return overlay(enlarged, panel.changes, limit)
