"""A running average of a network's weights, which generalises better than the last step's."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of all weights and buffers: ``a <- keep a + (1 - keep) w`` at each step.

    While few steps were made the average keeps less, ``(1 + steps) / (10 + steps)``, so that the start is soon
    forgotten.

    Args:
        network: what is averaged.
        keep: share kept at each step, below 1.
    """

    def __init__(self, network: nn.Module, keep: float) -> None:
        self.keep = keep
        self.values = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, steps: int) -> None:
        """Take in the weights after ``steps`` steps."""
        keep = min(self.keep, (1 + steps) / (10 + steps))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - keep)
            else:
                self.values[name].copy_(value)

    def swapped(self, network: nn.Module) -> dict[str, Tensor]:
        """Put the average into the network; returns what was there, for ``load_state_dict`` afterwards."""
        before = {name: value.detach().clone() for name, value in network.state_dict().items()}
        network.load_state_dict(self.values)
        return before
