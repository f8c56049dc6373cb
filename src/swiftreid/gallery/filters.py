"""Which entries of a gallery are meant: for searches, lists, snapshots and exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from swiftreid.data.times import Moment, seconds
from swiftreid.errors import UsageError

Labels = Mapping[str, str | Sequence[str]]
"""For each label's name its value, or several of which an entry must have one."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What an entry must be; everything that is given must hold. A list without members lets nothing pass.

    Names that no entry has are no error: a camera may not have seen anybody yet.

    Attributes:
        cameras: only entries of these cameras; None for all.
        not_cameras: no entries of these cameras.
        other_cameras: no entries of the query's own camera; only for searches.
        after: only entries with a known time of at least this: seconds since 1970 UTC, ISO 8601 (UTC unless it says
            otherwise), or a datetime with a time zone.
        before: only entries with a known time below this.
        persons: only entries of these people; None for all.
        tracks: only entries of these tracks; None for all.
        labels: only entries with these labels: for each name its value, or several of which one must be there.

    Raises:
        UsageError: a list is one text, or holds what is no text; a time is none, or none is in between.

    Example:
        >>> Filters(cameras=["door"], after="2026-11-20").after
        1795132800.0
    """

    cameras: Sequence[str] | None = None
    not_cameras: Sequence[str] = ()
    other_cameras: bool = False
    after: Moment | None = None
    before: Moment | None = None
    persons: Sequence[str] | None = None
    tracks: Sequence[str] | None = None
    labels: Labels = field(default_factory=dict)

    def __hash__(self) -> int:
        labels = frozenset((name, tuple(values)) for name, values in self.labels.items())  # equal in any order
        names = (self.cameras, self.not_cameras, self.persons, self.tracks)
        return hash((names, self.other_cameras, self.after, self.before, labels))

    def __post_init__(self) -> None:
        for name in ("cameras", "not_cameras", "persons", "tracks"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _texts(name, value))
        object.__setattr__(self, "not_cameras", self.not_cameras or ())
        labels: object = {} if self.labels is None else self.labels
        if not isinstance(labels, Mapping):
            raise UsageError(f"labels must map names to values, as in {{'bag': 'yes'}}, got {labels!r}")
        _texts("names of labels", labels)
        wanted = {
            name: (value,) if isinstance(value, str) else _texts(f"label {name!r}", value)
            for name, value in labels.items()
        }
        object.__setattr__(self, "labels", wanted)
        for name in ("after", "before"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, seconds(value, name))
        after, before = self.times
        if after is not None and before is not None and after >= before:
            raise UsageError(f"no time is both from {after} on and before {before}: after is the earlier one")

    @property
    def times(self) -> tuple[float | None, float | None]:
        """After and before, in seconds since 1970 UTC."""
        after, before = (None if moment is None else seconds(moment, "time") for moment in (self.after, self.before))
        return after, before


class FilterFields(TypedDict, total=False):
    """The fields of `Filters`, as keyword arguments."""

    cameras: Sequence[str] | None
    not_cameras: Sequence[str]
    other_cameras: bool
    after: Moment | None
    before: Moment | None
    persons: Sequence[str] | None
    tracks: Sequence[str] | None
    labels: Labels


def stored_filters(filters: Filters | None, fields: FilterFields) -> Filters:
    """Those that were given, either way, for a call without a query.

    Raises:
        UsageError: both ways were used, or there is no such field, or ``other_cameras`` is set.
    """
    given: object = filters
    if given is not None and not isinstance(given, Filters):
        raise UsageError(f"filters are swiftreid.Filters, not {type(given).__name__}: write Filters(cameras=[...])")
    if filters is not None and fields:
        raise UsageError(f"{', '.join(fields)}: give them to the Filters")
    chosen = filters or filters_of(fields)
    if chosen.other_cameras:
        raise UsageError("other_cameras is about the camera of a query: leave cameras out by not_cameras")
    return chosen


def filters_of(fields: Mapping[str, Any]) -> Filters:
    """`Filters` of keyword arguments.

    Raises:
        UsageError: there is no such field, or a value makes no sense.
    """
    unknown = sorted(set(fields) - set(FilterFields.__annotations__))
    if unknown:
        raise UsageError(f"no filter is called {unknown[0]!r}: there are {', '.join(FilterFields.__annotations__)}")
    return Filters(**fields)


def _texts(name: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str):
        raise UsageError(f"{name} must be a list, got the text {values!r}: pass [{values!r}]")
    try:
        texts: tuple[Any, ...] = tuple(values)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{name} must be a list of texts, got {values!r}") from None
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(f"{name} must be texts, got {text!r}: write {str(text)!r}")
    return texts
