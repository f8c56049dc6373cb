"""Calls the native module with arguments that make no sense; run by tests in a process of its own, which may crash.

Usage: native_fuzz.py LOG EXAMPLES [MODULE]. Searches are made as always, but before each call into the native module
the same call is made with some arguments exchanged: it must raise one of `ERRORS`, or do no harm, which is that memory
around the arrays that it may write to does not change. Before each such call the file LOG says what is called, so that
a crash can be told. MODULE is another build of the native module.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import bits_of
from swiftreid.search.stages import CERTIFIED_BITS

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this program is run by itself
from search_cases import Case, cases

ERRORS = (TypeError, ValueError, OverflowError, RuntimeError, MemoryError)
GUARD = 64

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
# Dates, and the scalars that one gets from them, are tested by themselves (test_native_arguments.py).
DTYPES = ["u1", "i1", "u2", "i4", "i8", ">i4", "f2", "f4", "f8", "?", "c8", "O", "S3", "u1,u1"]


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
    """Copies of arrays with memory around them that nobody may write to."""

    def __init__(self) -> None:
        self.memories: list[tuple[np.ndarray, int]] = []

    def copy(self, array: np.ndarray) -> np.ndarray:
        memory = np.full(array.nbytes + 2 * GUARD, 0xA5, np.uint8)
        self.memories.append((memory, array.nbytes))
        copied = memory[GUARD : GUARD + array.nbytes].view(array.dtype).reshape(array.shape)
        copied[...] = array
        return copied

    def check(self) -> None:
        for memory, size in self.memories:
            assert (memory[:GUARD] == 0xA5).all(), "written before an array"
            assert (memory[GUARD + size :] == 0xA5).all(), "written behind an array"


class Nonsense:
    """Stands for the native module: tries each call with wrong arguments before it makes it."""

    def __init__(self, native: ModuleType, log: Path) -> None:
        self.native, self.log = native, log
        self.draw: Callable[[Any], Any] | None = None
        self.done = {"accepted": 0, "refused": 0}

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.native, name)
        if not callable(real):
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            if self.draw is not None and arguments:
                self.try_wrong(name, real, list(arguments), named)
            return real(*arguments, **named)

        return call

    def try_wrong(self, name: str, real: Callable[..., Any], arguments: list[Any], named: dict[str, Any]) -> None:
        guarded = Guarded()
        for at, value in enumerate(arguments):
            if isinstance(value, np.ndarray) and value.flags.writeable:
                arguments[at] = guarded.copy(value)
        assert self.draw is not None
        for at in self.draw(st.lists(st.integers(0, len(arguments) - 1), max_size=2)):
            arguments[at] = self.exchanged(arguments[at])
        described = "\n".join(f"  {told(value)}" for value in arguments)
        self.log.write_text(f"{name}\n{described}\n", encoding="utf-8", errors="backslashreplace")
        try:
            real(*arguments, **named)
            self.done["accepted"] += 1
        except ERRORS:
            self.done["refused"] += 1
        guarded.check()

    def exchanged(self, value: Any) -> Any:
        """Anything else; of a list perhaps one value only, of an array perhaps a part."""
        assert self.draw is not None
        how = self.draw(st.sampled_from(["all", "inside", "inside", "shorter"]))
        if isinstance(value, tuple) and how == "inside":
            inside = self.exchanged(list(value))
            return tuple(inside) if isinstance(inside, list) else inside
        if isinstance(value, list) and value and how == "inside":
            at = self.draw(st.integers(0, len(value) - 1))
            return [*value[:at], self.exchanged(value[at]), *value[at + 1 :]]
        if (
            (isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim))
            and len(value)
            and how == "shorter"
        ):
            return value[: self.draw(st.integers(0, len(value) - 1))]
        if isinstance(value, np.ndarray) and value.ndim == 2 and how == "inside":
            return np.ascontiguousarray(value[:, : self.draw(st.integers(0, value.shape[1]))])
        if not isinstance(value, int | float | str | list | np.ndarray | None) and how == "inside":
            return object.__new__(type(value)) if type(value).__new__ is object.__new__ else None
        return self.draw(anything)


def told(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array({value.dtype}, {value.shape}, strides {value.strides})"
    if isinstance(value, list):
        return f"[{', '.join(map(told, value))}]"
    return repr(value)[:80]


def main(log: Path, examples: int) -> None:
    native = kernels.native_module()
    assert native is not None
    nonsense_first = Nonsense(native, log)
    kernels.native_module = lambda: nonsense_first  # type: ignore[assignment, return-value]
    names = native.kernels()

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(data=st.data(), case=cases(most=600), kernel=st.sampled_from(names), ranking=st.booleans())
    def check(data: st.DataObject, case: Case, kernel: str, ranking: bool) -> None:
        nonsense_first.draw = data.draw
        try:
            table = case.table
            rest = {"threads": case.threads, "mask": case.mask, "weights": case.weights, "kernel": kernel}
            if ranking:
                case.cascade.rank(table, case.queries, **rest)
            else:
                cascade = case.cascade
                if len(cascade.stages) == 1 and bits_of(cascade.codes[0]) >= CERTIFIED_BITS[0]:
                    cascade = Cascade([Stage(cascade.codes[0], miss=data.draw(st.sampled_from([1e-6, 0.9])))])
                cascade.search(table, case.queries, k=case.k, min_candidates=case.least, **rest)
            name = next(name for name in table.names if np.asarray(case.codes[name]).dtype == np.uint8)
            kernels.hamming(case.codes[name], case.queries[name], kernel=kernel)
        finally:
            nonsense_first.draw = None

    check()
    print(f"{nonsense_first.done['accepted']} calls accepted, {nonsense_first.done['refused']} refused")


def load(path: str) -> None:
    """Make another build the native module of this process."""
    import swiftreid

    spec = importlib.util.spec_from_file_location("swiftreid._native", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["swiftreid._native"] = swiftreid._native = module  # type: ignore[attr-defined]


if __name__ == "__main__":
    if len(sys.argv) > 3:
        load(sys.argv[3])
    main(Path(sys.argv[1]), int(sys.argv[2]))
