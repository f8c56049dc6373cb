"""Rankings by float embeddings: the exhaustive reference that codes are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError


def rank_by_embedding(
    query: NDArray[np.float32], gallery: NDArray[np.float32], *, block: int = 64
) -> Iterator[NDArray[np.int64]]:
    """Rank the whole gallery by cosine for each query, ``block`` queries at a time (memory: ``block`` x n float32).

    Entries at exactly the same distance keep the order of the gallery. Distances come from a matrix product in float32,
    so two equal embeddings may differ in the last digit.

    Args:
        query: float32 [q, d].
        gallery: float32 [n, d].
        block: queries per matrix product. A zero vector is at distance 1 from everything.

    Yields:
        Gallery positions, nearest first, int64 [n], one array per query.

    Raises:
        UsageError: shapes that do not fit together, values that are not finite.
    """
    return map(stable_order, distances_by_embedding(query, gallery, block=block))


def distances_by_embedding(
    query: NDArray[np.float32], gallery: NDArray[np.float32], *, block: int = 64
) -> Iterator[NDArray[np.float32]]:
    """What `rank_by_embedding` ranks by: for each query minus the cosine to every entry, float32 [n].

    Raises:
        UsageError: as for `rank_by_embedding`.
    """
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        raise UsageError(f"embeddings must be [q, d] and [n, d], got {query.shape} and {gallery.shape}")
    if block < 1:
        raise UsageError(f"block must be at least 1, got {block}")
    for name, vectors in (("query", query), ("gallery", gallery)):
        if not bool(np.isfinite(vectors).all()):
            raise UsageError(f"{name} embeddings hold NaN or infinity: the encoder's output is broken")
    return _distances(unit_length(query), unit_length(gallery), block)


def _distances(query: NDArray[np.float32], gallery: NDArray[np.float32], block: int) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(query), block):
        yield from -(query[start : start + block] @ gallery.T)  # ranks like 1 - q.g


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors float32 [n, d] divided by their lengths; a zero vector stays what it is."""
    vectors = vectors.astype(np.float32, copy=False)
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
