"""Certified search: the exhaustive result except with a stated probability, from half of the bits.

The same bits, chosen at random once, are kept a second time for every entry: its *sample*. An entry that differs from
the query in D of its N bits differs in X of the m sampled ones, and X follows the hypergeometric distribution. So
``t(D)``, the least number with ``P(X > t(D)) <= chance``, bounds how many bits of a sample differ where D bits of the
whole differ. An entry with more than ``t(D)`` differing bits in its sample is further away than D, except with that
probability.

A search orders entries by ``max(D, u(X))`` where ``u(X)`` is the least D with ``t(D) >= X``, and compares whole codes
only where ``u(X)`` is below the k-th best so far. The result is the exhaustive one if none of the k closest has
``u(X) > D``. Each has with probability ``chance`` at most, so with ``chance = miss / k`` none has, with probability
``1 - miss`` at least. The probability is over the choice of bits, which no code had a part in; it holds for each query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.search.sampling import sampled_bits, split, tables
from swiftreid.search.table import CodeTable

MANY_ENTRIES = 131_072
"""Caches hold smaller galleries: it is quicker to read whole rows than to wait for some. The result is equal."""


@dataclass(frozen=True)
class BitSample:
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
    def of(cls, code: str, queries: NDArray[np.uint8], chance: float) -> BitSample:
        """The sample of some queries' codes, uint8 [q, row bytes], for a chance to miss one entry."""
        bits = 8 * queries.shape[1]
        most, least = tables(bits, len(sampled_bits(bits)[0]), chance)
        return cls(code, *split(queries), most, least)

    def native(self, table: CodeTable) -> tuple[Any, ...]:
        """As the native kernels take it."""
        first = len(table) >= MANY_ENTRIES
        return *table.native_sample(self.code), self.queries, self.rests, self.most, self.least, first
