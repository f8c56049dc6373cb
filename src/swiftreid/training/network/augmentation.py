"""Batched augmentation in torch: one call changes all pictures of a batch, each in its own way."""

from __future__ import annotations

from math import log
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from swiftreid.training.network.erasing import erased
from swiftreid.training.network.recipe import Augmentation

MEAN: Final = (0.485, 0.456, 0.406)
"""Of ImageNet's pictures, RGB in 0..1: what pre-trained trunks expect."""

STD: Final = (0.229, 0.224, 0.225)

_GREY: Final = (0.299, 0.587, 0.114)
_COARSEST: Final = 4.0  # times fewer pixels a side


def floats(pictures: Tensor) -> Tensor:
    """uint8 RGB [n, h, w, 3] -> float32 [n, 3, h, w] in 0..1."""
    return pictures.permute(0, 3, 1, 2).float().div_(255.0)


def normalised(pictures: Tensor) -> Tensor:
    """RGB in 0..1, float [n, 3, h, w], less ImageNet's mean and divided by its standard deviation."""
    mean, std = (torch.tensor(values, device=pictures.device).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (pictures - mean) / std


def augmented(pictures: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Pictures as a network takes them, changed at random.

    Order: mirrored, shifted and scaled; colour; resolution; noise; normalised; erased (with the mean, which is 0).

    Args:
        pictures: uint8 RGB [n, h, w, 3].
        how: what is changed, and how much.
        generator: source of all randomness; on the processor, so that every device gives the same.

    Returns:
        float32 [n, 3, h, w] on the pictures' device.
    """
    values = floats(pictures)
    values = _moved(values, how, generator)
    if how.colour:
        values = _recoloured(values, how.colour, generator)
    if how.grey:
        weights = torch.tensor(_GREY, device=values.device).view(1, 3, 1, 1)
        lost = _chosen(len(values), how.grey, generator).view(-1, 1, 1, 1).to(values.device)
        values = torch.where(lost, (values * weights).sum(1, keepdim=True), values)
    if how.blur:
        values = _coarsened(values, how.blur, generator)
    if how.noise:
        spread = how.noise * torch.rand(len(values), 1, 1, 1, generator=generator)
        noise = torch.randn(values.shape, generator=generator) * spread
        values = (values + noise.to(values.device)).clamp(0, 1)
    values = normalised(values)
    return erased(values, how.erase, generator) if how.erase else values


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _chosen(count: int, share: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) < share


def _moved(values: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Mirrored, shifted by up to ``shift`` heights and scaled by up to ``zoom``; outside is black.

    Without ``zoom`` shifts are of whole pixels, as by padding and cropping: interpolation would soften the pictures.
    """
    count, _, height, width = values.shape
    mirrored = _chosen(count, how.flip, generator)
    if not how.zoom:
        return _cropped(values, mirrored, round(how.shift * height), generator)
    mirror = torch.where(mirrored, -1.0, 1.0)
    scale = torch.exp(_uniform(count, -log(1 + how.zoom), log(1 + how.zoom), generator))
    down = 2 * _uniform(count, -how.shift, how.shift, generator)
    across = 2 * _uniform(count, -how.shift, how.shift, generator) * height / width
    zero = torch.zeros(count)
    affine = torch.stack([torch.stack([mirror * scale, zero, across], 1), torch.stack([zero, scale, down], 1)], 1)
    grid = functional.affine_grid(affine.to(values.device), list(values.shape), align_corners=False)
    return functional.grid_sample(values, grid, padding_mode="zeros", align_corners=False)


def _cropped(values: Tensor, mirrored: Tensor, margin: int, generator: torch.Generator) -> Tensor:
    """Pictures, some mirrored, each cut anywhere out of itself with a black margin of so many pixels."""
    count, _, height, width = values.shape
    values = torch.where(mirrored.view(-1, 1, 1, 1).to(values.device), values.flip(3), values)
    if not margin:
        return values
    moves = torch.randint(-margin, margin + 1, (count, 2), generator=generator).tolist()
    moved = torch.zeros_like(values)
    for target, source, (down, across) in zip(moved, values, moves, strict=True):
        (rows, whence), (columns, where) = _overlap(height, down), _overlap(width, across)
        target[:, rows, columns] = source[:, whence, where]
    return moved


def _overlap(size: int, move: int) -> tuple[slice, slice]:
    """Where pixels of a side come to lie that is moved so far, and where they were."""
    kept = max(0, size - abs(move))
    return slice(max(0, move), max(0, move) + kept), slice(max(0, -move), max(0, -move) + kept)


def _recoloured(values: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Gain of each channel (white balance), saturation, contrast, brightness and gamma, as between two cameras."""
    count = len(values)

    def factor(spread: float, channels: int = 1) -> Tensor:
        logs = _uniform(count * channels, -spread, spread, generator).view(count, channels, 1, 1)
        return torch.exp(logs).to(values.device)

    weights = torch.tensor(_GREY, device=values.device).view(1, 3, 1, 1)
    values = values * factor(0.6 * strength, 3)
    grey = (values * weights).sum(1, keepdim=True)
    values = grey + (values - grey) * factor(2.0 * strength)
    mean = values.mean((2, 3), keepdim=True)
    values = (mean + (values - mean) * factor(1.5 * strength)) * factor(1.5 * strength)
    return values.clamp(1e-4, 1).pow(factor(strength))


def _coarsened(values: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Some pictures made of fewer pixels and scaled up again; pictures of a batch share a few factors."""
    count, _, height, width = values.shape
    coarse = _chosen(count, share, generator)
    factors = torch.exp(_uniform(4, 0.25, log(_COARSEST), generator)).tolist()
    group = torch.randint(4, (count,), generator=generator)
    result = values.clone()
    for number, factor in enumerate(factors):
        rows = torch.nonzero(coarse & (group == number)).flatten().to(values.device)
        if len(rows):
            size = (max(8, round(height / factor)), max(4, round(width / factor)))
            small = functional.interpolate(values[rows], size, mode="bilinear", antialias=True)
            result[rows] = functional.interpolate(small, (height, width), mode="bilinear")
    return result
