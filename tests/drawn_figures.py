"""Figures drawn as coloured boxes, which stand in for people where rendering would be too slow."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw


def draw_person(person: int, camera: int, shot: int, size: tuple[int, int] = (64, 128)) -> Image.Image:
    """A figure in the person's colours under the camera's light: enough for colour histograms to tell people apart."""
    coat, legs = np.random.default_rng(person).integers(20, 236, (2, 3))
    rng = np.random.default_rng((person, camera, shot))
    light = 0.85 + 0.06 * camera
    width, height = size
    picture = Image.new("RGB", size, (90 + 20 * camera, 100, 110))
    draw = ImageDraw.Draw(picture)
    middle = width // 2 + int(rng.integers(-3, 4))

    def box(left: float, top: float, right: float, bottom: float, colour: np.ndarray) -> None:
        shade = tuple(int(v) for v in np.clip(colour * light, 0, 255))
        draw.rectangle([middle + left * width, top * height, middle + right * width, bottom * height], fill=shade)

    box(-0.1, 0.05, 0.1, 0.18, np.array([205, 160, 130]))
    box(-0.25, 0.18, 0.25, 0.55, coat)
    box(-0.2, 0.55, 0.2, 0.95, legs)
    noisy = np.asarray(picture, np.int16) + rng.integers(-8, 9, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
