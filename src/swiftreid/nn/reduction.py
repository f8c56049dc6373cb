"""A pooled vector made shorter: 1x1 convolution and BN, and what classifiers see of it."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.nn.relaxation import Squashing, relaxed


class Reduction(nn.Sequential):
    """Linear layer and BN: float [n, channels] -> [n, length].

    The 1x1 convolution of PCB and MGN; of pooled maps it is linear. It has no bias, which BN would take away again.
    """

    def __init__(self, channels: int, length: int) -> None:
        layer = nn.Linear(channels, length, bias=False)
        nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        super().__init__(layer, nn.BatchNorm1d(length))


def activated(reduced: Tensor, relaxation: Squashing) -> Tensor:
    """What a host's classifiers see: a ReLU, in whose place hashing puts the relaxation; of the same shape."""
    return torch.relu(reduced) if relaxation == "none" else relaxed(reduced, relaxation)


def check_squashing(relaxation: str) -> None:
    """Raise `UsageError` unless there is such a relaxation."""
    if relaxation not in get_args(Squashing):
        raise UsageError(f"relaxation must be one of {', '.join(get_args(Squashing))}, got {relaxation!r}")
