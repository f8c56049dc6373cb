"""Certified search: the exhaustive result but for a stated chance, from half of the bits.

The same bits, chosen at random once and for all, are kept a second time for every entry: its *sample*. An entry that
differs from the query in D of its N bits differs in X of the m sampled ones, and X follows the hypergeometric
distribution. So ``t(D)``, the least number with ``P(X > t(D)) <= chance``, says how many bits of a sample may differ at
most where D bits of the whole differ; and an entry whose sample differs in more than ``t(D)`` bits is further away than
D, but for that chance.

A search orders entries by ``max(D, u(X))`` where ``u(X)`` is the least D with ``t(D) >= X``, and compares whole codes
only where ``u(X)`` is below the k-th best so far. The result is the exhaustive one if none of the k closest has
``u(X) > D``. Each has with probability ``chance`` at most, so with ``chance = miss / k`` none has, with probability
``1 - miss`` at least. The probability is over the choice of bits, which no code had a part in; it holds for each query.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.search import kernels

if TYPE_CHECKING:
    from swiftreid.search.table import CodeTable

SHARE = 0.5
"""Of the bits are sampled: fewer let too many entries pass, more take longer to read (docs/engine.md)."""

MANY_ENTRIES = 131_072
"""Smaller galleries are held by caches: it is quicker to read whole rows than to wait for some. The result is equal."""

_SEED = 20_480_512


@dataclass(frozen=True)
class Sample:
    """What a certified search needs besides codes.

    Attributes:
        code: name of the code.
        queries: uint8 [q, sample bytes].
        rests: uint8 [q, row bytes - sample bytes], the bits that are not in the sample.
        most: uint16 [bits + 1], ``t(D)``.
        least: uint16 [sample bits + 1], ``u(X)``.
    """

    code: str
    queries: NDArray[np.uint8]
    rests: NDArray[np.uint8]
    most: NDArray[np.uint16]
    least: NDArray[np.uint16]

    @classmethod
    def of(cls, code: str, queries: NDArray[np.uint8], chance: float) -> Sample:
        """The sample of some queries' codes, uint8 [q, row bytes], for a chance to miss one entry."""
        bits = 8 * queries.shape[1]
        most, least = tables(bits, len(sampled_bits(bits)[0]), chance)
        return cls(code, *split(queries), most, least)

    def native(self, table: CodeTable) -> tuple[Any, ...]:
        """As the native kernels take it."""
        first = len(table) >= MANY_ENTRIES
        return *table.native_sample(self.code), self.queries, self.rests, self.most, self.least, first


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
