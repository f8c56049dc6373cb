"""A process that has imported what commands need, and forks one child for each program it is asked to run.

Started by `warm`. Most of a command's time in a test is the imports; a child begins with them done and is otherwise a
process like any other, with its own exit code, output, signals and working directory.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import socket
import struct
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import swiftreid

LIBRARIES = ("torch", "torch.onnx", "onnx")
"""Imported by functions, so that no module of the package brings them.

ONNX Runtime is not among them: it starts a thread, which a fork would lose. Nor is Matplotlib: it makes a folder, which
the first child to end would remove.
"""


def import_all() -> None:
    modules = [found.name for found in pkgutil.walk_packages(swiftreid.__path__, "swiftreid.")]
    for name in (*modules, *LIBRARIES):
        if not name.endswith("__main__"):
            with suppress(ImportError):  # an extra that is not installed: the command will say so itself
                import_module(name)


def next_request(channel: socket.socket) -> dict[str, Any]:
    """What to run, in a child of its own with its output where it was asked to go; only children return."""
    while True:
        _, files, _, _ = socket.recv_fds(channel, 1, 3)
        if not files:
            os._exit(0)  # the tests have ended
        child = os.fork()
        if child == 0:
            channel.close()
            request, *outputs = files
            for number, output in enumerate(outputs, 1):
                os.dup2(output, number)
                os.close(output)
            with os.fdopen(request) as stream:
                return dict(json.load(stream))
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        channel.sendall(struct.pack("i", os.waitstatus_to_exitcode(status)))


def forget_package() -> None:
    """The program imports the package itself, and lacks what it forgets to import; its compiled part is the same."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "swiftreid"]:
        if not name.endswith("._native"):
            del sys.modules[name]


def run(program: str, *arguments: str) -> None:
    """As `python PROGRAM ARGUMENTS` or `python -c CODE ARGUMENTS` does."""
    if program == "-c":
        sys.argv, sys.path[0] = ["-c", *arguments[1:]], ""
        module = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(arguments[0], "<string>", "exec"), module.__dict__)
    else:
        sys.argv, sys.path[0] = [program, *arguments], str(Path(program).parent)
        runpy.run_path(program, run_name="__main__")


def exit_code(program: list[str]) -> int:
    """Runs the program, and shows an error that it leaves as Python does."""
    try:
        run(*program)
    except SystemExit as exit_:
        if exit_.code is None or isinstance(exit_.code, int):
            return exit_.code or 0
        print(exit_.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def end(code: int) -> None:
    """What Python does at its end, but for taking every module apart, which would take longer than most commands."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    import_all()
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "an import has started a thread, so that no fork is safe"
    gc.collect()
    gc.freeze()  # children share these pages until one of them writes
    request = next_request(socket.socket(fileno=int(sys.argv[1])))
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if not request["package"]:
        forget_package()
    end(exit_code(request["words"]))
