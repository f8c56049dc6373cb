"""Random erasing: a rectangle of a picture becomes the mean, so that no single part is relied upon."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

SMALLEST: Final = 0.02
"""s_l, of the picture's area."""

LARGEST: Final = 0.4
"""s_h, of the picture's area."""

ASPECT: Final = 0.3
"""r_1: height over width is from r_1 to 1 / r_1."""

ATTEMPTS: Final = 100

SAMPLER: Final = "aspect ratio uniform, drawn again until the rectangle fits (Zhong et al. 2020, as re-ID toolboxes do)"
"""For the cards of encoders: those trained before this sampler took another."""


def erased(values: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Random erasing (Zhong et al., 'Random Erasing Data Augmentation', AAAI 2020) with the sampler of re-ID toolboxes.

    Height and width come from `rectangles`; the place is uniform among those where the rectangle lies in the picture.
    Re-ID toolboxes such as torchreid sample so, and with them the figures that papers report are made. The paper's
    Algorithm 1 also draws again where the place does not fit, which makes large rectangles rarer. torchvision draws the
    logarithm of the aspect ratio uniformly, which makes rectangles flatter: on pictures twice as high as wide the
    median height over width is 1.9 here.

    Args:
        values: normalised pictures, float [n, c, h, w]: 0 is the mean.
        share: of the pictures that lose a rectangle.
        generator: source of all randomness; on the processor.

    Returns:
        Float [n, c, h, w], newly allocated.
    """
    count, _, height, width = values.shape
    tall, wide = rectangles(count, height, width, generator)
    top = (torch.rand(count, generator=generator) * (height - tall + 1)).floor()
    left = (torch.rand(count, generator=generator) * (width - wide + 1)).floor()
    chosen = torch.rand(count, generator=generator) < share
    rows, columns = torch.arange(height).view(1, -1, 1), torch.arange(width).view(1, 1, -1)

    def inside(place: Tensor, start: Tensor, size: Tensor) -> Tensor:
        return (place >= start.view(-1, 1, 1)) & (place < (start + size).view(-1, 1, 1))

    hit = inside(rows, top, tall) & inside(columns, left, wide) & chosen.view(-1, 1, 1)
    return values.masked_fill(hit.unsqueeze(1).to(values.device), 0.0)


def rectangles(count: int, height: int, width: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Heights and widths in whole pixels of rectangles smaller than a picture, float [count] each.

    The area is uniform from `SMALLEST` to `LARGEST` of the picture's, the aspect ratio uniform from `ASPECT` to its
    inverse; both are drawn anew, up to `ATTEMPTS` times, until height and width are below the picture's. Where none
    fits, both are 0.
    """
    # One draw for all attempts: few pictures need more than two, but a thousand random numbers cost next to nothing.
    draws = torch.rand(2, ATTEMPTS, count, generator=generator)
    area = (SMALLEST + (LARGEST - SMALLEST) * draws[0]) * height * width
    aspect = ASPECT + (1 / ASPECT - ASPECT) * draws[1]
    tall, wide = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (tall < height) & (wide < width)
    first = fits.int().argmax(dim=0, keepdim=True)  # the first of the largest
    found = fits.any(dim=0)
    return tall.gather(0, first)[0] * found, wide.gather(0, first)[0] * found
