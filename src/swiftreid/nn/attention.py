"""The attribute-guided attention block (AAB): which places and channels of a map matter for a person's identity."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError


class AttributeAttention(nn.Module):
    """``F_ref = (SAAB(F) + CAAB(F)) * F + F`` (Jin et al., Neurocomputing 2021, Eq. 8 to 10, Fig. 4).

    Nothing in the block knows of attributes: it is their loss, on the vector pooled behind it, that guides it. The last
    convolutions start at 0, so that the block starts as the identity and harms no pre-trained trunk.

    Args:
        channels: of the map.
        reduction: r, by which the block divides them inside.

    Raises:
        UsageError: nothing would be left of the channels.

    Example:
        >>> block, value = AttributeAttention(16), torch.randn(2, 16, 6, 3)
        >>> bool((block(value) == value).all())
        True
    """

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        if not 1 <= reduction <= channels:
            raise UsageError(f"reduction must be from 1 to the map's {channels} channels, got {reduction}")
        self.spatial = _Relation(channels, channels // reduction)
        self.channel = _Relation(channels, channels // reduction)

    def forward(self, value: Tensor) -> Tensor:
        """Refined map, float [n, c, h, w] like ``value``."""
        return self.mask(value) * value + value  # Eq. 10

    def mask(self, value: Tensor) -> Tensor:
        """What the map is multiplied by, less 1: ``SAAB(F) + CAAB(F)``, float [n, c, h, w]."""
        F1, F2, F3 = self.spatial.embedded(value)  # [n, C/r, X] each, X = h * w
        R_S = torch.softmax(F1.transpose(1, 2) @ F2, dim=2)  # Eq. 8: [n, X, X], rows sum to 1
        F_S = self.spatial.raised(F3 @ R_S.transpose(1, 2), value)
        F1, F2, F3 = self.channel.embedded(value)
        R_C = torch.softmax(F2 @ F1.transpose(1, 2), dim=2)  # Eq. 9: [n, C/r, C/r]
        F_C = self.channel.raised(R_C @ F3, value)
        return F_S + F_C


class _Relation(nn.Module):
    """The convolutions of one of the two halves: three down to fewer channels, one up again."""

    def __init__(self, channels: int, inside: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(channels, inside, 1) for _ in range(3))
        self.up = nn.Conv2d(inside, channels, 1)
        nn.init.zeros_(self.up.weight)
        assert self.up.bias is not None
        nn.init.zeros_(self.up.bias)

    def embedded(self, value: Tensor) -> list[Tensor]:
        return [down(value).flatten(2) for down in self.down]

    def raised(self, value: Tensor, like: Tensor) -> Tensor:
        raised: Tensor = self.up(value.reshape(*value.shape[:2], *like.shape[2:]))
        return raised
