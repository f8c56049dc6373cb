"""Crops as callers have them, lists of arrays of any size, made into what an encoder takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.pictures import resize
from swiftreid.errors import UsageError

Colour = Literal["rgb", "bgr"]
"""Order of a crop's channels: OpenCV's arrays are ``bgr``."""

Crops = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
"""Crops uint8 [h, w, 3] of any size in a list, or one array [n, h, w, 3]."""

Inputs = Crops | NDArray[np.floating[Any]]
"""What encoders take: crops, or float vectors [n, d]."""


def pictures_of(crops: Crops | Any, height: int, width: int, colour: Colour) -> NDArray[np.uint8]:
    """Crops of any size as one array of RGB pictures, uint8 [n, height, width, 3], scaled as picture files are.

    Raises:
        UsageError: a crop has another type or shape than uint8 [h, w, 3], or no pixels; or there is no such colour.
    """
    if colour not in get_args(Colour):
        raise UsageError(f"colour is 'rgb' or 'bgr' (OpenCV's order), not {colour!r}")
    if isinstance(crops, np.ndarray):
        if crops.ndim == 3:
            raise UsageError(
                f"encode takes a list of crops, but this is one crop of shape {crops.shape}: encode([crop])"
            )
        _check(crops, "the array of crops", 4)
    elif not isinstance(crops, Sequence) or isinstance(crops, (str, bytes)):
        raise UsageError(
            f"encode takes a list of crops, uint8 arrays [h, w, 3], not {type(crops).__name__}: read files with "
            "swiftreid.read_picture"
        )
    else:
        for place, crop in enumerate(crops):
            _check(crop, f"crop {place}", 3)
    if not len(crops):
        return np.zeros((0, height, width, 3), np.uint8)
    if not isinstance(crops, np.ndarray) or crops.shape[1:3] != (height, width):
        crops = np.stack([resize(crop, height, width) for crop in crops])
    return crops[..., ::-1] if colour == "bgr" else crops


def _check(crop: Any, what: str, dimensions: int) -> None:
    if not isinstance(crop, np.ndarray):
        raise UsageError(
            f"{what} is of type {type(crop).__name__}, not a NumPy array: numpy.asarray(picture.convert('RGB')) makes "
            "one of a Pillow image, tensor.permute(1, 2, 0).cpu().numpy() of a tensor"
        )
    if crop.dtype != np.uint8:
        advice = "(crop * 255).round().astype(numpy.uint8) where they are 0 to 1"
        advice = advice if crop.dtype.kind == "f" else "crop.astype(numpy.uint8) where they are 0 to 255"
        raise UsageError(f"pixels are uint8, 0 to 255, but {what} is {crop.dtype}: {advice}")
    expected = "[n, h, w, 3]" if dimensions == 4 else "[h, w, 3]"
    if crop.ndim != dimensions or crop.shape[-1] != 3:
        raise UsageError(
            f"{what} has the shape {crop.shape}, not {expected}: numpy.repeat(grey[..., None], 3, axis=-1) makes three "
            "channels of grey ones, crop[..., :3] leaves transparency out"
        )
    if 0 in crop.shape[dimensions - 3 :]:
        raise UsageError(
            f"{what} has no pixels, its shape is {crop.shape}: its box lies outside of the frame; clip boxes to the "
            "frame, and leave out empty ones"
        )
