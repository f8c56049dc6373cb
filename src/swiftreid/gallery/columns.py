"""Rows of codes with what filters need, as columns: the form in which the tail is stored and segments are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.meta import Layout

SEQ, CAMERA, TIME = np.dtype("<i8"), np.dtype("<i4"), np.dtype("<f8")


@dataclass(frozen=True)
class Columns:
    """Rows in gallery order.

    Attributes:
        seqs: int64 [n], the entries' sequence numbers, ascending.
        cameras: int32 [n], camera numbers; 0 marks a deleted row.
        times: float64 [n], seconds since 1970 UTC; NaN where unknown.
        codes: for each code name, uint8 [n, row bytes]; under ``embedding`` float16 or float32 [n, size], if kept.
    """

    seqs: NDArray[np.int64]
    cameras: NDArray[np.int32]
    times: NDArray[np.float64]
    codes: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.seqs)

    def take(self, rows: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Columns:
        """The rows of a slice, a boolean mask, or these rows."""
        codes = {name: column[rows] for name, column in self.codes.items()}
        return Columns(self.seqs[rows], self.cameras[rows], self.times[rows], codes)

    def to_blobs(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Seqs, cameras, times and codes as bytes, little-endian; the codes column after column."""
        codes = b"".join(np.ascontiguousarray(column).tobytes() for column in self.codes.values())
        seqs, cameras, times = self.seqs.astype(SEQ), self.cameras.astype(CAMERA), self.times.astype(TIME)
        return seqs.tobytes(), cameras.tobytes(), times.tobytes(), codes


def from_blobs(layout: Layout, rows: int, blobs: Sequence[Any]) -> Columns:
    """The inverse of `Columns.to_blobs`.

    Raises:
        ValueError: a blob has not the length that ``rows`` and ``layout`` ask for.
    """
    columns = layout.columns
    width = sum(dtype.itemsize * values for dtype, values in columns.values())
    needed = [rows * SEQ.itemsize, rows * CAMERA.itemsize, rows * TIME.itemsize, rows * width]
    if [len(blob) for blob in blobs] != needed:
        raise ValueError(f"{rows} rows need {needed} bytes, found {[len(blob) for blob in blobs]}")
    codes: dict[str, NDArray[Any]] = {}
    start = 0
    for name, (dtype, values) in columns.items():
        codes[name] = np.frombuffer(blobs[3], dtype, rows * values, start).reshape(rows, values)
        start += codes[name].nbytes
    return Columns(np.frombuffer(blobs[0], SEQ), np.frombuffer(blobs[1], CAMERA), np.frombuffer(blobs[2], TIME), codes)


def empty(layout: Layout) -> Columns:
    """No rows."""
    return from_blobs(layout, 0, (b"", b"", b"", b""))


def join(layout: Layout, parts: Sequence[Columns]) -> Columns:
    """All rows of ``parts``, in order."""
    if not parts:
        return empty(layout)
    if len(parts) == 1:
        return parts[0]
    codes = {name: np.concatenate([part.codes[name] for part in parts]) for name in layout.columns}
    return Columns(
        np.concatenate([part.seqs for part in parts]),
        np.concatenate([part.cameras for part in parts]),
        np.concatenate([part.times for part in parts]),
        codes,
    )
