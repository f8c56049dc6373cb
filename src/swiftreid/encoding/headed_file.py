"""Reading our safetensors files: arrays, and in the metadata a header that says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open

from swiftreid.errors import SwiftReIDError

Header = TypeVar("Header", bound=BaseModel)
Value = TypeVar("Value")


def load_headed(
    path: Path, header: type[Header], *, key: str, kind: str, remedy: str
) -> tuple[Header, dict[str, NDArray[Any]]]:
    """Read the header, stored as JSON under ``key`` of the metadata, and all arrays.

    Args:
        path: the file.
        header: the model that the header must fit; its field ``format`` is the newest format that can be read.
        key: the header's name in the metadata.
        kind: what the file holds, for messages.
        remedy: what to do about a file that cannot be read, for messages.

    Raises:
        SwiftReIDError: the file is damaged, something else, or of a newer format.
    """
    try:
        with safe_open(path, framework="numpy") as stored:
            text = (stored.metadata() or {}).get(key)
            # Nothing is read of others' files: NumPy has not all of their types.
            arrays = {} if text is None else {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError, OverflowError, MemoryError) as error:
        # The last ones of arrays of types that NumPy lacks, or of shapes that it cannot have.
        raise SwiftReIDError(f"{path} is not a readable {kind} file ({error}): {remedy}") from error
    if text is None:
        raise SwiftReIDError(f"{path} is a safetensors file without the {key!r} header of {kind} files: {remedy}")
    try:
        return header.model_validate_json(text), arrays
    except ValidationError as error:
        newest = int(header.model_fields["format"].default)
        if _format_of(text) > newest:
            why = "it was written by a newer swiftreid; upgrade"
        else:
            first = error.errors()[0]
            why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}; {remedy}"
        raise SwiftReIDError(f"{path} has a header that this version cannot read: {why}") from error


def without_prefix(prefix: str, arrays: Mapping[str, Value]) -> dict[str, Value]:
    """The arrays whose names begin with a prefix, by what follows it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _format_of(text: str) -> int:
    """The format that a header states, 0 where it states none."""
    try:
        stated = json.loads(text)["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return stated if isinstance(stated, int) else 0
