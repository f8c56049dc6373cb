"""Builds a C++ program of these tests together with the sources of the native module, without Python."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-ffp-contract=off", "-g", "-pthread"]
AVX2 = ["-mavx2", "-mbmi", "-mbmi2", "-mpopcnt"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512vpopcntdq", "-Wno-maybe-uninitialized"]
# As native/CMakeLists.txt has it, for x86-64.
EXTRA = {"kernels_avx2.cpp": AVX2, "kernels_avx512.cpp": AVX512}


def need(*tools: str) -> None:
    """Skip where a tool is missing."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (.ci/run names the packages)")
    if not NATIVE.is_dir():
        pytest.skip("the sources of the native module are not here")


def run(command: list[str]) -> str:
    """Standard output of a command; fails with all it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(
    program: str, folder: Path, flags: list[str], *, compiler: str = "g++", native: Path = NATIVE, x86: bool = True
) -> Path:
    """Compile ``program`` and every native source but the Python module; return the executable."""
    sources = [path for path in sorted(native.glob("*.cpp")) if path.name != "module.cpp"]
    sources.append(Path(__file__).with_name(program))
    if program == "native_kernels.cpp":  # kernels need nothing else
        needed = ("kernels_", "dispatch", "slice", "native_")
        sources = [path for path in sources if path.name.startswith(needed)]

    def compile_one(path: Path) -> str:
        out = folder / f"{path.name}.o"
        extra = EXTRA.get(path.name, []) if x86 else []
        run([compiler, *FLAGS, f"-I{native}", *flags, *extra, "-c", str(path), "-o", str(out)])
        return str(out)

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, sources))
    executable = folder / Path(program).stem
    run([compiler, "-pthread", *flags, *objects, "-o", str(executable)])
    return executable
