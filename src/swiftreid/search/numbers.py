"""Whole numbers that callers give."""

from __future__ import annotations

import numpy as np

from swiftreid.errors import UsageError


def whole_number(name: str, value: object, least: int) -> int:
    """The number as an int.

    Raises:
        UsageError: it is not whole, less than ``least``, or 2^52 or more; the message gives its name.
    """
    if type(value) is int and least <= value < 2**52:  # the usual case
        return value
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value < 2**52:
        raise UsageError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)
