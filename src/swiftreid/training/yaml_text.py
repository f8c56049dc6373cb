"""YAML that people write by hand: plain values only, and no text that takes a parser down."""

from __future__ import annotations

from typing import Any, Final

import yaml

from swiftreid.errors import UsageError

LONGEST: Final = 100_000
"""Characters of a text, at most."""

DEEPEST: Final = 20
"""Values within values, at most."""

MOST: Final = 20_000
"""Values and keys in all, at most."""

_OPENING = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSING = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


def parse_yaml(text: str) -> Any:
    """The value that a text states: mappings, lists, numbers, strings, dates, true, false and null.

    Aliases are refused, because a few lines of them can stand for more values than memory holds, and so are tags, which
    name types.

    Raises:
        UsageError: it is no such text; the message goes on from "is", such as "is not YAML: ...".

    Example:
        >>> parse_yaml("size: [256, 128]")
        {'size': [256, 128]}
    """
    if len(text) > LONGEST:
        raise UsageError(f"is {len(text):,} characters long; at most {LONGEST:,} are read")
    try:
        _check(text)
        return yaml.safe_load(text)
    except UsageError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark is not None else ""
        raise UsageError(f"is not YAML{line}: {str(error).splitlines()[0]}") from error
    except ValueError as error:  # a number of thousands of digits, or the 99th of a month
        raise UsageError(f"has a value that cannot be read: {str(error)[:80]}") from error


def _check(text: str) -> None:
    """Go through the text without building anything, and so without recursion."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        depth += isinstance(event, _OPENING)
        depth -= isinstance(event, _CLOSING)
        where = "" if event.start_mark is None else f"(line {event.start_mark.line + 1})"
        if depth > DEEPEST:
            raise UsageError(f"is nested more than {DEEPEST} deep {where}")
        if count > MOST:
            raise UsageError(f"holds more than {MOST:,} values {where}")
        if isinstance(event, yaml.AliasEvent):
            raise UsageError(f"has an alias, *{event.anchor} {where}: write the value out")
        if isinstance(event, (yaml.ScalarEvent, *_OPENING)) and event.tag is not None:
            raise UsageError(f"has a tag, {event.tag} {where}: leave it out")
