"""Pictures that could not be read: collected while others are encoded, and named on the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swiftreid.data.pictures import BadPicture
from swiftreid.data.printable import printable
from swiftreid.data.samples import Split
from swiftreid.encoding.stream import OnBad
from swiftreid.evaluation.card import UnreadableFile
from swiftreid.experiments.inputs import warn


class Unreadable:
    """Takes each unreadable picture once, and passes it on.

    Attributes:
        found: the pictures, in the order in which they were met.
    """

    def __init__(self, on_bad: OnBad | None = None) -> None:
        self.found: list[BadPicture] = []
        self._names: set[str] = set()
        self._on_bad = on_bad

    def __call__(self, error: BadPicture) -> None:
        """Take one; a picture that is met again is still one."""
        if error.name in self._names:
            return
        self._names.add(error.name)
        self.found.append(error)
        if self._on_bad is not None:
            self._on_bad(error)

    def warn(self, first: int = 0) -> None:
        """One warning for all of them, or for those from the place ``first`` on, where none was passed on."""
        if (found := self.found[first:]) and self._on_bad is None:
            warn(f"{len(found)} pictures could not be read and were left out, the first is {found[0]}")

    def as_dict(self) -> dict[str, Any]:
        """How many and which, as plain values for JSON."""
        return {
            "unreadable": len(self.found),
            "unreadable_files": [{"file": error.name, "reason": error.reason} for error in self.found],
        }

    def files(self, samples: Split, root: Path) -> list[UnreadableFile]:
        """Those among these samples, named as in the data set."""
        names = {str(sample.path): relative_name(sample.path, root) for sample in samples} if self.found else {}
        return [
            UnreadableFile(file=names[error.name], reason=error.reason) for error in self.found if error.name in names
        ]


def relative_name(path: Path, root: Path) -> str:
    """The picture's path relative to the data set's folder, as cards have it; its name where it lies elsewhere."""
    return printable(path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name)
