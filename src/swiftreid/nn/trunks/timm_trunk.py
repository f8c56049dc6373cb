"""Trunks of timm, when it is installed: ``timm:NAME``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.nn.trunks.trunk import Step, Trunk

PREFIX = "timm:"
UPRIGHT = (128, 64)


class TimmTrunk(Trunk):
    """A convolutional network of timm without its classifier; its own names, so that timm's files load.

    Args:
        name: timm's name, without ``timm:``.
        last_stride: 1 asks timm for an output stride of 16, which it reaches by dilation.

    Raises:
        SwiftReIDError: timm cannot be imported.
        UsageError: timm has no such network, or the network gives no map or cannot take the stride.
    """

    def __init__(self, name: str, *, last_stride: int = 1) -> None:
        super().__init__()
        timm = _timm()
        settings: dict[str, Any] = {} if last_stride == 2 else {"output_stride": 16}
        try:
            network = timm.create_model(name, pretrained=False, num_classes=0, **settings)
        except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
            hint = "" if last_stride == 2 else "; if it cannot end at 1/16 of the picture, set last_stride to 2"
            raise UsageError(f"timm cannot make {name!r}: {str(error) or type(error).__name__}{hint}") from error
        stages = [info["num_chs"] for info in getattr(network, "feature_info", [])]
        if not stages or not hasattr(network, "forward_intermediates") or not _gives_a_map(network):
            raise UsageError(f"timm:{name} gives no maps of its stages for pictures of any size: take another network")
        self.network: nn.Module = network
        self.channels = int(network.num_features)
        self.stage_channels = (*stages[:-1], self.channels)
        entry = (getattr(network, "pretrained_cfg", None) or {}).get("classifier", "fc")
        names = [entry] if isinstance(entry, str) else list(entry or ())
        self.heads = tuple(f"{head}." for head in names)

    @property
    def public(self) -> nn.Module:
        """The network itself, under whose names timm's files are."""
        return self.network

    def steps(self) -> Sequence[Step]:
        """The whole network: timm does not cut it into stages that can run alone."""
        return (self._last,)

    def stages(self, pictures: Tensor) -> list[Tensor]:
        """Map of every stage; see `Trunk.stages`."""
        last, maps = self.network.forward_intermediates(pictures)  # type: ignore[operator]
        return [*maps[:-1], last]

    def _last(self, pictures: Tensor) -> Tensor:
        value: Tensor = self.network.forward_features(pictures)  # type: ignore[operator]
        return value


def _gives_a_map(network: nn.Module) -> bool:
    """Whether the network turns an upright picture into a map (transformers want their own size, or give tokens)."""
    network.eval()
    try:
        with torch.no_grad():
            value: Tensor = network.forward_features(torch.zeros(1, 3, *UPRIGHT))  # type: ignore[operator]
    except (AssertionError, RuntimeError, ValueError):
        return False
    network.train()
    return value.ndim == 4


def _timm() -> Any:
    """timm, imported when asked for."""
    try:
        return import_module("timm")
    except Exception as error:  # a torchvision that does not fit torch fails in other ways than ImportError
        raise SwiftReIDError(
            f"trunks named {PREFIX}NAME need timm, which cannot be imported ({error}): pip install timm, with the "
            "torchvision that belongs to your torch"
        ) from error
