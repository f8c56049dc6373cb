"""Moments, as people, tables and programs write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np

from swiftreid.errors import UsageError

Moment: TypeAlias = float | str | datetime | np.datetime64
"""Seconds since 1970 UTC; ISO 8601 or a NumPy datetime (UTC unless it says otherwise); a datetime with a zone."""


def seconds(moment: Moment, where: str) -> float:
    """A moment in seconds since 1970 UTC.

    Args:
        moment: seconds, also as text; ISO 8601; or a datetime with a time zone.
        where: what it is, for the error message.

    Raises:
        UsageError: it is none of these, or outside the years 1 to 9999.

    Example:
        >>> seconds("2026-11-20T10:30:00", "after"), seconds("1795170600", "after")
        (1795170600.0, 1795170600.0)
    """
    if isinstance(moment, datetime) and moment.tzinfo is None:  # local time to Python, UTC in text
        raise UsageError(f"{where}: {moment!r} has no time zone: write moment.replace(tzinfo=timezone.utc) for UTC")
    try:
        time = _seconds(moment)
        datetime.fromtimestamp(time, UTC)  # "nan", "inf" and 1e20 are numbers, but no moments
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise UsageError(f"{where}: {moment!r} is no time; write 2026-11-21T10:30:00 (UTC) or Unix seconds") from error
    return time


def _seconds(moment: object) -> float:
    if isinstance(moment, datetime):
        return moment.timestamp()
    if isinstance(moment, str):
        try:
            return float(moment)
        except ValueError:
            parsed = datetime.fromisoformat(moment)
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    if isinstance(moment, np.datetime64):
        if np.isnat(moment):
            raise ValueError
        return float(moment.astype("datetime64[us]").astype(np.int64)) / 1e6
    if isinstance(moment, bool) or not isinstance(moment, (int, float, np.integer, np.floating)):
        raise TypeError
    return float(moment)
