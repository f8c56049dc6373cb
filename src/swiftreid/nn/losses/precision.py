"""Losses in full precision, whatever the network before them ran in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")

_HALF = (torch.float16, torch.bfloat16)


def in_full_precision(loss: Callable[P, R]) -> Callable[P, R]:
    """Run a loss outside of autocast, its half-precision arguments made float32.

    Distances are differences of large numbers, and distillation weighs small squares a thousandfold: with 8 or 11 bits
    of mantissa little would be left of either. Losses are a thousandth of a step's work, so precision costs nothing.
    """

    @wraps(loss)
    def full(*args: P.args, **kwargs: P.kwargs) -> R:
        devices = {value.device.type for value in args if isinstance(value, Tensor)}
        device = devices.pop() if devices else "cpu"
        with torch.autocast(device, enabled=False):
            return loss(*map(_raised, args), **{name: _raised(value) for name, value in kwargs.items()})

    return full


def _raised(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype in _HALF else value
