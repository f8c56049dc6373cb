"""Trunks by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial

import torch

from swiftreid.errors import UsageError
from swiftreid.nn.trunks.googlenet import googlenet
from swiftreid.nn.trunks.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small
from swiftreid.nn.trunks.osnet import OSNet
from swiftreid.nn.trunks.osnet_ain import OSNetAIN
from swiftreid.nn.trunks.resnet import resnet18, resnet18_half, resnet34, resnet50
from swiftreid.nn.trunks.resnet_ibn import resnet18_half_ibn_a, resnet18_ibn_a, resnet50_ibn_a
from swiftreid.nn.trunks.se_resnet import se_resnet50, se_resnext50
from swiftreid.nn.trunks.timm_trunk import PREFIX, TimmTrunk
from swiftreid.nn.trunks.trunk import Trunk

_STRIDED: dict[str, Callable[[int], Trunk]] = {
    "resnet18": resnet18,
    "resnet18_half": resnet18_half,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet18_ibn_a": resnet18_ibn_a,
    "resnet18_half_ibn_a": resnet18_half_ibn_a,
    "resnet50_ibn_a": resnet50_ibn_a,
    "se_resnet50": se_resnet50,
    "se_resnext50": se_resnext50,
    "googlenet": googlenet,
    "mobilenet_v3_small": mobilenet_v3_small,
    "mobilenet_v3_large": mobilenet_v3_large,
}
_UNSTRIDED: dict[str, Callable[[], Trunk]] = {
    "osnet_x0_25": partial(OSNet, 0.25),
    "osnet_x0_5": partial(OSNet, 0.5),
    "osnet_x0_75": partial(OSNet, 0.75),
    "osnet_x1_0": partial(OSNet, 1.0),
    "osnet_ain_x0_25": partial(OSNetAIN, 0.25),
    "osnet_ain_x0_5": partial(OSNetAIN, 0.5),
    "osnet_ain_x0_75": partial(OSNetAIN, 0.75),
    "osnet_ain_x1_0": partial(OSNetAIN, 1.0),
}

TRUNKS: tuple[str, ...] = (*_STRIDED, *_UNSTRIDED)
"""Names that `make_trunk` knows, beside ``timm:NAME``."""


def make_trunk(name: str, *, last_stride: int = 1) -> Trunk:
    """A trunk by name, with random weights from torch's global generator (`torch.manual_seed`).

    Args:
        name: one of `TRUNKS`, or ``timm:NAME`` where timm is installed.
        last_stride: stride of the last layer: 2 as on ImageNet, 1 for a map twice as fine, as re-identification
            takes it. OSNet ends that fine by itself and has no such stride.

    Raises:
        UsageError: the name is unknown or the stride is neither 1 nor 2, or 2 for OSNet.
        SwiftReIDError: the trunk is timm's and timm cannot be imported.

    Example:
        >>> trunk = make_trunk("resnet18")
        >>> import torch
        >>> trunk(torch.zeros(2, 3, 128, 64)).shape
        torch.Size([2, 512, 8, 4])
    """
    if last_stride not in (1, 2):
        raise UsageError(f"the last stride of a trunk is 1 or 2, got {last_stride}")
    if name in _STRIDED:
        return _STRIDED[name](last_stride)
    if name in _UNSTRIDED:
        if last_stride != 1:
            raise UsageError(f"{name} has no last stride to change: leave last_stride at 1")
        return _UNSTRIDED[name]()
    if name.startswith(PREFIX):
        return TimmTrunk(name.removeprefix(PREFIX), last_stride=last_stride)
    raise UsageError(f"there is no trunk {name!r}; there are {', '.join(TRUNKS)}, and {PREFIX}NAME with timm")


def trunk_with(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The trunk whose weights have these names and shapes; None where there is none of `TRUNKS`.

    Args:
        shapes: of each weight by its name in the trunk; counts of batches may be left out.
    """
    given = {name: shape for name, shape in shapes.items() if "num_batches" not in name}
    return next((name for name in TRUNKS if _shapes(name) == given), None)


@cache
def _shapes(name: str) -> Mapping[str, tuple[int, ...]]:
    with torch.device("meta"):  # no memory, and no random numbers
        state = make_trunk(name).state_dict()
    return {key: tuple(value.shape) for key, value in state.items() if "num_batches" not in key}
