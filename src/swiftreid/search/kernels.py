"""Low-level calls of the search kernels: native ones where they are built, NumPy elsewhere, and which is used."""

from __future__ import annotations

import os
import warnings
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search import distances
from swiftreid.search.codes import check_packed
from swiftreid.search.stages import Stage

VARIABLE = "SWIFTREID_KERNEL"
MAX_SLICED_BYTES = 24
BLOCK = 512


@cache
def native_module() -> ModuleType | None:
    """The compiled kernels; None, with one warning, where they are not built."""
    try:
        from swiftreid import _native as native
    except ImportError as error:
        warnings.warn(
            f"SwiftReID's native search kernels are not available ({error}); searches run in NumPy, many times "
            "slower. Reinstall with a C++20 compiler present to build them.",
            RuntimeWarning,
            stacklevel=3,
        )
        return None
    return native


def available_kernels() -> list[str]:
    """Names that this machine can run, quickest first: of ``avx512 avx2 neon portable`` some, ``reference`` always."""
    return list(_available())


@cache
def _available() -> tuple[str, ...]:
    native = native_module()
    return (*(native.kernels() if native else ()), "reference")


@cache
def _from_environment() -> str | None:
    return os.environ.get(VARIABLE)


def active_kernel(name: str | None = None) -> str:
    """The kernel that a call with ``kernel=name`` uses: that one, else ``SWIFTREID_KERNEL``, else the quickest.

    The environment is looked at once.

    Raises:
        UsageError: the kernel asked for does not exist or does not run on this machine.
    """
    wanted = name or _from_environment()
    if wanted == "reference":
        return wanted  # without touching, and so without warning about, the native module
    able = _available()
    if not wanted:
        return able[0]
    if wanted not in able:
        source = f"kernel={name!r}" if name else f"{VARIABLE}={wanted}"
        raise UsageError(f"{source} cannot be used here; this machine runs: {', '.join(able)}")
    return wanted


def hamming(
    column: NDArray[np.uint8], queries: NDArray[np.uint8], name: str | None = None, *, kernel: str | None = None
) -> NDArray[np.int32]:
    """Hamming distances of packed rows.

    Args:
        column: uint8 [n, b].
        queries: uint8 [q, b].
        name: the code's name, to check widths against; without it any b that is a multiple of 4 will do.
        kernel: forces a kernel (see `active_kernel`).

    Returns:
        int32 [q, n], in bits.

    Raises:
        UsageError: wrong types or widths, or a kernel that is not available.
    """
    for rows in (column, queries):
        if name is not None:
            check_packed(name, rows)
        elif not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype != np.uint8:
            raise UsageError("hamming needs two-dimensional uint8 arrays of packed codes")
    if column.shape[1] != queries.shape[1] or column.shape[1] % 4 or not 0 < column.shape[1] <= 8188:
        raise UsageError(
            f"hamming needs equal row widths, a multiple of 4 bytes; got {column.shape} and {queries.shape}"
        )
    chosen = active_kernel(kernel)
    if chosen == "reference":
        return distances.hamming(column, queries)
    out = np.empty((len(queries), len(column)), np.int32)
    native = native_module()
    assert native is not None  # active_kernel named one of its kernels
    native.hamming(np.ascontiguousarray(column), np.ascontiguousarray(queries), chosen, out)
    return out


def slice_planes(column: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A column as bit planes, with which native kernels count 512 entries at once.

    Args:
        column: uint8 [n, b], contiguous, b at most `MAX_SLICED_BYTES`.

    Returns:
        uint8 [ceil(n / 512) * 512 * b]: blocks of 512 entries, in each block one line of 64 bytes for each bit. Empty
        without native kernels: the reference does not need them.
    """
    native = native_module()
    if native is None:
        return np.empty(0, np.uint8)
    rows, row_bytes = column.shape
    # Lines that begin where the processor's own do.
    planes = aligned(-(-rows // BLOCK) * BLOCK * row_bytes)
    native.slice(column, planes)
    return planes


def pick(rows: NDArray[np.uint8], bits: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Some bits of packed rows, ascending and packed: uint8 [n, b], uint16 [8 m] -> uint8 [n, m], in whole lines."""
    native = native_module()
    if native is None:
        return np.packbits(np.unpackbits(rows, axis=1, bitorder="little")[:, bits], axis=1, bitorder="little")
    out = aligned(len(rows) * (len(bits) // 8)).reshape(len(rows), len(bits) // 8)
    native.pick(np.ascontiguousarray(rows), bits, out)
    return out


def read(rows: NDArray[np.uint8]) -> None:
    """Read packed rows uint8 [n, b] as quickly as one thread can: the limit of searches that look at all of them."""
    native = native_module()
    if native is None:
        rows.view(np.uint32).max(initial=0)
    else:
        native.read(rows)


def nearest(
    rows: NDArray[np.uint8], centres: NDArray[np.uint8], *, threads: int | None = None, kernel: str | None = None
) -> NDArray[np.uint32]:
    """For each row the number of the nearest centre, the first of several: uint8 [n, b], [c, b] -> uint32 [n].

    Works on all processors unless a number of threads is given.
    """
    chosen = active_kernel(kernel)
    out = np.empty(len(rows), np.uint32)
    if chosen == "reference":
        for at in range(0, len(rows), 1024):
            out[at : at + 1024] = distances.hamming(centres, rows[at : at + 1024]).argmin(axis=1)
        return out
    native = native_module()
    assert native is not None
    native.nearest(np.ascontiguousarray(rows), centres, threads or os.cpu_count() or 1, chosen, out)
    return out


def list_order(starts: NDArray[np.uint32], order: NDArray[np.uint32]) -> Any:
    """The order of inverted lists as native searches take it, checked once; None without native kernels."""
    native = native_module()
    return None if native is None else native.ListOrder(starts, order)


def aligned(size: int, alignment: int = 64) -> NDArray[np.uint8]:
    """Memory that begins where a line of the processor's caches does, with anything in it: uint8 [size].

    Rows of 64 bytes then lie in one line each, which halves what fetching one of them costs. A gallery's files are
    arranged so; arrays that NumPy makes are not.
    """
    memory = np.empty(size + alignment, np.uint8)
    offset = -memory.ctypes.data % alignment
    return memory[offset : offset + size]


def native_column(segments: list[NDArray[Any]], planes: list[NDArray[np.uint8]] | None) -> Any:
    """A column as native searches take it, checked once; None without native kernels."""
    native = native_module()
    return None if native is None else native.Column(segments, planes)


def native_rules(stages: tuple[Stage, ...]) -> Any:
    """The rules of stages as native searches take them; None without native kernels."""
    native = native_module()
    if native is None:
        return None
    return native.Rules(
        ["all" if stage.keep == "certified" else stage.keep for stage in stages],
        [stage.amount for stage in stages],
        [stage.whole_ties for stage in stages],
    )
