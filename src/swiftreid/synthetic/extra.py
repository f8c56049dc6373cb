"""Bring in the optional packages of the ``synthetic`` extra, quietly, and say what to install when they are missing."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import ModuleType

from swiftreid.errors import SwiftReIDError


def check_extra() -> None:
    """See that the packages are there, without the seconds that importing them takes.

    Raises:
        SwiftReIDError: anny, torch or warp is not installed.
    """
    for name in ("torch", "warp", "anny"):
        if importlib.util.find_spec(name) is None:
            _require(name)


def _require(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SwiftReIDError(
            f"rendering people needs the package {error.name or name!r}, which is not installed; "
            'run: pip install "swiftreid[synthetic]"'
        ) from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Send the process's standard error to nowhere: warp's native part warns there about GPUs that nobody asked for."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


@lru_cache(maxsize=1)
def load_warp() -> ModuleType:
    """Import and start warp without its greeting.

    Compiled kernels go to warp's own folder in the user's cache (``WARP_CACHE_PATH`` moves it), never into the project.

    Raises:
        SwiftReIDError: warp is not installed.
    """
    warp = _require("warp")
    if hasattr(warp, "LOG_ERROR"):
        warp.config.log_level = warp.LOG_ERROR
    else:
        warp.config.quiet = True
    with _silence():
        warp.init()
    return warp


@lru_cache(maxsize=1)
def load_anny() -> ModuleType:
    """Import anny (and with it torch), after warp has been silenced.

    Raises:
        SwiftReIDError: anny, torch or warp is not installed.
    """
    _require("torch")
    load_warp()
    return _require("anny")
