"""Random-hyperplane codes: the sign of projections on fixed random directions, for embeddings without training.

The angle between two embeddings decides the expected share of differing bits (Charikar 2002), so these codes keep
the embedding's own ranking, less noise that shrinks with length.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search.codes import CodeSpec, bits_of

DEFAULT_SPEC: Final = "id32 id128 id512 id2048"
"""Codes of an encoder of which nothing else is stated."""

_MOST: Final = 1 << 28
"""Numbers in all hyperplanes of an encoder, a GiB: a file cannot ask for more memory."""


def random_signs(rows: int, columns: int, seed: int) -> NDArray[np.float32]:
    """A [rows, columns] matrix of -1 and +1 from SHAKE-256, the same on every machine and NumPy version."""
    count = rows * columns
    stream = hashlib.shake_256(f"swiftreid hyperplanes {seed} {rows} {columns}".encode()).digest((count + 7) // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8), count=count, bitorder="little")
    return (bits.astype(np.float32) * 2 - 1).reshape(rows, columns)


class RandomHyperplanes:
    """Codes of every length in ``spec`` from one set of hyperplanes; a short code is the beginning of the longest.

    Args:
        dimension: of the embeddings.
        spec: names of the codes.
        seed: of the hyperplanes.

    Raises:
        UsageError: there is no code, or the hyperplanes would take more than a GiB.
    """

    def __init__(self, dimension: int, spec: CodeSpec, seed: int = 0) -> None:
        longest = max(bits_of(name) for name in spec) if len(spec) else 0
        if not longest or dimension * longest > _MOST:
            raise UsageError(
                f"codes {str(spec)!r} of {dimension} numbers need {longest} hyperplanes: at most {_MOST:,} numbers"
            )
        self._spec = spec
        self._planes = random_signs(dimension, longest, seed)

    def values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """float32 [n, dimension] -> for each code float32 [n, bits], the projections whose signs are its bits."""
        projected = embedding @ self._planes
        return {name: projected[:, : bits_of(name)] for name in self._spec}
