"""Run a Python program in a process of its own that need not import torch and the package again: see `warm_server`."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import IO

READ_WHEN_RUN = ("SWIFTREID_", "XDG_", "PYTEST_CURRENT_TEST")
"""How variables begin that are looked at when a command runs; any other may matter to an import."""


class _Server:
    """The process that has everything imported; ends with the tests, whose end of the channel closes then."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self._channel, theirs = socket.socketpair()
        self._one_at_a_time = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("warm_server.py")), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def run(self, words: list[str], folder: Path, package: bool) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryFile("w+") as request, _output() as out, _output() as err:
            asked = {"words": words, "folder": str(folder), "environment": dict(os.environ), "package": package}
            json.dump(asked, request)
            request.flush()
            request.seek(0)
            files = [file.fileno() for file in (request, out, err)]
            with self._one_at_a_time:
                try:
                    socket.send_fds(self._channel, [b"\0"], files)
                    code = self._channel.recv(4, socket.MSG_WAITALL)
                except BaseException:  # such as a test's time limit: the next answer would be this program's
                    self._channel.close()
                    _server.cache_clear()
                    raise
            assert len(code) == 4, "the process that runs programs for tests has died"
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, *struct.unpack("i", code), out.read(), err.read())


def _output() -> IO[str]:
    return tempfile.TemporaryFile("w+", errors="strict")


@cache
def _server() -> _Server:
    return _Server()


def run_python(*words: object, folder: Path | None = None, package: bool = False) -> subprocess.CompletedProcess[str]:
    """Run ``python WORDS`` in that folder: a program's path or ``-c`` and code, and arguments.

    torch is imported before it begins, and with ``package`` every module of the package too.

    A bare process is started where forks are not safe, and where variables differ from those that imports have seen.
    """
    command, folder = [str(word) for word in words], folder or Path.cwd()
    if sys.platform == "linux" and _as_imported(_server().environment) == _as_imported(dict(os.environ)):
        return _server().run(command, folder, package)
    return subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)


def _as_imported(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(READ_WHEN_RUN)}
