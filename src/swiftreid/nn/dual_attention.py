"""The two attentions of ABD-Net: among channels (CAM) and among places (PAM)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

REDUCTION = 8
"""By which the position attention divides the channels to compare places."""


class ChannelAttention(nn.Module):
    """``E_i = gamma sum_j x_ij A_j + A_i`` with ``x = softmax_rows(A A^T)`` (Chen et al., ICCV 2019, section 3.2).

    A is the map, flattened to [channels, places]. gamma is learned and starts at 0, so that the module starts as the
    identity. **Decision**: the affinity is as the paper prints it; the authors' code takes the softmax of
    ``max - A A^T``, by which the least similar channels count most.

    Example:
        >>> value = torch.randn(2, 16, 6, 3)
        >>> bool((ChannelAttention()(value) == value).all())
        True
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, value: Tensor) -> Tensor:
        """Float [n, c, h, w], like ``value``."""
        A = value.flatten(2)
        x = torch.softmax(A @ A.transpose(1, 2), dim=2)  # [n, c, c]
        return self.gamma * (x @ A).reshape(value.shape) + value


class PositionAttention(nn.Module):
    """``E = gamma D S^T + A`` with ``S = softmax_rows(B^T C)`` over places (Chen et al., ICCV 2019, section 3.2).

    B, C and D are the map behind 1x1 convolutions with BN and ReLU; gamma as in `ChannelAttention`. **Decision**: B
    and C have an eighth of the channels, as in the authors' code and as non-local blocks compare places.

    Args:
        channels: of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inside = max(1, channels // REDUCTION)
        self.first, self.second = _convolved(channels, inside), _convolved(channels, inside)
        self.third = _convolved(channels, channels)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, value: Tensor) -> Tensor:
        """Float [n, c, h, w], like ``value``."""
        B, C, D = (part(value).flatten(2) for part in (self.first, self.second, self.third))
        S = torch.softmax(B.transpose(1, 2) @ C, dim=2)  # [n, X, X], X = h * w, rows sum to 1
        refined: Tensor = (D @ S.transpose(1, 2)).reshape(value.shape)
        return self.gamma * refined + value


def _convolved(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True))
