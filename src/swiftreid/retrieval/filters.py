"""The notes of an answer about its filters."""

from __future__ import annotations

from typing import Literal

from swiftreid.gallery.filters import Filters
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.gallery.store import Gallery
from swiftreid.retrieval.answer import Note

SHOWN_CAMERAS = 20

WhyEmpty = Literal["empty", "deleted", "no times", "filters"]
"""Why nothing is searched: the gallery is empty, all entries are deleted, none has a time, or none passes."""

_EMPTY: dict[WhyEmpty, str] = {
    "empty": "the gallery is empty",
    "deleted": "all entries of the gallery are deleted",
    "no times": "no entry of the gallery has a time",
    "filters": "no entry passes the filters",
}


def unknown_cameras(filters: Filters, gallery: Gallery) -> list[str]:
    """Names of cameras in filters that no entry has, sorted."""
    named = {*(filters.cameras or ()), *filters.not_cameras}
    return sorted(named.difference(gallery.cameras())) if named else []


def camera_note(filters: Filters, gallery: Gallery) -> Note | None:
    """A note on filters that name cameras which no entry has; None without such cameras."""
    unknown = unknown_cameras(filters, gallery)
    if not unknown:
        return None
    return Note(
        "unknown-camera",
        f"the gallery has no entry of camera {', '.join(map(repr, unknown))}; its cameras are {cameras_of(gallery)}",
        {"cameras": unknown},
    )


def cameras_of(gallery: Gallery) -> str:
    """The first of a gallery's cameras, for a message."""
    return ", ".join(gallery.cameras()[:SHOWN_CAMERAS]) or "(none: the gallery is empty)"


def own_camera_note(own: str, gallery: Gallery) -> Note | None:
    """A note that leaving out the query's own camera leaves no entry out; None where it does, or nobody is there."""
    known = gallery.cameras()
    if own in known or not known:
        return None
    return Note(
        "no-such-camera",
        f"leaving out the query's own camera, {own}, leaves no entry out: the gallery's cameras are "
        f"{', '.join(known[:SHOWN_CAMERAS])}; if it is one of these by another name, leave that one out",
        {"camera": own, "cameras": known},
    )


def empty_note(filters: Filters, gallery: Gallery, snapshot: Snapshot, own: str | None) -> Note:
    """Why a snapshot holds nothing to search.

    Args:
        filters: of the query.
        gallery: that was searched.
        snapshot: of it, with no entry that may be searched.
        own: the camera that ``other_cameras`` leaves out.
    """
    timed = filters.after is not None or filters.before is not None
    why: WhyEmpty = "filters"
    if not len(snapshot):
        why = "empty"
    elif filters == Filters() and own is None:
        why = "deleted"
    elif timed and gallery.info().first_time is None:
        why = "no times"
    return Note("nothing-to-search", _EMPTY[why], {"why": why, "camera": own})
