"""The columns that filters use: camera and time of every row of a segment, from the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.catalogue import FilterColumns, SegmentRow
from swiftreid.gallery.columns import CAMERA, TIME
from swiftreid.gallery.digests import filter_digest
from swiftreid.gallery.errors import damaged


@dataclass(frozen=True)
class CameraTimes:
    """Camera numbers, int32 [rows], 0 for a deleted row; and times, float64 [rows], NaN where unknown."""

    cameras: NDArray[np.int32]
    times: NDArray[np.float64]


def decode_filters(gallery: Path, row: SegmentRow, stored: FilterColumns | None) -> CameraTimes:
    """The filter columns of a segment.

    Raises:
        GalleryDamaged: they are missing, too short or altered.
    """
    where = f"the filter columns of segment {row.name}"
    if stored is None or (len(stored.cameras), len(stored.times)) != (
        row.rows * CAMERA.itemsize,
        row.rows * TIME.itemsize,
    ):
        raise damaged(gallery, f"{where} are missing or too short")
    if filter_digest(row.number, stored.cameras, stored.times) != stored.digest:
        raise damaged(gallery, f"{where} do not match their checksum")
    return CameraTimes(np.frombuffer(stored.cameras, CAMERA), np.frombuffer(stored.times, TIME))
