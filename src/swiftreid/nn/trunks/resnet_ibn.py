"""ResNets with instance and batch normalisation side by side, type a (Pan et al., 'Two at Once: IBN-Net', ECCV 2018).

In the blocks of layers 1 to 3 the first norm is half instance normalisation, which takes out how a picture was lit and
coloured, and half BN, which keeps differences between persons; layer 4 has BN only. Names are those of the authors'
files (``resnet50_ibn_a-d9d0bb7b.pth``: ``layer1.0.bn1.IN.weight``, ``layer1.0.bn1.BN.weight``, ...).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swiftreid.nn.trunks.resnet import BasicBlock, Bottleneck, ResNet

NORMED_LAYERS = 3


class IBN(nn.Module):
    """Instance normalisation for the first half of the channels, BN for the others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.instanced = channels // 2
        self.IN = nn.InstanceNorm2d(self.instanced, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.instanced)

    def forward(self, value: Tensor) -> Tensor:
        """Map to map."""
        return torch.cat((self.IN(value[:, : self.instanced]), self.BN(value[:, self.instanced :])), dim=1)


def _basic(inside: int, planes: int, stride: int, layer: int) -> nn.Module:
    block = BasicBlock(inside, planes, stride)
    if layer < NORMED_LAYERS:
        block.bn1 = IBN(planes)
    return block


def _bottleneck(inside: int, planes: int, stride: int, layer: int) -> nn.Module:
    block = Bottleneck(inside, planes, stride)
    if layer < NORMED_LAYERS:
        block.bn1 = IBN(planes)
    return block


def resnet18_ibn_a(last_stride: int = 1) -> ResNet:
    """ResNet-18-IBN-a: 11.2 million parameters, 512 channels."""
    return ResNet(_basic, 1, (2, 2, 2, 2), last_stride=last_stride)


def resnet18_half_ibn_a(last_stride: int = 1) -> ResNet:
    """ResNet-18-IBN-a of half the width: 2.8 million parameters, 256 channels; no public file fits it."""
    return ResNet(_basic, 1, (2, 2, 2, 2), last_stride=last_stride, width=0.5)


def resnet50_ibn_a(last_stride: int = 1) -> ResNet:
    """ResNet-50-IBN-a: 23.5 million parameters, 2048 channels."""
    return ResNet(_bottleneck, 4, (3, 4, 6, 3), last_stride=last_stride)
