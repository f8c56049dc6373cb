"""A picture with one patch after the other covered: what changes with a patch depends on it (occlusion maps).

Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 4.2. It asks nothing of an
encoder but to encode, so that it works with any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from swiftreid.errors import UsageError

Fill = Literal["mean", "blur"]

BATCH: Final = 32
"""Covered copies at a time: bounds the memory, and lets a progress bar move."""


@dataclass(frozen=True)
class Windows:
    """Square patches laid over a picture in rows and columns, which overlap and leave no pixel out.

    Attributes:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        patch: side of a patch, in pixels.
        tops: first pixel row of each row of patches, ascending.
        lefts: first pixel column of each column of patches, ascending.
    """

    height: int
    width: int
    patch: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        """Pixel rows and columns of each patch, row by row."""
        for top in self.tops:
            for left in self.lefts:
                yield slice(top, top + self.patch), slice(left, left + self.patch)

    def spread(self, changes: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each pixel takes part in: the mean over the patches that hold it.

        Args:
            changes: one number a patch, float32 [rows of patches, columns of patches].

        Returns:
            float32 [height, width].

        Raises:
            UsageError: ``changes`` has another shape.
        """
        if changes.shape != (len(self.tops), len(self.lefts)):
            raise UsageError(f"{len(self.tops)} x {len(self.lefts)} patches cannot have changes {changes.shape}")
        total, held = np.zeros((2, self.height, self.width))
        for place, change in zip(self, changes.ravel().tolist(), strict=True):
            total[place] += change
            held[place] += 1
        return (total / held).astype(np.float32)


@dataclass(frozen=True)
class Covering:
    """How patches are laid and what covers them.

    Attributes:
        patch: side of a patch in pixels of the picture as the encoder takes it; None: a quarter of its shorter side.
        stride: pixels from one patch to the next; None: half a patch.
        fill: ``mean`` covers with the picture's mean colour; ``blur`` with a blurred copy of what is there, which hides
            shape and texture but leaves colour.
    """

    patch: int | None = None
    stride: int | None = None
    fill: Fill = "mean"

    def windows(self, height: int, width: int) -> Windows:
        """Patches over a picture of that many pixels; the last of each row and column end at its border.

        Raises:
            UsageError: the patch is larger than the picture, or the stride larger than the patch.
        """
        shorter = min(height, width)
        patch = max(1, shorter // 4) if self.patch is None else self.patch
        if not 1 <= patch <= shorter:
            raise UsageError(
                f"a patch of {patch} pixels does not fit pictures of {height} x {width}: 1 to {shorter} do"
            )
        stride = max(1, patch // 2) if self.stride is None else self.stride
        if not 1 <= stride <= patch:
            raise UsageError(
                f"patches of {patch} pixels take a stride of 1 to {patch}, got {stride}: a larger one leaves gaps"
            )
        return Windows(height, width, patch, _starts(height, patch, stride), _starts(width, patch, stride))

    def copies(self, picture: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        """Copies of uint8 [h, w, 3], each with one patch covered, in batches uint8 [n, h, w, 3] of at most `BATCH`.

        Raises:
            UsageError: there is no such fill, or as `windows` raises.
        """
        windows = self.windows(*picture.shape[:2])
        cover = self._cover(picture, windows.patch)
        places = list(windows)
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            copies = np.repeat(picture[None], len(batch), axis=0)
            for copy, place in zip(copies, batch, strict=True):
                copy[place] = cover[place]
            yield copies

    def _cover(self, picture: NDArray[np.uint8], patch: int) -> NDArray[np.uint8]:
        """What shows in a patch instead of the picture, uint8 [h, w, 3]."""
        if self.fill not in get_args(Fill):
            raise UsageError(f"patches are filled with {' or '.join(get_args(Fill))}, not with {self.fill!r}")
        if self.fill == "blur":
            return np.array(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(patch / 2)))
        mean = np.rint(picture.mean(axis=(0, 1))).astype(np.uint8)
        return np.broadcast_to(mean, picture.shape)


def _starts(length: int, patch: int, stride: int) -> tuple[int, ...]:
    last = length - patch
    return (*range(0, last, stride), last)
