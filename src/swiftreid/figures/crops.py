"""Crops of people in the cells of a drawn picture: fitted whole, with a border, a label and a caption under them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from swiftreid.figures.lettering import fitted, font, wrapped

INK: Final = (28, 28, 30)
FAINT: Final = (110, 110, 116)
PAPER: Final = (255, 255, 255)
EMPTY: Final = (240, 240, 242)  # of a cell, around a crop of another shape
RULE: Final = (214, 214, 218)
BLUE: Final = (0, 114, 178)
VERMILION: Final = (213, 94, 0)  # differs from that blue to colour-blind eyes too
MARGIN, GAP, BORDER = 16, 12, 4
_LINE = 18
_MOST_LINES = 3


def cell_size(crop_height: int, text: float) -> tuple[int, int]:
    """Width and height in pixels of a cell with its text: a crop is fitted into half its height."""
    below = round(text * _LINE) * _MOST_LINES + 6
    return crop_height // 2 + 2 * BORDER, crop_height + 2 * BORDER + below


def drawn_size(picture: NDArray[np.uint8], crop_height: int) -> tuple[int, int]:
    """Width and height in pixels at which a cell shows uint8 [h, w, 3], whole and in its own shape."""
    height, width = picture.shape[:2]
    scale = min(crop_height / height, (crop_height // 2) / width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def draw_cell(
    canvas: Image.Image,
    corner: tuple[int, int],
    picture: NDArray[np.uint8],
    height: int,
    *,
    label: str,
    caption: str,
    border: tuple[int, int, int] | None,
    text: float,
    dash: int = 0,
    faint: bool = False,
) -> None:
    """One crop, fitted into its cell, with border, label and up to two faint lines under it."""
    draw = ImageDraw.Draw(canvas)
    left, top = corner
    right, bottom = left + height // 2 + 2 * BORDER - 1, top + height + 2 * BORDER - 1
    draw.rectangle((left + BORDER, top + BORDER, right - BORDER, bottom - BORDER), EMPTY)
    crop = Image.fromarray(picture)
    size = drawn_size(picture, height)
    crop = crop.resize(size, Image.Resampling.BICUBIC)
    if faint:
        crop = Image.blend(crop, Image.new("RGB", size, PAPER), 0.55)
    canvas.paste(crop, (left + BORDER + (height // 2 - size[0]) // 2, top + BORDER + (height - size[1]) // 2))
    if border is not None:
        _draw_border(draw, (left, top, right, bottom), border, dash)
    room = right - left + 1
    large, small, step = round(14 * text), round(12 * text), round(_LINE * text)
    draw.text((left, bottom + 5), fitted(label, room, large), INK, font(large))
    for number, line in enumerate(wrapped(caption, room, small, _MOST_LINES - 1), start=1):
        draw.text((left, bottom + 5 + number * step), fitted(line, room, small), FAINT, font(small))


def _draw_border(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: tuple[int, int, int], dash: int
) -> None:
    left, top, right, bottom = box
    if not dash:
        draw.rectangle(box, outline=colour, width=BORDER)
        return
    for start in range(left, right, 2 * dash):
        end = min(start + dash, right)
        draw.rectangle((start, top, end, top + BORDER - 1), colour)
        draw.rectangle((start, bottom - BORDER + 1, end, bottom), colour)
    for start in range(top, bottom, 2 * dash):
        end = min(start + dash, bottom)
        draw.rectangle((left, start, left + BORDER - 1, end), colour)
        draw.rectangle((right - BORDER + 1, start, right, end), colour)
