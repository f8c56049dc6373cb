"""Pooling of a trunk's last map to one feature."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError

Pooling = Literal["average", "gem", "max"]


class AveragePooling(nn.Module):
    """Mean over the map: float [n, c, h, w] -> [n, c]."""

    def forward(self, value: Tensor) -> Tensor:
        """Float [n, c]."""
        return value.mean(dim=(2, 3))


class MaxPooling(nn.Module):
    """Maximum over the map: float [n, c, h, w] -> [n, c]."""

    def forward(self, value: Tensor) -> Tensor:
        """Float [n, c]."""
        return value.amax(dim=(2, 3))


class GeneralisedMeanPooling(nn.Module):
    """GeM: ``(mean of x^p)^(1/p)``, one learned p for all channels (Radenovic et al., TPAMI 2019, Eq. 3).

    p = 1 is the mean; the larger p, the closer to the maximum. Values are clamped at ``floor`` first, because powers
    need positive ones; maps after a ReLU lose nothing by it.

    Args:
        power: p at the start.
        floor: smallest value taken.
    """

    def __init__(self, power: float = 3.0, floor: float = 1e-6) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([power]))
        self.floor = floor

    def forward(self, value: Tensor) -> Tensor:
        """Float [n, c]; powers are taken in float32, where half precision would overflow."""
        raised = value.float().clamp(min=self.floor).pow(self.power.float())
        return raised.mean(dim=(2, 3)).pow(1.0 / self.power.float()).to(value.dtype)


def make_pooling(name: str) -> nn.Module:
    """Pooling by name, ``"average"``, ``"gem"`` or ``"max"``: float [n, c, h, w] -> [n, c].

    Raises:
        UsageError: there is no such pooling.
    """
    if name == "average":
        return AveragePooling()
    if name == "gem":
        return GeneralisedMeanPooling()
    if name == "max":
        return MaxPooling()
    raise UsageError(f"there is no pooling {name!r}; there are {', '.join(get_args(Pooling))}")
