"""Reading recipes: YAML files whose fields a model checks, and changes to single fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.training.yaml_text import LONGEST, parse_yaml

Recipe = TypeVar("Recipe", bound=BaseModel)

_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}


def read_recipe(
    kind: type[Recipe],
    path: str | Path | None,
    settings: Sequence[str] = (),
    *,
    others: Mapping[str, str] | None = None,
) -> Recipe:
    """A recipe of one kind; what the file leaves out has its default. Without a path all is default.

    Args:
        kind: what the recipe must be.
        path: YAML file.
        settings: changes to single fields, such as ``training.epochs=20``; values are YAML.
        others: fields that only recipes of another command have, with that command.

    Raises:
        SwiftReIDError: the file cannot be read.
        UsageError: it is no recipe, or one of another command, or a field is unknown or has an impossible value; the
            message names the field.
    """
    content = {} if path is None else _read(Path(path))
    foreign = next((command for field, command in (others or {}).items() if field in content), None)
    if foreign is not None:
        raise UsageError(f"recipe {path} is one of `{foreign}`, not of this command")
    for setting in settings:
        _set(content, setting)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        why = _why(kind, first["loc"], first["type"], first["msg"])
        where = f"recipe {path}" if path else "settings"
        field = ".".join(map(str, first["loc"]))  # none where fields do not go together
        raise UsageError(f"{where}{', field ' + field if field else ''}: {why}") from error


def _why(kind: type[BaseModel], place: Sequence[int | str], error: str, message: str) -> str:
    """What is wrong with a field, with the fields that there are where it is unknown."""
    if error not in _UNKNOWN:
        return message.removeprefix("Value error, ")
    group: Any = kind
    for name in place[:-1]:
        field = getattr(group, "model_fields", {}).get(name)
        group = None if field is None else field.annotation
    known = list(getattr(group, "model_fields", {}))
    closest = get_close_matches(str(place[-1]), known, 1)
    if closest:
        return f"there is no such field; did you mean {closest[0]}?"
    return f"there is no such field{'; there are ' + ', '.join(known) if known else ''}"


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LONGEST:
            raise UsageError(f"recipe {path} is {path.stat().st_size:,} bytes long; at most {LONGEST:,} are read")
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SwiftReIDError(f"cannot read recipe {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"recipe {path} is not YAML: {error}") from error
    except UsageError as error:
        raise UsageError(str(error) if str(error).startswith("recipe") else f"recipe {path} {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"recipe {path} must be a mapping of fields, such as 'method: all_in_one'")
    return content


def _set(content: dict[str, Any], setting: str) -> None:
    name, equals, value = setting.partition("=")
    *groups, field = name.split(".")
    if not equals or not field:
        raise UsageError(f"a setting is FIELD=VALUE, such as {name or 'FIELD'}=20; got {setting[:80]!r}")
    for group in groups:
        content = content.setdefault(group, {})
        if not isinstance(content, dict):
            raise UsageError(f"setting {setting[:80]}: {group!r} is not a group of fields")
    try:
        content[field] = parse_yaml(value)
    except UsageError as error:
        raise UsageError(f"setting {setting[:80]}: the value {error}") from error
