"""k-reciprocal re-ranking from the paper's formulas and the released code's quirks, dense, one picture at a time."""

from __future__ import annotations

import numpy as np


def order(distances: np.ndarray, own: int) -> list[int]:
    """Pictures by distance, then by number; itself first, also where others equal it."""
    return sorted(range(len(distances)), key=lambda g: (g != own, distances[g], g))


def dense_reciprocal(distances: np.ndarray, queries: int, k1: int, k2: int, lambda_: float) -> np.ndarray:
    """Final distances [queries, n - queries] from all original distances [n, n], the queries' rows first."""
    scaled = distances / np.array([[max(row) or 1] for row in distances.tolist()])
    jaccard = dense_jaccard(distances, scaled, k1, k2)
    return ((1 - lambda_) * jaccard + lambda_ * scaled)[:queries, queries:]


def dense_jaccard(distances: np.ndarray, weighing: np.ndarray, k1: int, k2: int) -> np.ndarray:
    """Jaccard distances [n, n] of encodings that are ordered by ``distances`` and weighed by ``weighing``, [n, n]."""
    count = len(distances)
    ranks = [order(distances[p], p) for p in range(count)]

    def near(p: int, k: int) -> list[int]:
        return ranks[p][: k + 1]

    def reciprocal(p: int, k: int) -> set[int]:
        return {g for g in near(p, k) if p in near(g, k)}

    half = int(np.around(k1 / 2))
    weights = np.zeros((count, count))
    for p in range(count):
        own = reciprocal(p, k1)
        expanded = set(own)
        for candidate in own:
            added = reciprocal(candidate, half)
            if 3 * len(added & own) > 2 * len(added):
                expanded |= added
        for g in expanded:
            weights[p, g] = np.exp(-weighing[p, g])
        weights[p] /= weights[p].sum()
    averaged = np.array([weights[ranks[p][:k2]].mean(axis=0) for p in range(count)])
    jaccard = np.empty((count, count))
    for p in range(count):
        for g in range(count):
            jaccard[p, g] = 1 - np.minimum(averaged[p], averaged[g]).sum() / np.maximum(averaged[p], averaged[g]).sum()
    return jaccard
