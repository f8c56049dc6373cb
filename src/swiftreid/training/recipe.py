"""Recipes: YAML files that fully state a training run, less the data and the seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.training.frozen import FrozenConfig


class FrozenRecipe(BaseModel):
    """Learning a code pyramid on frozen embeddings, as `swiftreid hash` does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["all_in_one"] = "all_in_one"
    features: Literal["frozen"] = "frozen"
    views: int = Field(default=1, ge=1, le=64)
    """Views of each picture to learn from, itself the first (see `swiftreid.training.views`)."""
    held_out: float = Field(default=0.2, ge=0, le=0.9)
    """Share of the people kept from the first fit, to calibrate and measure on."""
    training: FrozenConfig = FrozenConfig()


_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}


def load_recipe(path: Path | None, settings: Sequence[str] = ()) -> FrozenRecipe:
    """Read a recipe; what it leaves out has its default. Without a path all is default.

    Args:
        path: YAML file.
        settings: changes to single fields, such as ``training.epochs=20``; values are YAML.

    Raises:
        SwiftReIDError: the file cannot be read.
        UsageError: it is no recipe, or a field is unknown or has an impossible value; the message names the field.
    """
    content = {} if path is None else _read(path)
    for setting in settings:
        _set(content, setting)
    try:
        return FrozenRecipe.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        why = "there is no such field" if first["type"] in _UNKNOWN else first["msg"]
        where = f"recipe {path}" if path else "--set"
        raise UsageError(f"{where}, field {'.'.join(map(str, first['loc']))}: {why}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SwiftReIDError(f"cannot read recipe {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {path} is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise UsageError(f"recipe {path} must be a mapping of fields, such as 'method: all_in_one'")
    return content


def _set(content: dict[str, Any], setting: str) -> None:
    name, equals, value = setting.partition("=")
    *groups, field = name.split(".")
    if not equals or not field:
        raise UsageError(f"--set takes FIELD=VALUE, such as training.epochs=20; got {setting!r}")
    for group in groups:
        content = content.setdefault(group, {})
        if not isinstance(content, dict):
            raise UsageError(f"--set {setting}: {group!r} is not a group of fields")
    try:
        content[field] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {setting}: {value!r} is no YAML value") from error
