"""NumPy's matrix products on as many threads as the caller allows: left alone, they take all and spin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

_LOCK = threading.Lock()
_active: list[Any] = []  # the limit in force, one entry a thread that works under it


@cache
def _controller() -> ThreadpoolController:
    np.ones((2, 2)) @ np.ones((2, 2))  # so that the library is loaded before it is looked for
    return ThreadpoolController()


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Limit NumPy's matrix products to so many threads.

    The limit holds for the whole process. Where several threads are inside at once, the first one's counts, and the
    last one to leave lifts it: limits that each thread set and restored by itself would outlive them all.
    """
    with _LOCK:
        limit = _active[-1] if _active else _controller().limit(limits=threads, user_api="blas")
        _active.append(limit)
    try:
        yield
    finally:
        with _LOCK:
            _active.pop()
            if not _active:
                limit.restore_original_limits()
