"""Kernels and threads in programs of their own: under sanitizers, and for another processor under an emulator."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from native_build import NATIVE, build, need, run

X86 = platform.machine() in ("x86_64", "AMD64")

pytestmark = pytest.mark.slow


def test_kernels_count_right_and_stay_in_their_arrays(tmp_path: Path) -> None:
    need("g++")
    program = build("native_kernels.cpp", tmp_path, ["-O1", "-fsanitize=address,undefined"], x86=X86)
    said = run([str(program), "150"])
    assert "portable: " in said
    for seed in ("2", "3"):
        run([str(program), "40", seed])


def test_kernels_for_arm_under_an_emulator(tmp_path: Path) -> None:
    """The NEON kernel, which no x86 machine can run by itself."""
    need("aarch64-linux-gnu-g++", "qemu-aarch64")
    program = build("native_kernels.cpp", tmp_path, ["-O2", "-static"], compiler="aarch64-linux-gnu-g++", x86=False)
    said = run(["qemu-aarch64", str(program), "60"])
    assert "neon: " in said
    assert "portable: " in said


def test_the_avx512_kernel_compiles(tmp_path: Path) -> None:
    """No emulator runs it: on machines without AVX-512 this is all that is known of it."""
    need("g++", "objdump")
    if not X86:
        pytest.skip("only compilers for x86-64 know AVX-512")
    program = build("native_kernels.cpp", tmp_path, ["-O2"])
    assert program.exists()
    assert "vpopcnt" in run(["objdump", "-d", str(tmp_path / "kernels_avx512.cpp.o")])


def test_a_wrong_kernel_is_found(tmp_path: Path) -> None:
    """The program itself can fail."""
    need("g++")
    copy = tmp_path / "native"
    shutil.copytree(NATIVE, copy)
    rows = copy / "rows.hpp"
    text = rows.read_text(encoding="utf-8")
    right, wrong = "compare(here + at, limit)", "compare(here + at, limit ? limit - 1 : 0)"
    assert text.count(right) == 1
    rows.write_text(text.replace(right, wrong), encoding="utf-8")
    program = build("native_kernels.cpp", tmp_path, ["-O1"], native=copy, x86=X86)
    done = subprocess.run([program, "20"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "gather_within's number is wrong" in done.stdout


def test_teams_of_threads_race_for_nothing(tmp_path: Path) -> None:
    need("g++", "setarch")
    program = build("native_threads.cpp", tmp_path, ["-O1", "-fsanitize=thread"], x86=X86)
    # Without random addresses, which the sanitizer of some compilers can't live with.
    said = run(["setarch", "-R", str(program), "4"])
    assert "96 answers are right, 0 wrong, 96 failures told" in said
