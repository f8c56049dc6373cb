"""Trunks by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from swiftreid.errors import UsageError
from swiftreid.nn.trunks.osnet import OSNet
from swiftreid.nn.trunks.resnet import resnet18, resnet18_half, resnet34, resnet50
from swiftreid.nn.trunks.trunk import Trunk

_STRIDED: dict[str, Callable[[int], Trunk]] = {
    "resnet18": resnet18,
    "resnet18_half": resnet18_half,
    "resnet34": resnet34,
    "resnet50": resnet50,
}
_UNSTRIDED: dict[str, Callable[[], Trunk]] = {
    "osnet_x0_25": partial(OSNet, 0.25),
    "osnet_x0_5": partial(OSNet, 0.5),
    "osnet_x0_75": partial(OSNet, 0.75),
    "osnet_x1_0": partial(OSNet, 1.0),
}

TRUNKS: tuple[str, ...] = (*_STRIDED, *_UNSTRIDED)
"""Names that `make_trunk` knows."""


def make_trunk(name: str, *, last_stride: int = 1) -> Trunk:
    """A trunk by name, with random weights from torch's global generator (`torch.manual_seed`).

    Args:
        name: one of `TRUNKS`.
        last_stride: stride of the last layer: 2 as on ImageNet, 1 for a map twice as fine, as re-identification
            takes it. OSNet ends that fine by itself and has no such stride.

    Raises:
        UsageError: the name is unknown or the stride is neither 1 nor 2, or 2 for OSNet.

    Example:
        >>> trunk = make_trunk("resnet18")
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
    raise UsageError(f"there is no trunk {name!r}; there are {', '.join(TRUNKS)}")
