"""OSNet (Zhou et al., 'Omni-Scale Feature Learning for Person Re-Identification', ICCV 2019).

Names are those of the authors' ImageNet files (``osnet_x1_0_imagenet.pth`` and so on: ``conv2.0.conv2c.1.conv1``, ...).
The network halves its map four times only, so that it ends at 1/16 of the picture as re-identification wants it; there
is no last stride to change. The fully connected layer behind the pooled feature (``fc``) belongs to the head.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from swiftreid.nn.trunks.trunk import Step, Trunk, start_convolutions

CHANNELS = (64, 256, 384, 512)
REDUCTION = 16
STREAMS = "abcd"


class NormedConv(nn.Module):
    """Convolution, BN (or instance normalisation) and, unless ``linear``, ReLU."""

    def __init__(
        self,
        inside: int,
        outside: int,
        size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        linear: bool = False,
        instance: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, size, stride=stride, padding=padding, bias=False)
        self.bn = nn.InstanceNorm2d(outside, affine=True) if instance else nn.BatchNorm2d(outside)
        self.linear = linear

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        value = self.bn(self.conv(value))
        return value if self.linear else torch.relu_(value)


class LightConv(nn.Module):
    """The lite 3x3 convolution: a linear 1x1 one, a 3x3 one by channel, BN, ReLU (section 3.1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        return torch.relu_(self.bn(self.conv2(self.conv1(value))))


class AggregationGate(nn.Module):
    """Weight of each channel from the map's own means (Eq. 3): two 1x1 convolutions on the pooled map, a sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // REDUCTION, 1)
        self.fc2 = nn.Conv2d(channels // REDUCTION, channels, 1)

    def forward(self, value: Tensor) -> Tensor:
        """The map with its channels weighted."""
        pooled = value.mean(dim=(2, 3), keepdim=True)
        return value * torch.sigmoid(self.fc2(torch.relu_(self.fc1(pooled))))


class OSBlock(nn.Module):
    """Four streams of 1 to 4 lite convolutions, weighed by one shared gate, in a bottleneck (section 3.2)."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        planes = outside // 4
        self.conv1 = NormedConv(inside, planes, 1)
        self.conv2a = LightConv(planes)
        for length, stream in enumerate(STREAMS[1:], start=2):
            self.add_module(f"conv2{stream}", nn.Sequential(*(LightConv(planes) for _ in range(length))))
        self.gate = AggregationGate(planes)
        self.conv3 = NormedConv(planes, outside, 1, linear=True)
        self.downsample = None if inside == outside else NormedConv(inside, outside, 1, linear=True)

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        kept = value if self.downsample is None else self.downsample(value)
        narrow = self.conv1(value)
        mixed = self.gate(self.conv2a(narrow))
        for stream in STREAMS[1:]:
            mixed = mixed + self.gate(self.get_submodule(f"conv2{stream}")(narrow))
        return torch.relu_(self.conv3(mixed) + kept)


class OSNet(Trunk):
    """Stages: the stem, then the three groups of blocks (the last with the closing 1x1 convolution).

    Args:
        width: multiple of the channels 64, 256, 384 and 512.
    """

    heads: tuple[str, ...] = ("fc.", "classifier.")

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        stem, first, second, last = (round(c * width) for c in CHANNELS)
        self.conv1 = NormedConv(3, stem, 7, stride=2, padding=3)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = _group(stem, first, halve=True)
        self.conv3 = _group(first, second, halve=True)
        self.conv4 = _group(second, last, halve=False)
        self.conv5 = NormedConv(last, last, 1)
        self.stage_channels = (stem, first, second, last)
        self.channels = last
        start_convolutions(self)

    def steps(self) -> Sequence[Step]:
        """Stem, then the three groups."""
        return (self._stem, self.conv2, self.conv3, self._last)

    def _stem(self, pictures: Tensor) -> Tensor:
        value: Tensor = self.maxpool(self.conv1(pictures))
        return value

    def _last(self, value: Tensor) -> Tensor:
        value = self.conv5(self.conv4(value))
        return value


def _group(inside: int, outside: int, *, halve: bool) -> nn.Sequential:
    """Two blocks and, where the map is halved, a 1x1 convolution and average pooling."""
    group = nn.Sequential(OSBlock(inside, outside), OSBlock(outside, outside))
    if halve:
        group.append(nn.Sequential(NormedConv(outside, outside, 1), nn.AvgPool2d(2)))
    return group
