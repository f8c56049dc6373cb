"""GoogLeNet with BN (Szegedy et al., 'Going Deeper with Convolutions', CVPR 2015).

Names and details are those of torchvision's ImageNet file (``googlenet-1378be20.pth``), itself brought over from
TensorFlow: pooling rounds sizes up, the 5x5 branch convolves 3x3, and the file was trained on pictures from -1 to 1, so
that pictures normalised as all trunks here take them are brought to that range first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from swiftreid.nn.trunks.trunk import Step, Trunk, start_convolutions

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class BasicConv2d(nn.Module):
    """Convolution, BN, ReLU."""

    def __init__(self, inside: int, outside: int, size: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, size, stride=stride, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outside, eps=0.001)

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        return torch.relu_(self.bn(self.conv(value)))


class Inception(nn.Module):
    """Four branches side by side (Fig. 2b).

    Args:
        inside: channels before.
        single: channels of the 1x1 branch.
        middle: channels before and after the 3x3 convolution.
        wide: channels before and after the convolution of the '5x5' branch.
        pooled: channels of the pooling branch.
    """

    def __init__(self, inside: int, single: int, middle: tuple[int, int], wide: tuple[int, int], pooled: int) -> None:
        super().__init__()
        self.branch1 = BasicConv2d(inside, single, 1)
        self.branch2 = nn.Sequential(BasicConv2d(inside, middle[0], 1), BasicConv2d(*middle, 3))
        self.branch3 = nn.Sequential(BasicConv2d(inside, wide[0], 1), BasicConv2d(*wide, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), BasicConv2d(inside, pooled, 1))

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        return torch.cat((self.branch1(value), self.branch2(value), self.branch3(value), self.branch4(value)), dim=1)


class GoogLeNet(Trunk):
    """Stages: stem, inceptions 3, inceptions 4, inceptions 5.

    Args:
        last_stride: 2 as on ImageNet, or 1 to leave out the pooling before inceptions 5.
    """

    heads: tuple[str, ...] = ("fc.", "aux1.", "aux2.")
    scale: Tensor
    shift: Tensor

    def __init__(self, *, last_stride: int = 1) -> None:
        super().__init__()
        scale, shift = torch.tensor(DEVIATION) * 2, torch.tensor(MEAN) * 2 - 1
        self.register_buffer("scale", scale.view(3, 1, 1), persistent=False)
        self.register_buffer("shift", shift.view(3, 1, 1), persistent=False)
        self.conv1 = BasicConv2d(3, 64, 7, stride=2)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, 1)
        self.conv3 = BasicConv2d(64, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True) if last_stride == 2 else nn.Identity()
        self.inception5a = Inception(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = Inception(832, 384, (192, 384), (48, 128), 128)
        self.stage_channels = (192, 480, 832, 1024)
        self.channels = 1024
        start_convolutions(self)

    def steps(self) -> Sequence[Step]:
        """Stem, then the inceptions of one size each."""
        return (self._stem, self._third, self._fourth, self._fifth)

    def _stem(self, pictures: Tensor) -> Tensor:
        value: Tensor = self.maxpool1(self.conv1(pictures * self.scale + self.shift))
        value = self.conv3(self.conv2(value))
        return value

    def _third(self, value: Tensor) -> Tensor:
        value = self.inception3b(self.inception3a(self.maxpool2(value)))
        return value

    def _fourth(self, value: Tensor) -> Tensor:
        value = self.inception4b(self.inception4a(self.maxpool3(value)))
        value = self.inception4e(self.inception4d(self.inception4c(value)))
        return value

    def _fifth(self, value: Tensor) -> Tensor:
        value = self.inception5b(self.inception5a(self.maxpool4(value)))
        return value


def googlenet(last_stride: int = 1) -> GoogLeNet:
    """GoogLeNet: 5.6 million parameters, 1024 channels."""
    return GoogLeNet(last_stride=last_stride)
