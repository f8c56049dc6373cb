"""Non-local blocks: each place of a map sees all others."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.nn.trunks.trunk import ADDED, Trunk

PLACES = (("layer2", 1, 2), ("layer3", 2, 3))
"""Layers, their place among the trunk's stages, and how many of their last blocks get a non-local one behind them."""


class NonLocal(nn.Module):
    """``z = W(phi(x)) + x`` with ``phi(x) = theta(x)^T f(x) g(x) / X`` (Wang et al., CVPR 2018; Ye et al., TPAMI 2021).

    theta, f and g are 1x1 convolutions to half the channels, X the number of places, W a 1x1 convolution and a BN
    whose scale starts at 0, so that the block starts as the identity and harms no pre-trained trunk. **Decision**: half
    the channels as in Wang et al.; in AGW's code a slip (``ratio // ratio``) leaves one channel.

    With ``gaussian`` the weight of two places is ``exp(theta^T f)`` over its sum, the embedded Gaussian of Wang et al.

    Args:
        channels: of the map.
        gaussian: whether places are weighed by a softmax in place of the product over X.

    Example:
        >>> block, value = NonLocal(16), torch.randn(2, 16, 6, 3)
        >>> bool((block(value) == value).all())
        True
    """

    def __init__(self, channels: int, *, gaussian: bool = False) -> None:
        super().__init__()
        self.gaussian = gaussian
        inside = max(1, channels // 2)
        self.theta, self.phi, self.g = (nn.Conv2d(channels, inside, 1) for _ in range(3))
        self.up = nn.Conv2d(inside, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, value: Tensor) -> Tensor:
        """Float [n, c, h, w], like ``value``."""
        theta, phi, g = (part(value).flatten(2) for part in (self.theta, self.phi, self.g))  # [n, c/2, X]
        product = theta.transpose(1, 2) @ phi  # [n, X, X]
        affinity = torch.softmax(product, dim=2) if self.gaussian else product / phi.shape[2]
        gathered = (g @ affinity.transpose(1, 2)).reshape(value.shape[0], g.shape[1], *value.shape[2:])
        added: Tensor = self.norm(self.up(gathered))
        return added + value


def add_non_local(trunk: Trunk, name: str) -> None:
    """Put the non-local blocks of AGW into a ResNet: behind the last 2 blocks of layer 2 and the last 3 of layer 3.

    Layers with fewer blocks get one behind each. The trunk's own entries keep their names, so that public files load.

    Args:
        trunk: changed in place.
        name: of the trunk, for the error.

    Raises:
        UsageError: the trunk has no such layers.
    """
    for layer, stage, count in PLACES:
        blocks = getattr(trunk, layer, None)
        if not isinstance(blocks, nn.Sequential):
            raise UsageError(
                f"trunk {name} has no layers of residual blocks to put non-local ones between: take a ResNet"
            )
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for index, (entry, block) in enumerate(blocks.named_children()):
            parts[entry] = block
            if index >= len(blocks) - count:
                parts[f"{ADDED}{entry}"] = NonLocal(trunk.stage_channels[stage])
        setattr(trunk, layer, nn.Sequential(parts))
