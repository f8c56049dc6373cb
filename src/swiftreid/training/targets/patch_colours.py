"""Colours of a picture's quarters under random changes: what surrogate classes are made of.

Wu et al., 'Pseudo-Pair Based Self-Similarity Learning for Unsupervised Person Re-Identification', TIP 2022, section
III-A and IV-B.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SIZE: Final = (128, 64)
"""Height and width that pictures have here; a patch is a quarter, 64 x 32."""

PATCHES: Final = 4
SHIFT: Final = 0.2  # of the patch's height and width
ANGLE: Final = 20.0  # degrees
SCALE: Final = (0.7, 1.4)
JITTER: Final = 0.4  # of brightness, contrast and saturation; the paper names none
_STEP: Final = 4  # every fourth row and column is enough for a mean
_GREY: Final = np.array((0.299, 0.587, 0.114), np.float32)


def patch_colours(picture: NDArray[np.uint8], changes: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """m_i of the four patches of a picture: the mean RGB of each over all its pixels and all its changed copies.

    Each copy is mirrored or not, moved by up to a fifth of the patch, turned by up to 20 degrees and scaled by 0.7 to
    1.4; then brightness, contrast and saturation change. What comes into the patch is the picture around it, and at the
    picture's border its outermost pixels.

    **Decisions**: m_i is one colour, the mean over pixels and copies ('the RGB means at pixel-level across different
    patches'). Changes of colour are linear in RGB, so they are made to the mean of each copy; that single bright pixels
    saturate is left out.

    Args:
        picture: uint8 RGB [128, 64, 3].
        changes: K, copies of each patch.
        rng: source of all randomness.

    Returns:
        Float32 [4, 3], from 0 to 255; the patches row by row.
    """
    height, width = SIZE[0] // 2, SIZE[1] // 2
    shape = (PATCHES, changes, 1)
    mirror = rng.choice((-1.0, 1.0), shape)
    scale, angle = rng.uniform(*SCALE, shape), np.radians(rng.uniform(-ANGLE, ANGLE, shape))
    down, across = rng.uniform(-SHIFT, SHIFT, shape) * height, rng.uniform(-SHIFT, SHIFT, shape) * width
    y = np.repeat(np.arange(0, height, _STEP), width // _STEP) - (height - 1) / 2  # about the patch's middle
    x = np.tile(np.arange(0, width, _STEP), height // _STEP) - (width - 1) / 2
    top, left = (side.reshape(PATCHES, 1, 1) for side in np.divmod(np.arange(PATCHES), 2))
    sine, cosine = np.sin(angle) / scale, np.cos(angle) / scale
    rows = top * height + (height - 1) / 2 + down + cosine * y + sine * (mirror * x)
    columns = left * width + (width - 1) / 2 + across - sine * y + cosine * (mirror * x)
    rows = np.clip(np.rint(rows), 0, SIZE[0] - 1).astype(np.intp)
    columns = np.clip(np.rint(columns), 0, SIZE[1] - 1).astype(np.intp)
    means = picture[rows, columns].mean(axis=2, dtype=np.float32)  # [4, K, 3]
    brightness, contrast, saturation = rng.uniform(1 - JITTER, 1 + JITTER, (3, *shape)).astype(np.float32)
    means = means * brightness
    for factor in (contrast, saturation):  # both draw the mean towards its grey, contrast as saturation
        grey = (means @ _GREY)[..., None]
        means = grey + (means - grey) * factor
    colours: NDArray[np.float32] = np.clip(means, 0, 255).mean(axis=1)
    return colours
