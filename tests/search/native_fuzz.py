"""Calls the native module with arguments that make no sense; run by tests in a process of its own, which may crash.

Usage: native_fuzz.py LOG EXAMPLES [MODULE]. Before each call the file LOG says what is called, so that a crash can be
told. MODULE is another build of the native module. Wrong arguments must raise one of `ERRORS`, or do no harm: what lies
around the result arrays must not change.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ERRORS = (TypeError, ValueError, OverflowError, RuntimeError, MemoryError)
GUARD = 64
WIDTHS = (4, 12, 16, 64)

NUMBERS = [0, 1, -1, 2, 7, 2**31, 2**32 - 1, 2**32, 2**52, 2**63 - 1, 2**64 - 1, 2**64, 10**40, 0.5, -0.5, 1.5, 1e300]
NUMBERS += [float("nan"), float("inf"), float("-inf"), True, np.int8(3), np.float32(2.0), 1j]
OTHERS = [
    None,
    "",
    "search",
    "top",
    "portable",
    "\udcff",
    b"all",
    [],
    [None],
    [[]],
    {},
    (),
    object(),
    range(3),
    "x" * 999,
]
DTYPES = ["u1", "i1", "u2", "i4", "i8", ">i4", "f2", "f4", "f8", "?", "c8", "O", "S3", "M8[s]", "u1,u1"]


def shaped(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.zeros(shape, dtype)


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """Any array: of any type, number of dimensions and strides, empty ones and views that go backwards included."""
    shape = tuple(draw(st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 8, 12, 16, 64, 512, 2048]), max_size=3)))
    if int(np.prod(shape)) > 1 << 20:
        shape = shape[:2]
    array = shaped(shape, draw(st.sampled_from(DTYPES)))
    kind = draw(
        st.sampled_from(["plain", "plain", "backwards", "fortran", "broadcast", "read-only", "every other", "odd"])
    )
    if kind == "read-only":
        array.setflags(write=False)
    elif kind == "fortran":
        array = np.asfortranarray(array)
    elif kind == "broadcast":
        array = np.broadcast_to(array, (3, *shape))
    elif kind == "odd" and array.dtype.hasobject is False:
        array = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(shape)
    elif array.ndim and kind in ("backwards", "every other"):
        array = array[..., :: -1 if kind == "backwards" else 2]
    return array


nonsense = st.sampled_from(NUMBERS) | st.sampled_from(OTHERS) | arrays()
anything = nonsense | st.lists(nonsense | st.lists(arrays(), max_size=2), max_size=3)


class Guarded:
    """Result arrays with memory around them that nobody may write to."""

    def __init__(self) -> None:
        self.memories: list[tuple[np.ndarray, int]] = []

    def array(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = np.full(size + 2 * GUARD, 0xA5, np.uint8)
        self.memories.append((memory, size))
        return memory[GUARD : GUARD + size].view(dtype).reshape(shape)

    def check(self) -> None:
        for memory, size in self.memories:
            assert (memory[:GUARD] == 0xA5).all(), "written before a result array"
            assert (memory[GUARD + size :] == 0xA5).all(), "written behind a result array"


@st.composite
def searches(draw: st.DrawFn, guarded: Guarded, native: ModuleType) -> dict[str, Any]:
    """The arguments of a search that makes sense."""
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    depth, queries, width = draw(st.integers(1, 4)), draw(st.integers(0, 15)), draw(st.integers(0, 6))
    lengths = draw(st.lists(st.sampled_from([0, 1, 5, 64, 300, 513]), max_size=3))
    n = sum(lengths)
    widths = [draw(st.sampled_from(WIDTHS)) for _ in range(depth)]
    bitmap = draw(st.sampled_from([None, np.full((n + 7) // 8, 255, np.uint8), np.zeros((n + 7) // 8, np.uint8)]))
    if bitmap is not None and n % 8 and len(bitmap):
        bitmap[-1] &= (1 << n % 8) - 1
    order = draw(st.sampled_from(["search", "gallery", "stages"]))
    if order != "search":
        width = n if bitmap is None else int(np.bitwise_count(bitmap).sum())
    columns = [[rng.integers(0, 256, (rows, width), np.uint8) for rows in lengths] for width in widths]
    asked = [rng.integers(0, 256, (queries, width), np.uint8) for width in widths]
    numbers = draw(st.sampled_from([None, None, np.float16, np.float32]))
    if numbers is not None:  # the last stage compares embeddings
        columns[-1] = [column.astype(numbers) for column in columns[-1]]
        asked[-1] = asked[-1].astype(np.float32)
    keeps = [draw(st.sampled_from(["all", "threshold", "top", "share"])) for _ in widths]
    cells, scanned = None, widths[0]
    if depth > 2 and widths[1] <= 16 and order == "search" and draw(st.booleans()):  # all segments on one shelf
        keeps[:2], scanned = ["cells", "threshold"], widths[1]
        centres = rng.integers(0, 256, (3, widths[0]), np.uint8)
        starts = np.array([0, n // 3, n // 2, n], np.uint32)
        shelf = native.ShelfOrder(starts, rng.permutation(n).astype(np.uint32))
        rows = rng.integers(0, 256, (n, widths[2]), np.uint8) if numbers is None or depth > 3 else None
        cells = (centres, len(lengths), [(shelf, np.zeros(-(-n // 512) * 512 * widths[1], np.uint8), rows)])
    planes = None
    if scanned <= 16 and draw(st.booleans()):
        planes = [np.zeros(-(-rows // 512) * 512 * scanned, np.uint8) for rows in lengths]
    return {
        "columns": columns,
        "planes": planes,
        "cells": cells,
        "queries": asked,
        "keeps": keeps,
        "amounts": [draw(st.sampled_from([0.0, 0.5, 1.0])) for _ in widths],
        "whole_ties": [draw(st.booleans()) for _ in widths],
        "bitmap": bitmap,
        "min_candidates": draw(st.integers(0, 400)),
        "order": order,
        "threads": draw(st.integers(0, 4)),
        "kernel": draw(st.sampled_from(["avx2", "portable"])),
        "indices": guarded.array((queries, width), "i8"),
        "distances": guarded.array((queries, width), "i4"),
        "stages": guarded.array((queries, width), "i1"),
        "counts": guarded.array((queries,), "i8"),
        "entries_in": guarded.array((depth,), "i8"),
        "kept": guarded.array((depth,), "i8"),
        "seconds": guarded.array((depth,), "f8"),
    }


@st.composite
def calls(draw: st.DrawFn, guarded: Guarded, native: ModuleType) -> tuple[str, dict[str, Any]]:
    """A function's name and arguments, of which none to three are exchanged for anything."""
    name = draw(st.sampled_from(["cascade", "cascade", "cascade", "hamming", "slice", "nearest", "ShelfOrder"]))
    if name == "cascade":
        arguments = draw(searches(guarded, native))
    else:
        rows, queries, width = draw(st.integers(0, 700)), draw(st.integers(0, 3)), draw(st.sampled_from(WIDTHS))
        column = np.zeros((rows, width), np.uint8)
        arguments = {"rows": column, "out": guarded.array((-(-rows // 512) * 512 * width,), "u1")}
        if name == "hamming":
            arguments = {"column": column, "queries": np.zeros((queries, width), np.uint8), "kernel": "portable"}
            arguments["out"] = guarded.array((queries, rows), "i4")
        if name == "nearest":
            arguments = {"rows": column, "centres": column[:9], "kernel": "portable"}
            arguments["out"] = guarded.array((rows,), "u4")
        if name == "ShelfOrder":
            arguments = {"starts": np.array([0, 1, rows], np.uint32), "order": np.arange(rows, dtype=np.uint32)}
    for key in draw(st.lists(st.sampled_from(sorted(arguments)), max_size=3)):
        value = arguments[key]
        if isinstance(value, tuple) and value and draw(st.booleans()):  # a part of the cells, or of their shelf
            parts = [value[0], value[1], *value[2][0]]
            parts[draw(st.integers(0, 4))] = draw(nonsense)
            arguments[key] = (parts[0], parts[1], [tuple(parts[2:])])
        elif isinstance(value, list) and value and draw(st.booleans()):
            at = draw(st.integers(0, len(value) - 1))  # one of a list's values, or of a column's segments
            inner = draw(nonsense)
            if isinstance(value[at], list) and value[at] and draw(st.booleans()):
                inner = [*value[at][:-1], inner]
            arguments[key] = [*value[:at], inner, *value[at + 1 :]]
        else:
            arguments[key] = draw(anything)
    return name, arguments


def told(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array({value.dtype}, {value.shape}, strides {value.strides})"
    if isinstance(value, list):
        return f"[{', '.join(map(told, value))}]"
    return repr(value)[:80]


def main(log: Path, examples: int, native: ModuleType) -> None:
    done = {"ok": 0, "refused": 0}

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        guarded = Guarded()
        name, arguments = data.draw(calls(guarded, native))
        described = "\n".join(f"  {key}: {told(value)}" for key, value in arguments.items())
        log.write_text(f"{name}\n{described}\n", encoding="utf-8", errors="backslashreplace")
        try:
            getattr(native, name)(**arguments)
            done["ok"] += 1
        except ERRORS:
            done["refused"] += 1
        guarded.check()

    check()
    print(f"{done['ok']} calls done, {done['refused']} refused")


def load(path: str | None) -> ModuleType:
    if path is None:
        from swiftreid import _native

        return _native
    spec = importlib.util.spec_from_file_location("swiftreid._native", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), load(sys.argv[3] if len(sys.argv) > 3 else None))
