"""Code specs and bit packing: what a binary code is, byte by byte (design.md, 'Codes')."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError

_NAME = re.compile(r"[a-z]+([1-9]\d*)")
_BYTES = np.dtype(np.uint8)


@lru_cache(maxsize=1024)  # a search asks often, and there are few names
def bits_of(name: str) -> int:
    """Bit length that a code's name states: ``bits_of("id2048") == 2048``."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise UsageError(f"code name {name!r} is not letters followed by a bit length, as in 'id128' or 'attr30'")
    return int(match[1])


@lru_cache(maxsize=1024)
def row_bytes_of(name: str) -> int:
    """Bytes of one packed row: the bits rounded up to whole bytes, padded to a multiple of 4."""
    return (bits_of(name) + 31) // 32 * 4


@dataclass(frozen=True)
class CodeSpec:
    """The ordered code names of an encoder, shortest first, for example ``id32 id128 id512 id2048``.

    Example:
        >>> spec = CodeSpec.parse("id32 id128")
        >>> spec.row_bytes
        {'id32': 4, 'id128': 16}
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in self.names:
            bits_of(name)
        if len(set(self.names)) != len(self.names):
            raise UsageError(f"code spec {str(self)!r} names a code twice")

    @classmethod
    def parse(cls, text: str) -> CodeSpec:
        """Read a spec from its text form, names separated by spaces."""
        return cls(tuple(text.split()))

    def __str__(self) -> str:
        return " ".join(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def final(self) -> str:
        """The code that results are ordered by: the longest identity code."""
        persons = [name for name in self.names if not name.startswith("attr")]
        return (persons or list(self.names))[-1]

    @property
    def row_bytes(self) -> dict[str, int]:
        """Bytes per entry of each packed code."""
        return {name: row_bytes_of(name) for name in self.names}

    def check(self, codes: Mapping[str, NDArray[np.uint8]]) -> int:
        """Check that ``codes`` holds exactly this spec's columns with equal row counts; return that count.

        Raises:
            UsageError: a code is missing, unknown, or has the wrong type, width or row count.
        """
        if set(codes) != set(self.names):
            raise UsageError(f"codes {' '.join(codes) or '(none)'} do not match the code spec {self}")
        counts = {check_packed(name, codes[name]) for name in self.names}
        if len(counts) > 1:
            raise UsageError(f"codes have different numbers of rows: { {n: len(codes[n]) for n in self.names} }")
        return counts.pop() if counts else 0


def check_packed(name: str, packed: NDArray[np.uint8]) -> int:
    """Check type, rank and width of one packed code column; return its number of rows."""
    if not isinstance(packed, np.ndarray) or packed.dtype != _BYTES or packed.ndim != 2:
        shape, kind = getattr(packed, "shape", None), getattr(packed, "dtype", type(packed).__name__)
        raise UsageError(f"code {name} must be a two-dimensional uint8 array, got {kind} of shape {shape}")
    rows: int
    rows, width = packed.shape
    if width != row_bytes_of(name):
        raise UsageError(f"code {name} needs {row_bytes_of(name)} bytes a row ({bits_of(name)} bits), got {width}")
    return rows


def pack_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Pack ``values > 0`` of shape [n, bits] into uint8 [n, row bytes]: little-endian bits, zero padding to 4 bytes.

    Raises:
        UsageError: ``values`` is not two-dimensional, or holds NaN (which has no sign).
    """
    values = np.asarray(values)
    if values.ndim != 2:
        raise UsageError(f"pack_bits needs values of shape [n, bits], got {values.shape}")
    if np.issubdtype(values.dtype, np.floating) and bool(np.isnan(values).any()):
        raise UsageError("pack_bits got NaN: the encoder's output is broken, so no code can be made from it")
    positive: NDArray[np.bool_] = np.greater(values, 0)
    packed = np.packbits(positive, axis=1, bitorder="little")
    padding = -packed.shape[1] % 4
    return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, padding))))


def unpack_bits(packed: NDArray[np.uint8], bits: int) -> NDArray[np.bool_]:
    """The inverse of `pack_bits`: uint8 [n, row bytes] -> bool [n, bits]."""
    return np.unpackbits(packed, axis=1, count=bits, bitorder="little").astype(bool)
