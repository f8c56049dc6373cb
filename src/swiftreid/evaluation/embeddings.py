"""Rankings by float embeddings: the exhaustive reference that codes are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError

Distance = Literal["cosine", "euclidean"]


def rank_by_embedding(
    query: NDArray[np.float32], gallery: NDArray[np.float32], *, block: int = 64, distance: Distance = "cosine"
) -> Iterator[NDArray[np.int64]]:
    """Rank the whole gallery for each query, a block of queries at a time (memory: ``block`` x n float32 values).

    Entries at exactly the same distance keep the order of the gallery. Distances come from a matrix product in float32,
    so two equal embeddings may differ in the last digit.

    Args:
        query: float32 [q, d].
        gallery: float32 [n, d].
        block: queries per matrix product.
        distance: "cosine" (a zero vector is at distance 1 from everything), or "euclidean".

    Yields:
        Gallery positions, nearest first, int64 [n], one array per query.

    Raises:
        UsageError: shapes that do not fit together, values that are not finite, or an unknown distance.
    """
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        raise UsageError(f"embeddings must be [q, d] and [n, d], got {query.shape} and {gallery.shape}")
    if distance not in ("cosine", "euclidean") or block < 1:
        raise UsageError(f"distance must be 'cosine' or 'euclidean' and block at least 1, got {distance!r} and {block}")
    for name, vectors in (("query", query), ("gallery", gallery)):
        if not bool(np.isfinite(vectors).all()):
            raise UsageError(f"{name} embeddings hold NaN or infinity: the encoder's output is broken")
    return _ranked(query.astype(np.float32, copy=False), gallery.astype(np.float32, copy=False), block, distance)


def _ranked(
    query: NDArray[np.float32], gallery: NDArray[np.float32], block: int, distance: Distance
) -> Iterator[NDArray[np.int64]]:
    if distance == "cosine":
        query, gallery = _unit(query), _unit(gallery)
    lengths = np.zeros(len(gallery), np.float32)
    if distance == "euclidean":
        np.einsum("nd,nd->n", gallery, gallery, out=lengths)
    for start in range(0, len(query), block):
        # |g|^2 - 2 q.g ranks like |q - g|, and for unit vectors -2 q.g ranks like 1 - q.g.
        distances = lengths - 2 * (query[start : start + block] @ gallery.T)
        for row in distances:
            yield stable_order(row)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return np.divide(vectors, np.where(norms > 0, norms, np.float32(1)), dtype=np.float32)


def stable_order(distances: NDArray[np.float32]) -> NDArray[np.int64]:
    """Positions by ascending distance, ties by position; the same as a stable argsort, several times as quick.

    Distance and position are packed into one 64-bit key, because NumPy sorts those with vector instructions.
    """
    bits = (distances + np.float32(0)).astype(np.float32, copy=False).view(np.uint32)  # + 0 turns -0.0 into 0.0
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))
    keys = (rising.astype(np.uint64) << np.uint64(32)) | np.arange(len(distances), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
