"""Pictures that a command could not read, and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from swiftreid.cli.console import Report
from swiftreid.data.pictures import BadPicture
from swiftreid.experiments.unreadable import Unreadable

_SHOWN_BAD = 10


def moment(time: float | None) -> str | None:
    """Unix seconds as people read them, in UTC."""
    return None if time is None else datetime.fromtimestamp(time, UTC).isoformat(sep=" ", timespec="seconds")


class BadPictures(Unreadable):
    """Collects unreadable pictures and warns of the first few by name."""

    def __init__(self, report: Report) -> None:
        super().__init__(self._warn)
        self._report = report

    def _warn(self, error: BadPicture) -> None:
        if len(self.found) <= _SHOWN_BAD:
            self._report.warn(f"skipped {error.name}: {error.reason}")
        elif len(self.found) == _SHOWN_BAD + 1:
            self._report.warn("more pictures could not be read; --json lists them all")
