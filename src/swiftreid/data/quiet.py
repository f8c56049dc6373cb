"""Keeping Pillow's warnings about odd files away from the user, in many threads at once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0
_filters: warnings.catch_warnings | None = None  # type: ignore[type-arg, unused-ignore]


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence warnings from Pillow while inside; other modules' warnings still show.

    Warning filters belong to the process, so the first thread in installs the filter and the last one out removes it.
    """
    global _inside, _filters  # noqa: PLW0603
    with _lock:
        if _inside == 0:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\b|swiftreid\.data\.decoding")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _filters is not None:
                _filters.__exit__(None, None, None)
                _filters = None
