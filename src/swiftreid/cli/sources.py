"""Pictures that a command could not read, and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from swiftreid.cli.console import Report
from swiftreid.data.pictures import BadPicture

_SHOWN_BAD = 10


def moment(time: float | None) -> str | None:
    """Unix seconds as people read them, in UTC."""
    return None if time is None else datetime.fromtimestamp(time, UTC).isoformat(sep=" ", timespec="seconds")


class BadPictures:
    """Collects unreadable pictures and warns of the first few by name."""

    def __init__(self, report: Report) -> None:
        self.found: list[BadPicture] = []
        self._known: set[str] = set()
        self._report = report

    def __call__(self, error: BadPicture) -> None:
        """Note one unreadable picture; one that is met again is still one."""
        if error.name in self._known:
            return
        self._known.add(error.name)
        self.found.append(error)
        if len(self.found) <= _SHOWN_BAD:
            self._report.warn(f"skipped {error.name}: {error.reason}")
        elif len(self.found) == _SHOWN_BAD + 1:
            self._report.warn("more pictures could not be read; --json lists them all")

    def as_dict(self) -> dict[str, Any]:
        """How many and which, for the JSON document."""
        return {
            "unreadable": len(self.found),
            "unreadable_files": [{"file": error.name, "reason": error.reason} for error in self.found],
        }
