"""Programs that tests run from the process that has everything imported behave as if Python had started them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from warm import run_python


@pytest.mark.parametrize(
    "code",
    [
        "import os, sys; print(sys.argv, sys.path[0], os.getcwd(), __name__, sys.stdin.read()); sys.exit(3)",
        "import sys; print('half'); sys.exit('an error')",
        "print('half'); 1 / 0",
        "import os, signal; print('lost'); os.kill(os.getpid(), signal.SIGKILL)",
        "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
        "import atexit; atexit.register(print, 'at the end')",
        "import os; print(os.environ['SWIFTREID_CACHE'], os.environ['PATH'])",
    ],
)
def test_a_program_is_run_as_python_runs_it(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIFTREID_CACHE", str(tmp_path))
    words = ["-c", code, "one", "two"]
    expected = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = run_python(*words, folder=tmp_path)
    assert (found.returncode, found.stdout) == (expected.returncode, expected.stdout)
    assert found.stderr.splitlines()[-1:] == expected.stderr.splitlines()[-1:]


def test_a_program_has_the_package_only_where_it_imports_it(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys\nprint([name for name in sys.modules if name.startswith('swiftreid')])")
    assert run_python(program).stdout in ("[]\n", "['swiftreid._native']\n")
    assert "swiftreid.cli" in run_python(program, package=True).stdout


def test_variables_that_imports_look_at_are_those_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    run_python("-c", "pass")
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    same = {run_python("-c", "print(hash('a'))").stdout for _ in range(2)}
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert len(same) == 1
    assert run_python("-c", "print(hash('a'))").stdout not in same
