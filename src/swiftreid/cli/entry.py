"""Entry point: runs the command line and turns expected errors into one clear line and an exit code.

0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import errno
import json
import signal
import sys
import warnings
from types import FrameType
from typing import Any

from swiftreid.errors import SwiftReIDError, SwiftReIDWarning, UsageError


class _Interrupted(BaseException):
    """Ctrl-C. Of its own kind, so that nothing on the way takes it for an error or prints 'Aborted'."""


def run() -> None:
    """Run the `swiftreid` command with the process's arguments."""
    signal.signal(signal.SIGINT, _interrupt)
    _show_warnings_as_lines()
    try:
        # Imported here, so that Ctrl-C during the import is answered like any other.
        from swiftreid.cli.main import app

        app()
    except UsageError as error:
        _fail(str(error), 2)
    except SwiftReIDError as error:
        _fail(str(error), 1)
    except ModuleNotFoundError as error:
        extra = {"torch": "train", "onnxruntime": "onnx"}.get(error.name or "")
        if extra is None:
            raise
        _fail(f"this needs the package {error.name}: pip install 'swiftreid[{extra}]'", 1)
    except MemoryError:
        _fail("out of memory: give fewer pictures at a time or a smaller data set", 1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `| head` does
        sys.exit(1)
    except OSError as error:
        full = "; free some space and run the command again" if error.errno == errno.ENOSPC else ""
        _fail(f"{error.filename or ''}: {error.strerror or error}{full}".lstrip(": "), 1)
    except (_Interrupted, KeyboardInterrupt):
        adding = sys.argv[1:3] == ["gallery", "add"]
        _fail(
            "interrupted; what was written stays. "
            + ("To go on, give the same command with --skip-existing" if adding else "Give the same command again"),
            130,
        )


def _show_warnings_as_lines() -> None:
    """SwiftReID's own warnings become one line without file and line number; others are shown as Python does."""
    other = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, SwiftReIDWarning):
            other(message, category, *where, **more)
            return
        from swiftreid.data.printable import printable

        sys.stderr.write(f"warning: {printable(str(message))}\n")

    warnings.showwarning = show


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise _Interrupted


def _fail(message: str, code: int) -> None:
    from swiftreid.cli.console import Report
    from swiftreid.data.printable import printable

    if Report.json_asked or "--json" in sys.argv:
        sys.stdout.write(json.dumps({"error": message, "exit": code}) + "\n")
    sys.stderr.write(f"error: {printable(message)}\n")
    sys.exit(code)
