"""The native module with address and undefined behaviour sanitizers built in passes the tests of searches unharmed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from native_build import NATIVE, need, run

HERE = Path(__file__).parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

# Runs pytest on another build of the native module.
RUN = """
import importlib.util, sys
import pytest, swiftreid
spec = importlib.util.spec_from_file_location("swiftreid._native", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["swiftreid._native"] = swiftreid._native = module
spec.loader.exec_module(module)
sys.exit(pytest.main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sanitized build of the module."""
    for tool in ("nanobind", "cmake", "ninja"):
        if importlib.util.find_spec(tool) is None:
            pytest.skip(f"{tool} is not installed: pip install -e '.[dev]'")
    need("g++")
    folder = tmp_path_factory.mktemp("sanitized")
    python = sys.executable
    cmake = [python, "-c", "import cmake, sys; sys.exit(cmake.cmake())"]
    ninja = run([python, "-c", "import ninja, os; print(os.path.join(ninja.BIN_DIR, 'ninja'))"]).strip()
    options = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1"]
    options += [
        "-DSWIFTREID_SANITIZE=address,undefined",
        f"-DPython_EXECUTABLE={python}",
        f"-DCMAKE_MAKE_PROGRAM={ninja}",
    ]
    run([*cmake, "-S", str(NATIVE), "-B", str(folder), "-G", "Ninja", "-DCMAKE_CXX_COMPILER=g++", *options])
    run([*cmake, "--build", str(folder)])
    return next(folder.glob("_native*.so"))


def call(arguments: list[str]) -> None:
    """Run Python with the sanitizers' libraries; any report ends the process."""
    libraries = [run(["g++", f"-print-file-name={name}.so"]).strip() for name in ("libasan", "libubsan", "libstdc++")]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter itself leaves memory to the system when it ends
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
    }
    environment.pop("SWIFTREID_KERNEL", None)
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=HERE, check=False
    )
    said = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said[-8000:]
    assert "runtime error:" not in said
    assert "Sanitizer" not in said


def test_searches_are_clean(sanitized: Path) -> None:
    # Not after a fork: the sanitizer's allocator leaves the locks of threads that a child does not have locked in it
    # (glibc's own does not), so that a child hangs in its first malloc, now and then.
    files = [str(HERE / f"test_{name}.py") for name in ("kernels", "certified", "inverted_lists", "embedding_stage")]
    chosen = ["-k", "not forked", "-m", "not slow", *files]
    call(["-c", RUN, str(sanitized), "-q", "-p", "no:cacheprovider", *chosen])


def test_wrong_arguments_are_clean(sanitized: Path, tmp_path: Path) -> None:
    call([str(HERE / "native_fuzz.py"), str(tmp_path / "last call"), "3000", str(sanitized)])


def test_an_overrun_is_reported(sanitized: Path) -> None:
    """The sanitizer is at work: a read past the end of what NumPy holds ends the process."""
    overrun = "import ctypes, numpy as np, sys; a = np.zeros(64, np.uint8)\nctypes.string_at(a.ctypes.data, 100_000)"
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        call(["-c", overrun])
