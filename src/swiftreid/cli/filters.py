"""The options of a search that leave entries out: what they mean to a gallery, and what is said when none is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swiftreid.data.table_file import seconds
from swiftreid.errors import UsageError
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.gallery.store import Gallery

SHOWN_CAMERAS = 20


@dataclass(frozen=True)
class Filters:
    """The options as they were given."""

    cameras: Sequence[str]
    not_cameras: Sequence[str]
    after: str | None
    before: str | None

    def check(self, gallery: Gallery) -> None:
        """Refuse times that are none or leave none, and cameras that are not there: to leave them out does nothing.

        Raises:
            UsageError: the message names the option and the gallery's cameras.
        """
        known = gallery.cameras()
        for option, names in (("--camera", self.cameras), ("--not-camera", self.not_cameras)):
            unknown = sorted(set(names) - set(known))
            if unknown:
                there = ", ".join(known[:SHOWN_CAMERAS]) or "(none: the gallery is empty)"
                raise UsageError(
                    f"{option}: gallery {gallery.path} has no camera {', '.join(map(repr, unknown))}; "
                    f"its cameras are {there}"
                )
        self._times()

    def snapshot(self, gallery: Gallery, own: str | None) -> Snapshot:
        """What of the gallery is searched; without the query's own camera if one is given (``--other-cameras``)."""
        after, before = self._times()
        excluded = [*self.not_cameras, *([own] if own is not None else [])]
        return gallery.snapshot(self.cameras or None, excluded or None, after, before)

    def why_empty(self, gallery: Gallery, snapshot: Snapshot, own: str | None) -> str:
        """Why a snapshot without a live entry has none, in terms of the options."""
        given = [f"--camera {name}" for name in self.cameras] + [f"--not-camera {name}" for name in self.not_cameras]
        given += [f"--other-cameras (all but {own})"] if own is not None else []
        given += [f"--after {self.after}"] if self.after else []
        given += [f"--before {self.before}"] if self.before else []
        if not len(snapshot):
            return "the gallery is empty"
        if not given:
            return "all entries of the gallery are deleted"
        if (self.after or self.before) and gallery.info().first_time is None:
            return "no entry of the gallery has a time"
        return f"no entry passes {' '.join(given)}{' together' if len(given) > 1 else ''}"

    def _times(self) -> tuple[float | None, float | None]:
        after = seconds(self.after, "--after") if self.after else None
        before = seconds(self.before, "--before") if self.before else None
        if after is not None and before is not None and after >= before:
            raise UsageError(
                f"no time is both from --after {self.after} on and before --before {self.before}: "
                "--after takes the earlier time"
            )
        return after, before
