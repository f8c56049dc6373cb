"""Which entries of a gallery a query looks among."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from swiftreid.data.table_file import seconds
from swiftreid.errors import UsageError
from swiftreid.gallery.catalogue import Token
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.gallery.store import Gallery

SHOWN_CAMERAS = 20

WhyEmpty = Literal["empty", "deleted", "no times", "filters"]
"""Why nothing is searched: the gallery is empty, all entries are deleted, none has a time, or none passes."""


class UnknownCamera(UsageError):
    """A filter names a camera that the gallery does not have, so it would do nothing.

    Attributes:
        field: of `Filters`, which names it.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Filters:
    """What an entry must be to be searched; everything that is given must hold.

    Attributes:
        cameras: only entries of these cameras; empty for all.
        not_cameras: no entries of these cameras.
        other_cameras: no entries of the query's own camera.
        after: only entries with a known time of at least this: seconds since 1970 UTC, or ISO 8601 (UTC unless it says
            otherwise).
        before: only entries with a known time below this.
        persons: only entries of these people; empty for all.
        tracks: only entries of these tracks; empty for all.
        labels: only entries with these labels: for each name its value, or several of which one must be there.

    Raises:
        UsageError: cameras are one text and not a list, a time is none, or no time is in between.

    Example:
        >>> Filters(cameras=["door"], after="2026-11-20").after
        1795132800.0
    """

    cameras: Sequence[str] = ()
    not_cameras: Sequence[str] = ()
    other_cameras: bool = False
    after: float | str | None = None
    before: float | str | None = None
    persons: Sequence[str] = ()
    tracks: Sequence[str] = ()
    labels: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.cameras, self.not_cameras, self.other_cameras, self.after, self.before, self.persons))

    def __post_init__(self) -> None:
        wanted = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in self.labels.items()}
        object.__setattr__(self, "labels", wanted)
        for name in ("cameras", "not_cameras", "persons", "tracks"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise UsageError(f"{name} is a list of names: write {name}=[{value!r}]")
            object.__setattr__(self, name, tuple(value))
        for name in ("after", "before"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, seconds(str(value), name))
        if self.after is not None and self.before is not None and float(self.after) >= float(self.before):
            raise UsageError(f"no time is both from {self.after} on and before {self.before}: after is the earlier one")

    @property
    def times(self) -> tuple[float | None, float | None]:
        """After and before, in seconds since 1970 UTC."""
        return (
            None if self.after is None else float(self.after),
            None if self.before is None else float(self.before),
        )

    def check(self, gallery: Gallery) -> None:
        """Refuse cameras that the gallery does not have.

        Raises:
            UnknownCamera: names the cameras that there are.
        """
        if not self.cameras and not self.not_cameras:
            return
        known = gallery.cameras()
        for name in ("cameras", "not_cameras"):
            unknown = sorted(set(getattr(self, name)) - set(known))
            if unknown:
                there = ", ".join(known[:SHOWN_CAMERAS]) or "(none: the gallery is empty)"
                raise UnknownCamera(
                    f"gallery {gallery.path} has no camera {', '.join(map(repr, unknown))}; its cameras are {there}",
                    name,
                )

    def snapshot(self, gallery: Gallery, own: str | None, after_token: Token = 0) -> Snapshot:
        """The gallery now, with a mask of what passes.

        Args:
            gallery: to look at.
            own: the camera that ``other_cameras`` leaves out.
            after_token: a write that must show.
        """
        after, before = self.times
        excluded = [*self.not_cameras, *([own] if own is not None else [])]
        return gallery.snapshot(
            self.cameras or None,
            excluded or None,
            after,
            before,
            persons=self.persons or None,
            labels=self.labels or None,
            tracks=self.tracks or None,
            after_token=after_token,
        )

    def why_empty(self, gallery: Gallery, snapshot: Snapshot, own: str | None) -> WhyEmpty:
        """Why a snapshot holds nothing to search."""
        if not len(snapshot):
            return "empty"
        timed = self.after is not None or self.before is not None
        named = self.cameras or self.not_cameras or self.persons or self.tracks or self.labels or own is not None
        if not (timed or named):
            return "deleted"
        return "no times" if timed and gallery.info().first_time is None else "filters"
