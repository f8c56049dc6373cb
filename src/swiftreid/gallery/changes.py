"""Which fields of an entry can be changed, and the entry that a change makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict

from swiftreid.data.times import Moment, seconds
from swiftreid.errors import UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.errors import BadEntry


class EntryChanges(TypedDict, total=False):
    """New values of an entry's fields; what is not given stays.

    Attributes:
        labels: those to set; a value of None removes one, and others stay. None in place of all removes all.
    """

    camera: str
    time: Moment | None
    person: str | None
    source: str | None
    labels: Mapping[str, str | None] | None
    track: str | None
    frame: int | None
    start: Moment | None
    end: Moment | None
    picture_sha256: str | None


def check_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes with times in seconds since 1970 UTC.

    Raises:
        UsageError: there is no change, a field cannot be changed, or a time is none.
    """
    unknown = sorted(set(changes) - set(EntryChanges.__annotations__))
    if unknown or not changes:
        what = f"no field {unknown[0]!r} can be changed" if unknown else "no field is given"
        raise UsageError(f"{what}: update takes {', '.join(sorted(EntryChanges.__annotations__))}")
    times = {
        name: seconds(changes[name], name)
        for name in ("time", "start", "end")
        if isinstance(changes.get(name), str) or hasattr(changes.get(name), "tzinfo")
    }
    return {**changes, **times}


def changed_entry(entry: Entry, changes: Mapping[str, Any]) -> Entry:
    """The entry with new values, which are still to be checked."""
    labels = changes.get("labels", {})
    if labels is None:
        return replace(entry, **{**changes, "labels": {}})
    if not isinstance(labels, Mapping):
        raise BadEntry(f"labels must map text to text, or to None, got {labels!r}")
    merged = {name: value for name, value in {**entry.labels, **labels}.items() if value is not None}
    return replace(entry, **{**changes, "labels": merged})
