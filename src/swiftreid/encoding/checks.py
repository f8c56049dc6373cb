"""What an encoder's card and tensors must be: anybody's file is read, so nothing is believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from swiftreid.encoding.card import EncoderCard, Tensors
from swiftreid.errors import SwiftReIDError, UsageError

Architecture = TypeVar("Architecture", bound=BaseModel)

_REMEDY = "the file was made wrong: make or copy it again"


def architecture_of(card: EncoderCard, model: type[Architecture]) -> Architecture:
    """The card's architecture, read as its kind states it.

    Raises:
        SwiftReIDError: something is missing or out of bounds.
    """
    try:
        return model.model_validate(card.architecture)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["architecture", *map(str, first["loc"])])
        raise SwiftReIDError(f"encoder {card.name}: {where}: {first['msg']}; {_REMEDY}") from error


def float_tensor(card: EncoderCard, tensors: Tensors, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """A tensor of float16 or float32 numbers, all of them finite.

    Raises:
        SwiftReIDError: it is missing, or of another type or shape, or holds a number that is not finite.
    """
    found = tensors.get(name)
    if found is None:
        raise SwiftReIDError(f"encoder {card.name} lacks the tensor {name!r}; {_REMEDY}")
    if found.dtype not in (np.float16, np.float32) or found.shape != shape:
        raise SwiftReIDError(
            f"encoder {card.name}: the tensor {name!r} is {found.dtype} {found.shape}, not float32 {shape}; {_REMEDY}"
        )
    if not np.isfinite(found).all():
        raise SwiftReIDError(f"encoder {card.name}: the tensor {name!r} holds a number that is not finite; {_REMEDY}")
    return found


def check_bytes(card: EncoderCard, tensors: Tensors, name: str) -> None:
    """Make sure that a tensor holds a file's bytes.

    Raises:
        SwiftReIDError: it is no array of bytes.
    """
    found = tensors[name]
    if found.dtype != np.uint8 or found.ndim != 1:
        raise SwiftReIDError(f"encoder {card.name}: {name!r} is {found.dtype} {found.shape}, not bytes; {_REMEDY}")


def check_finite(vectors: NDArray[Any], what: str = "vector") -> None:
    """Make sure that rows of numbers [n, d] hold neither NaN nor infinity.

    Raises:
        UsageError: one does; the message has its place.
    """
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise UsageError(f"{what} {int(bad[0])} (and {len(bad) - 1} more) holds a number that is not finite")


def repeated(ids: Sequence[str]) -> str | None:
    """The first id that is given a second time; None where each is given once."""
    seen: set[str] = set()
    for each in ids:
        if each in seen:
            return each
        seen.add(each)
    return None


def refuse(card: EncoderCard, what: str) -> SwiftReIDError:
    """The error for a card that contradicts itself or its tensors."""
    return SwiftReIDError(f"encoder {card.name}: {what}; {_REMEDY}")
