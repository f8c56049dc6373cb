"""Deformable convolution: each tap of the kernel has an offset of its own, fractions of a pixel too."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

KERNEL = 3


class DeformableConv2d(nn.Module):
    """``y[j] = sum_k w_k . x[j + j_k + o_k]`` over a 3x3 kernel (Dai et al., ICCV 2017; Eq. 9 of Wu et al., TIP 2022).

    Values between pixels are bilinear; outside the map there is 0. Offsets come in the order of torchvision's
    ``deform_conv2d``: for each tap, row by row, how far down and how far across, in pixels. With offsets of 0 it is a
    convolution with a padding of 1.

    Args:
        inside: channels before.
        outside: channels after.

    Example:
        >>> layer = DeformableConv2d(4, 8)
        >>> layer(torch.zeros(2, 4, 6, 3), torch.zeros(2, 18, 6, 3)).shape
        torch.Size([2, 8, 6, 3])
    """

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outside, inside, KERNEL, KERNEL))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, value: Tensor, offsets: Tensor) -> Tensor:
        """Float [n, outside, h, w].

        Args:
            value: float [n, inside, h, w].
            offsets: float [n, 18, h, w].
        """
        count, channels, height, width = value.shape
        taps = KERNEL * KERNEL
        moves = offsets.reshape(count, taps, 2, height, width)
        rows = torch.arange(height, device=value.device, dtype=value.dtype).view(1, 1, height, 1)
        columns = torch.arange(width, device=value.device, dtype=value.dtype).view(1, 1, 1, width)
        j_k = torch.arange(taps, device=value.device)
        down = rows + (j_k // KERNEL - 1).view(1, taps, 1, 1) + moves[:, :, 0]  # [n, taps, h, w]
        across = columns + (j_k % KERNEL - 1).view(1, taps, 1, 1) + moves[:, :, 1]
        # From pixels to the range that `grid_sample` takes: -1 and 1 are the outer edges of the outer pixels.
        grid = torch.stack([(2 * across + 1) / width - 1, (2 * down + 1) / height - 1], dim=4)
        sampled = functional.grid_sample(
            value, grid.view(count, taps * height, width, 2).to(value.dtype), padding_mode="zeros", align_corners=False
        )
        sampled = sampled.view(count, channels, taps, height, width)
        return torch.einsum("oct,ncthw->nohw", self.weight.flatten(2), sampled)  # Eq. 9
