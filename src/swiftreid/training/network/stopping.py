"""SIGTERM and SIGINT as a request to stop after the step under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from swiftreid.errors import SwiftReIDError


class Stopped(SwiftReIDError):
    """Training was asked to stop, and its checkpoint is written."""


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """A list that is no longer empty once SIGTERM or SIGINT came; the second one ends the process as usual.

    Python takes signals in the main thread alone: training in another one is not stopped by them.
    """
    requests: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield requests
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _frame: FrameType | None) -> None:
        requests.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
