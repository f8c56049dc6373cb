"""Ids of entries, as calls are given them."""

from __future__ import annotations

from swiftreid.errors import UsageError


def listed_ids(ids: object, call: str) -> list[str]:
    """The ids that a call was given, in a list.

    Raises:
        UsageError: they are one text, or nothing to go through, or one of them is no text.
    """
    if isinstance(ids, str):
        raise UsageError(f"{call} needs a list of ids, got the text {ids!r}: pass [{ids!r}]")
    try:
        listed: list[str] = list(ids)  # type: ignore[call-overload]
    except TypeError:
        raise UsageError(f"{call} needs a list of ids, got {ids!r}") from None
    for id_ in listed:
        if not isinstance(id_, str):  # SQLite would find no entry of this id, and say nothing
            raise UsageError(f"{call} needs ids that are texts, got {id_!r} ({type(id_).__name__})")
    return listed
