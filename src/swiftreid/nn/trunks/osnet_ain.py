"""OSNet-AIN: OSNet with instance normalisation in the blocks where architecture search put it, for unseen cameras.

Zhou et al., 'Learning Generalisable Omni-Scale Representations for Person Re-Identification', TPAMI 2021, section 3.4.
Names are those of the authors' ImageNet file (``osnet_ain_x1_0_imagenet.pth``: ``conv2.0.conv2.3.layers.0.conv1``,
...), which differ from those of OSNet.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from swiftreid.nn.trunks.osnet import CHANNELS, AggregationGate, LightConv, NormedConv
from swiftreid.nn.trunks.trunk import Step, Trunk, start_convolutions


class LightStream(nn.Module):
    """Lite convolutions one after another."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(LightConv(channels) for _ in range(length)))

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        value = self.layers(value)
        return value


class Unnormed(nn.Module):
    """A 1x1 convolution alone, under the name that it has where BN follows."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 1, bias=False)

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        value = self.conv(value)
        return value


class AINBlock(nn.Module):
    """An OSNet block; with ``instance``, instance normalisation takes the place of its last BN, before the sum."""

    def __init__(self, inside: int, outside: int, *, instance: bool) -> None:
        super().__init__()
        planes = outside // 4
        self.conv1 = NormedConv(inside, planes, 1)
        self.conv2 = nn.ModuleList(LightStream(planes, length) for length in (1, 2, 3, 4))
        self.gate = AggregationGate(planes)
        self.conv3: nn.Module = Unnormed(planes, outside) if instance else NormedConv(planes, outside, 1, linear=True)
        self.downsample = None if inside == outside else NormedConv(inside, outside, 1, linear=True)
        self.IN = nn.InstanceNorm2d(outside, affine=True) if instance else None

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        kept = value if self.downsample is None else self.downsample(value)
        narrow = self.conv1(value)
        mixed = self.gate(self.conv2[0](narrow))
        for stream in self.conv2[1:]:
            mixed = mixed + self.gate(stream(narrow))
        mixed = self.conv3(mixed)
        if self.IN is not None:
            mixed = self.IN(mixed)
        return torch.relu_(mixed + kept)


class OSNetAIN(Trunk):
    """Stages as those of `OSNet`; a stage's own halving belongs to it.

    Args:
        width: multiple of the channels 64, 256, 384 and 512.
    """

    heads: tuple[str, ...] = ("fc.", "classifier.")

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        stem, first, second, last = (round(c * width) for c in CHANNELS)
        self.conv1 = NormedConv(3, stem, 7, stride=2, padding=3, instance=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = _group(stem, first, (True, True))
        self.pool2 = nn.Sequential(NormedConv(first, first, 1), nn.AvgPool2d(2))
        self.conv3 = _group(first, second, (False, True))
        self.pool3 = nn.Sequential(NormedConv(second, second, 1), nn.AvgPool2d(2))
        self.conv4 = _group(second, last, (True, False))
        self.conv5 = NormedConv(last, last, 1)
        self.stage_channels = (stem, first, second, last)
        self.channels = last
        start_convolutions(self)

    def steps(self) -> Sequence[Step]:
        """Stem, then the three groups."""
        return (self._stem, self._second, self._third, self._last)

    def _stem(self, pictures: Tensor) -> Tensor:
        value: Tensor = self.maxpool(self.conv1(pictures))
        return value

    def _second(self, value: Tensor) -> Tensor:
        value = self.pool2(self.conv2(value))
        return value

    def _third(self, value: Tensor) -> Tensor:
        value = self.pool3(self.conv3(value))
        return value

    def _last(self, value: Tensor) -> Tensor:
        value = self.conv5(self.conv4(value))
        return value


def _group(inside: int, outside: int, instance: tuple[bool, bool]) -> nn.Sequential:
    return nn.Sequential(
        AINBlock(inside, outside, instance=instance[0]), AINBlock(outside, outside, instance=instance[1])
    )
