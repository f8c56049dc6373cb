"""Relaxations: what stands in for the sign of a value while a network learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Relaxation = Literal["ssr", "none", "sigmoid", "hardsigmoid", "tanh", "hardtanh", "dsh"]
"""What the SSR paper compares (Table 6). ``ssr`` and ``dsh`` squash nothing, and have a loss of their own instead;
``none`` is a float network whose values are cut at 0 in the end."""

Squashing = Literal["none", "sigmoid", "hardsigmoid", "tanh", "hardtanh"]
"""The relaxations that need neither a loss nor a branch of their own; ``none`` for float features."""

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "hardsigmoid": functional.hardsigmoid,
    "tanh": torch.tanh,
    "hardtanh": functional.hardtanh,
}
"""Functions before the classifier. All rise through the middle of their range at 0 (the sigmoids, from 0 to 1, through
0.5), so that the bit of a relaxed value is the sign of the value itself."""


def relaxed(values: Tensor, relaxation: Relaxation) -> Tensor:
    """Values as classifiers and metric losses see them, of the same shape."""
    activation = ACTIVATIONS.get(relaxation)
    return values if activation is None else activation(values)
