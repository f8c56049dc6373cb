"""SE-ResNet-50 and SE-ResNeXt-50 (Hu et al., 'Squeeze-and-Excitation Networks', CVPR 2018).

Names and details are those of the files of Cadene's pretrained-models (``se_resnet50-ce0d4300.pth`` and
``se_resnext50_32x4d-a260b3a4.pth``), the ones that re-identification uses: the stem is ``layer0`` and its pooling
rounds sizes up, the excitation is two 1x1 convolutions with bias, and the ResNet strides in its first 1x1 convolution,
as Caffe's did, the ResNeXt in its 3x3 one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from swiftreid.nn.trunks.resnet import PLANES, STEM, conv1x1, conv3x3, shortcut
from swiftreid.nn.trunks.trunk import Step, Trunk, start_convolutions

REDUCTION = 16
EXPANSION = 4


class SqueezeExcitation(nn.Module):
    """Weight of each channel from the map's means (Eq. 2 to 4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // REDUCTION, 1)
        self.fc2 = nn.Conv2d(channels // REDUCTION, channels, 1)

    def forward(self, value: Tensor) -> Tensor:
        """The map with its channels weighted."""
        squeezed = value.mean(dim=(2, 3), keepdim=True)
        return value * torch.sigmoid(self.fc2(torch.relu_(self.fc1(squeezed))))


class SEBottleneck(nn.Module):
    """A bottleneck whose output is weighed by channel before the sum.

    Args:
        inside: channels before.
        planes: a quarter of the channels after.
        width: channels of the 3x3 convolution.
        groups: of the 3x3 convolution.
        strides: of the first 1x1 and of the 3x3 convolution.
    """

    def __init__(self, inside: int, planes: int, width: int, groups: int, strides: tuple[int, int]) -> None:
        super().__init__()
        outside = planes * EXPANSION
        self.conv1 = conv1x1(inside, width, strides[0])
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, strides[1], groups)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, outside)
        self.bn3 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        self.se_module = SqueezeExcitation(outside)
        self.downsample = shortcut(inside, outside, strides[0] * strides[1])

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        kept = value if self.downsample is None else self.downsample(value)
        value = self.relu(self.bn1(self.conv1(value)))
        value = self.relu(self.bn2(self.conv2(value)))
        value = self.bn3(self.conv3(value))
        return torch.relu_(self.se_module(value) + kept)


class SEResNet(Trunk):
    """Stem, then four layers of 3, 4, 6 and 3 blocks; the stem belongs to the first stage.

    Args:
        block: makes a block from (channels before, planes, stride).
        last_stride: stride of the last layer.
    """

    heads: tuple[str, ...] = ("last_linear.",)

    def __init__(self, block: Callable[[int, int, int], nn.Module], *, last_stride: int = 1) -> None:
        super().__init__()
        self.layer0 = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, STEM, 7, stride=2, padding=3, bias=False),
                bn1=nn.BatchNorm2d(STEM),
                relu1=nn.ReLU(inplace=True),
                pool=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            )
        )
        inside = STEM
        layers: list[nn.Sequential] = []
        for planes, depth, stride in zip(PLANES, (3, 4, 6, 3), (1, 2, 2, last_stride), strict=True):
            blocks = nn.Sequential()
            for place in range(depth):
                blocks.append(block(inside, planes, stride if place == 0 else 1))
                inside = planes * EXPANSION
            layers.append(blocks)
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.stage_channels = tuple(planes * EXPANSION for planes in PLANES)
        self.channels = self.stage_channels[-1]
        start_convolutions(self)

    def steps(self) -> Sequence[Step]:
        """Stem and layer 1, then layers 2, 3 and 4."""
        return (self._first, self.layer2, self.layer3, self.layer4)

    def _first(self, pictures: Tensor) -> Tensor:
        value: Tensor = self.layer1(self.layer0(pictures))
        return value


def _resnet_block(inside: int, planes: int, stride: int) -> nn.Module:
    return SEBottleneck(inside, planes, planes, 1, (stride, 1))


def _resnext_block(inside: int, planes: int, stride: int) -> nn.Module:
    return SEBottleneck(inside, planes, planes * 2, 32, (1, stride))


def se_resnet50(last_stride: int = 1) -> SEResNet:
    """SE-ResNet-50: 26.0 million parameters, 2048 channels."""
    return SEResNet(_resnet_block, last_stride=last_stride)


def se_resnext50(last_stride: int = 1) -> SEResNet:
    """SE-ResNeXt-50 (32 groups of 4): 25.5 million parameters, 2048 channels."""
    return SEResNet(_resnext_block, last_stride=last_stride)
