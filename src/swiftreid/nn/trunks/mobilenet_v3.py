"""MobileNetV3, small and large: few operations, for CPUs (Howard et al., 'Searching for MobileNetV3', ICCV 2019).

Names are those of torchvision's ImageNet files (``mobilenet_v3_small-047dcff4.pth``,
``mobilenet_v3_large-8738ca79.pth`` and its successor ``-5c1a4163.pth``: ``features.4.block.2.fc1.weight``, ...). The
running means of BNs move by 0.1 a batch, torch's default, and not by torchvision's 0.01, which suits runs of hundreds
of thousands of batches only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from swiftreid.nn.trunks.trunk import Step, Trunk, start_convolutions

STEM = 16


class Row(NamedTuple):
    """One row of the paper's tables 1 and 2: kernel, expanded and output channels, SE, hard swish, stride."""

    kernel: int
    expanded: int
    outside: int
    excite: bool
    swish: bool
    stride: int


LARGE = (
    Row(3, 16, 16, False, False, 1),
    Row(3, 64, 24, False, False, 2),
    Row(3, 72, 24, False, False, 1),
    Row(5, 72, 40, True, False, 2),
    Row(5, 120, 40, True, False, 1),
    Row(5, 120, 40, True, False, 1),
    Row(3, 240, 80, False, True, 2),
    Row(3, 200, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 480, 112, True, True, 1),
    Row(3, 672, 112, True, True, 1),
    Row(5, 672, 160, True, True, 2),
    Row(5, 960, 160, True, True, 1),
    Row(5, 960, 160, True, True, 1),
)
SMALL = (
    Row(3, 16, 16, True, False, 2),
    Row(3, 72, 24, False, False, 2),
    Row(3, 88, 24, False, False, 1),
    Row(5, 96, 40, True, True, 2),
    Row(5, 240, 40, True, True, 1),
    Row(5, 240, 40, True, True, 1),
    Row(5, 120, 48, True, True, 1),
    Row(5, 144, 48, True, True, 1),
    Row(5, 288, 96, True, True, 2),
    Row(5, 576, 96, True, True, 1),
    Row(5, 576, 96, True, True, 1),
)


class Excitation(nn.Module):
    """Squeeze and excitation with a quarter of the channels, in steps of 8, and a hard sigmoid (section 5.3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = in_eights(channels / 4)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, value: Tensor) -> Tensor:
        """The map with its channels weighted."""
        squeezed = value.mean(dim=(2, 3), keepdim=True)
        return value * functional.hardsigmoid(self.fc2(torch.relu_(self.fc1(squeezed))))


class InvertedResidual(nn.Module):
    """1x1 up, convolution by channel, excitation, 1x1 down, and the sum with the input where shapes allow it."""

    def __init__(self, inside: int, row: Row, stride: int) -> None:
        super().__init__()
        act = nn.Hardswish if row.swish else nn.ReLU
        parts: list[nn.Module] = []
        if row.expanded != inside:
            parts.append(_normed(inside, row.expanded, 1, act))
        parts.append(_normed(row.expanded, row.expanded, row.kernel, act, stride=stride, groups=row.expanded))
        if row.excite:
            parts.append(Excitation(row.expanded))
        parts.append(_normed(row.expanded, row.outside, 1, None))
        self.block = nn.Sequential(*parts)
        self.sums = row.stride == 1 and inside == row.outside

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        changed: Tensor = self.block(value)
        return changed + value if self.sums else changed


class MobileNetV3(Trunk):
    """Stages end where the map is next halved; the closing 1x1 convolution belongs to the last.

    Args:
        rows: `SMALL` or `LARGE`.
        last_stride: of the last row that halves the map on ImageNet.
    """

    heads: tuple[str, ...] = ("classifier.",)

    def __init__(self, rows: Sequence[Row], *, last_stride: int = 1) -> None:
        super().__init__()
        halving = [place for place, row in enumerate(rows) if row.stride == 2]
        features: list[nn.Module] = [_normed(3, STEM, 3, nn.Hardswish, stride=2)]
        inside = STEM
        for place, row in enumerate(rows):
            features.append(InvertedResidual(inside, row, last_stride if place == halving[-1] else row.stride))
            inside = row.outside
        self.channels = 6 * inside
        features.append(_normed(inside, self.channels, 1, nn.Hardswish))
        self.features = nn.Sequential(*features)
        # Both networks halve a picture to a quarter and then three times more; a stage ends before each of the three.
        self._ends = (*(place + 1 for place in halving[-3:]), len(features))
        self.stage_channels = (*(rows[end - 2].outside for end in self._ends[:-1]), self.channels)
        start_convolutions(self)

    def steps(self) -> Sequence[Step]:
        """The features, cut before each halving."""
        starts = (0, *self._ends[:-1])
        return [self.features[start:end] for start, end in zip(starts, self._ends, strict=True)]


def in_eights(channels: float) -> int:
    """The multiple of 8 next to a number of channels, at least 8 and not less than nine tenths of it."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _normed(
    inside: int, outside: int, size: int, act: type[nn.Module] | None, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution, BN and activation."""
    parts: list[nn.Module] = [
        nn.Conv2d(inside, outside, size, stride=stride, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside, eps=0.001),
    ]
    if act is not None:
        parts.append(act(inplace=True))
    return nn.Sequential(*parts)


def mobilenet_v3_small(last_stride: int = 1) -> MobileNetV3:
    """MobileNetV3 small: 0.9 million parameters, 576 channels."""
    return MobileNetV3(SMALL, last_stride=last_stride)


def mobilenet_v3_large(last_stride: int = 1) -> MobileNetV3:
    """MobileNetV3 large: 3.0 million parameters, 960 channels."""
    return MobileNetV3(LARGE, last_stride=last_stride)
