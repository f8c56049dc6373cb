"""Rows of pictures under headings: what contact sheets are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from swiftreid.data.pictures import BadPicture, read_picture
from swiftreid.errors import UsageError
from swiftreid.figures.crops import EMPTY, FAINT, INK, PAPER, drawn_size
from swiftreid.figures.lettering import fitted, font, wrapped

_BAD = (176, 32, 32)
_MARGIN, _GAP, _LINE, _CAPTION_LINES = 16, 10, 16, 3


@dataclass(frozen=True)
class PictureRow:
    """A heading, and pictures with captions.

    Attributes:
        heading: one line.
        cells: a file, an encoded picture, or None where there is none; and a caption of up to three lines.
    """

    heading: str
    cells: Sequence[tuple[Path | bytes | None, str]]


def draw_rows(rows: Sequence[PictureRow], *, columns: int, crop_height: int, title: str = "") -> Image.Image:
    """Draw rows of pictures, with a red cross for those that cannot be read.

    Args:
        rows: at least one, of at most ``columns`` pictures.
        columns: pictures in a row.
        crop_height: height of each in pixels; it is half as wide.
        title: a line above all.

    Raises:
        UsageError: sizes that cannot be drawn.
    """
    check_sizes(columns, crop_height)
    cell, tall = crop_height // 2, crop_height + _CAPTION_LINES * _LINE + _GAP
    width = 2 * _MARGIN + columns * (cell + _GAP) - _GAP
    above = 2 * _LINE if title else 0
    canvas = Image.new("RGB", (width, 2 * _MARGIN + above + len(rows) * (tall + 2 * _LINE) - _GAP), PAPER)
    draw = ImageDraw.Draw(canvas)
    top = _MARGIN + above
    if title:
        draw.text((_MARGIN, _MARGIN - 4), fitted(title, width - 2 * _MARGIN, 18), INK, font(18))
    for row in rows:
        draw.text((_MARGIN, top), fitted(row.heading, width - 2 * _MARGIN, 15), INK, font(15))
        top += 2 * _LINE - 6
        for number, (picture, caption) in enumerate(row.cells):
            left = _MARGIN + number * (cell + _GAP)
            _draw_cell(canvas, (left, top), picture, crop_height)
            for line, text in enumerate(wrapped(caption, cell, 12, _CAPTION_LINES)):
                at = (left, top + crop_height + 3 + line * (_LINE - 2))
                draw.text(at, fitted(text, cell, 12), FAINT, font(12))
        top += tall + 6
    return canvas


def check_sizes(columns: int, crop_height: int) -> None:
    """Raise `UsageError` unless so many pictures of this height can be drawn."""
    if columns < 2 or not 32 <= crop_height <= 512:
        raise UsageError(f"columns must be at least 2 and crop_height 32 to 512, got {columns} and {crop_height}")


def _draw_cell(canvas: Image.Image, corner: tuple[int, int], source: Path | bytes | None, height: int) -> None:
    left, top = corner
    box = (left, top, left + height // 2 - 1, top + height - 1)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle(box, EMPTY)
    try:
        picture = _read(source)
    except BadPicture:
        draw.rectangle(box, outline=_BAD, width=2)
        draw.line((*box[:2], *box[2:]), _BAD, width=2)
        draw.line((box[0], box[3], box[2], box[1]), _BAD, width=2)
        return
    size = drawn_size(picture, height)
    place = (left + (height // 2 - size[0]) // 2, top + (height - size[1]) // 2)
    canvas.paste(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC), place)


def _read(source: Path | bytes | None) -> NDArray[np.uint8]:
    if source is None:
        raise BadPicture("picture", "there is none")
    return read_picture(source) if isinstance(source, Path) else read_picture(source, name="picture")
