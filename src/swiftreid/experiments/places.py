"""Whose cameras a data set has: an encoder's statistics of cameras are of one place."""

from __future__ import annotations

from collections.abc import Callable

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import ReidData, Split
from swiftreid.encoding.abstract import Cameras, Encoder

CamerasOf = Callable[[Split], Cameras | None]
"""The names of samples' cameras, as far as an encoder knows them; None if it knows none of them."""


def cameras_of(encoder: Encoder, data: ReidData) -> CamerasOf:
    """Names of cameras for an encoder that knows those of this data set; of all others None.

    Another place may have cameras of the same names, ``1`` and ``2``: statistics of one are wrong for the other.
    """
    if not encoder.knows_cameras or encoder.cameras_from != fingerprint_of(data):
        return lambda _: None
    return data.cameras_called
