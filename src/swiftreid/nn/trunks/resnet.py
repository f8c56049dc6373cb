"""ResNet-18, -34 and -50 (He et al., 'Deep Residual Learning for Image Recognition', CVPR 2016).

Names are those of torchvision's ImageNet files (``conv1``, ``layer1.0.bn2``, ...). As there, a bottleneck strides in
its 3x3 convolution, not in the first 1x1 one of the paper's network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from swiftreid.nn.trunks.trunk import Step, Trunk, start_convolutions

STEM = 64
PLANES = (64, 128, 256, 512)


def conv1x1(inside: int, outside: int, stride: int = 1) -> nn.Conv2d:
    """1x1 convolution without bias."""
    return nn.Conv2d(inside, outside, 1, stride=stride, bias=False)


def conv3x3(inside: int, outside: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """3x3 convolution without bias that keeps the size (divided by the stride)."""
    return nn.Conv2d(inside, outside, 3, stride=stride, padding=1, groups=groups, bias=False)


def shortcut(inside: int, outside: int, stride: int) -> nn.Sequential | None:
    """Strided 1x1 convolution and BN where the sum of a block needs another shape, else nothing."""
    if stride == 1 and inside == outside:
        return None
    return nn.Sequential(conv1x1(inside, outside, stride), nn.BatchNorm2d(outside))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, then the sum with the input."""

    expansion = 1

    def __init__(self, inside: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(inside, planes, stride)
        self.bn1: nn.Module = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inside, planes, stride)

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        kept = value if self.downsample is None else self.downsample(value)
        value = self.relu(self.bn1(self.conv1(value)))
        value = self.bn2(self.conv2(value))
        return torch.relu_(value + kept)


class Bottleneck(nn.Module):
    """1x1 down to ``planes``, 3x3, 1x1 up to four times as many, then the sum with the input."""

    expansion = 4

    def __init__(self, inside: int, planes: int, stride: int) -> None:
        super().__init__()
        outside = planes * self.expansion
        self.conv1 = conv1x1(inside, planes)
        self.bn1: nn.Module = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = conv1x1(planes, outside)
        self.bn3 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inside, outside, stride)

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        kept = value if self.downsample is None else self.downsample(value)
        value = self.relu(self.bn1(self.conv1(value)))
        value = self.relu(self.bn2(self.conv2(value)))
        value = self.bn3(self.conv3(value))
        return torch.relu_(value + kept)


class ResNet(Trunk):
    """Stem, then four layers of residual blocks; a stage is a layer, the stem belongs to the first.

    Args:
        block: makes a block from (channels before, planes, stride, index of its layer from 0).
        expansion: channels after a block, as a multiple of its planes.
        depths: blocks of each layer.
        last_stride: stride of the last layer, 2 as on ImageNet or 1 for a map twice as fine.
        width: multiple of all channels.
    """

    def __init__(
        self,
        block: Callable[[int, int, int, int], nn.Module],
        expansion: int,
        depths: Sequence[int],
        *,
        last_stride: int = 1,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        inside = round(STEM * width)
        self.conv1 = nn.Conv2d(3, inside, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        layers: list[nn.Sequential] = []
        stage_channels: list[int] = []
        for index, (full, depth, stride) in enumerate(zip(PLANES, depths, (1, 2, 2, last_stride), strict=True)):
            planes = round(full * width)
            blocks = nn.Sequential()
            for place in range(depth):
                blocks.append(block(inside, planes, stride if place == 0 else 1, index))
                inside = planes * expansion
            layers.append(blocks)
            stage_channels.append(inside)
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.stage_channels = tuple(stage_channels)
        self.channels = stage_channels[-1]
        start_convolutions(self)

    def steps(self) -> Sequence[Step]:
        """Stem and layer 1, then layers 2, 3 and 4."""
        return (self._first, self.layer2, self.layer3, self.layer4)

    def _first(self, pictures: Tensor) -> Tensor:
        value: Tensor = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(pictures)))))
        return value


def _basic(inside: int, planes: int, stride: int, layer: int) -> nn.Module:
    return BasicBlock(inside, planes, stride)


def _bottleneck(inside: int, planes: int, stride: int, layer: int) -> nn.Module:
    return Bottleneck(inside, planes, stride)


def resnet18(last_stride: int = 1) -> ResNet:
    """ResNet-18: 11.2 million parameters, 512 channels."""
    return ResNet(_basic, 1, (2, 2, 2, 2), last_stride=last_stride)


def resnet18_half(last_stride: int = 1) -> ResNet:
    """ResNet-18 of half the width (32 to 256 channels): 2.8 million parameters; no public file fits it."""
    return ResNet(_basic, 1, (2, 2, 2, 2), last_stride=last_stride, width=0.5)


def resnet34(last_stride: int = 1) -> ResNet:
    """ResNet-34: 21.3 million parameters, 512 channels."""
    return ResNet(_basic, 1, (3, 4, 6, 3), last_stride=last_stride)


def resnet50(last_stride: int = 1) -> ResNet:
    """ResNet-50: 23.5 million parameters, 2048 channels."""
    return ResNet(_bottleneck, 4, (3, 4, 6, 3), last_stride=last_stride)
