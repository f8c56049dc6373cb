"""Two pictures side by side, enlarged, to tell whether they show one person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from swiftreid.errors import UsageError
from swiftreid.figures.crops import GAP, MARGIN, PAPER, cell_size, draw_cell


def draw_pair(
    one: NDArray[np.uint8], other: NDArray[np.uint8], captions: tuple[str, str] = ("", ""), *, crop_height: int = 512
) -> Image.Image:
    """Draw two pictures side by side.

    Args:
        one: uint8 RGB [h, w, 3].
        other: uint8 RGB [h, w, 3].
        captions: a line under each, such as its camera.
        crop_height: height of each in pixels; it is half as wide.

    Raises:
        UsageError: the height is below 32 or above 2048.

    Example:
        ``draw_pair(read_picture(Path("a.jpg")), read_picture(Path("b.jpg")), ("camera 1", "camera 2")).save("ab.png")``
    """
    if not 32 <= crop_height <= 2048:
        raise UsageError(f"crop_height must be 32 to 2048, got {crop_height}")
    width, height = cell_size(crop_height, 1.0)
    canvas = Image.new("RGB", (2 * (MARGIN + width) + GAP, 2 * MARGIN + height), PAPER)
    for place, (picture, caption) in enumerate(zip((one, other), captions, strict=True)):
        left = MARGIN + place * (width + GAP)
        draw_cell(canvas, (left, MARGIN), picture, crop_height, label=caption, caption="", border=None, text=1.0)
    return canvas
