"""Distances in NumPy, written to be read. Native kernels agree with them bit for bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hamming(column: NDArray[np.uint8], queries: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Hamming distances of packed rows: uint8 [n, b] and uint8 [q, b] -> int32 [q, n]."""
    out = np.empty((len(queries), len(column)), np.int32)
    for row, query in zip(out, queries, strict=True):
        row[:] = np.bitwise_count(column ^ query).sum(axis=1, dtype=np.int32)
    return out


def weighted(column: NDArray[np.uint8], query: NDArray[np.uint8], weights: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Sums of the weights of the bits that differ: uint8 [n, b], [b] and [8 b] -> int32 [n]."""
    differs = np.unpackbits(column ^ query, axis=1, bitorder="little").astype(np.int32)
    sums: NDArray[np.int32] = differs @ weights.astype(np.int32)
    return sums


def cosine(rows: NDArray[np.float16] | NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine distances of embeddings: [n, size] and [size] -> float32 [n], 0 to 2.

    Sums are kept as sixteen running sums, entry i in sum i % 16, folded in halves, so that every kernel can give the
    same bits.
    """
    values = rows.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        lengths = np.sqrt(_running_sum(query[None] * query[None])) * np.sqrt(_running_sum(values * values))
        distances = np.float32(1) - _running_sum(values * query) / lengths
        positive = np.where(distances > 0, distances, np.float32(0))
    # A vector of zeros or of what is not a number has no angle: it is neither close nor far.
    return np.where((lengths > 0) & ~np.isnan(distances), positive, np.float32(1))


def _running_sum(products: NDArray[np.float32]) -> NDArray[np.float32]:
    count, size = products.shape
    sums = np.zeros((count, 16), np.float32)
    for at in range(0, size, 16):
        some = products[:, at : at + 16]
        sums[:, : some.shape[1]] += some
    for half in (8, 4, 2, 1):
        sums[:, :half] += sums[:, half : 2 * half]
    return sums[:, 0]
