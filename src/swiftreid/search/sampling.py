"""Which bits of a code certified search samples, and what a sample says of the whole (see `certified`)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swiftreid.search import kernels

SHARE = 0.5
"""Of the bits are sampled: fewer let too many entries pass, more take longer to read (docs/engine.md)."""

_SEED = 20_480_512


@lru_cache(maxsize=16)
def sampled_bits(bits: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Which bits of a code are sampled, half of them and a multiple of 128, and the others; ascending."""
    count = max(1, int(bits * SHARE) // 128) * 128
    order = np.random.default_rng([_SEED, bits]).permutation(bits).astype(np.uint16)
    return np.sort(order[:count]), np.sort(order[count:])


def split(rows: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The sampled bits of rows uint8 [n, row bytes], and the others: uint8 [n, sample bytes], uint8 [n, the rest]."""
    chosen, others = sampled_bits(8 * rows.shape[1])
    return kernels.pick(rows, chosen), kernels.pick(rows, others)


@lru_cache(maxsize=64)
def tables(bits: int, sampled: int, chance: float) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """``t(D)``, uint16 [bits + 1], and ``u(X)``, uint16 [sampled + 1], for a chance above 0 and below 1."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, bits + 1)))])

    def ways(total: NDArray[np.int64], part: NDArray[np.int64]) -> NDArray[np.float64]:
        """Logarithm of the number of ways to choose a part of a total; -inf where there is none."""
        able = (part >= 0) & (part <= total)
        inside = np.where(able, part, 0)
        logs = factorials[total] - factorials[inside] - factorials[total - inside]
        return np.where(able, logs, -np.inf)

    most = np.empty(bits + 1, np.int64)
    differing = np.arange(sampled + 1)[None]
    for start in range(0, bits + 1, 256):
        distance = np.arange(start, min(start + 256, bits + 1))[:, None]
        logs = ways(distance, differing) + ways(bits - distance, sampled - differing)
        logs -= ways(np.array(bits), np.array(sampled))
        # tail[D, x] = P(X > x), from the far end so that small numbers are added first; and a little more than rounding
        # could hide.
        tail = np.zeros((len(distance), sampled + 1))
        tail[:, :-1] = np.cumsum(np.exp(logs)[:, :0:-1], axis=1)[:, ::-1] * (1 + 1e-6)
        most[distance[:, 0]] = np.argmax(tail <= chance, axis=1)  # the first; X > sampled never happens
    most = np.maximum.accumulate(most)  # it grows with D anyway
    least = np.searchsorted(most, np.arange(sampled + 1))
    return most.astype(np.uint16), least.astype(np.uint16)
