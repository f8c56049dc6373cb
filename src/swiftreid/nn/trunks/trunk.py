"""What every trunk is: a convolutional network that ends in a map, without any head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from torch import Tensor, nn

Step = Callable[[Tensor], Tensor]

ADDED = "added_"
"""How names of parts begin that a method puts into a trunk and that its public file does not know."""


class Trunk(nn.Module, ABC):
    """A convolutional network before any head: pictures in, a map out.

    Pictures are float [n, 3, h, w], RGB from 0 to 1, normalised by ImageNet's mean and standard deviation.

    Attributes:
        channels: channels of the last map.
        stage_channels: channels of the map of each stage, the first stage first.
        heads: how names begin, in the public ImageNet file, of the entries of the classifier, which a trunk leaves out.
    """

    heads: tuple[str, ...] = ("fc.",)
    channels: int
    stage_channels: tuple[int, ...]

    @property
    def public(self) -> nn.Module:
        """The module whose entries are named as in the public file."""
        return self

    @abstractmethod
    def steps(self) -> Sequence[Step]:
        """The stages as functions from map to map; the first takes the pictures."""

    def forward(self, pictures: Tensor) -> Tensor:
        """Last map, float [n, channels, h', w']."""
        value = pictures
        for step in self.steps():
            value = step(value)
        return value

    def stages(self, pictures: Tensor) -> list[Tensor]:
        """Map of every stage, the first stage first; the last is what `forward` returns."""
        maps: list[Tensor] = []
        value = pictures
        for step in self.steps():
            value = step(value)
            maps.append(value)
        return maps


def start_convolutions(network: nn.Module) -> None:
    """Draw convolutions from Kaiming's normal distribution (fan out), biases 0; set norms to the identity.

    The draw comes from torch's global generator: seed it first (`torch.manual_seed`).
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, (nn.BatchNorm2d, nn.InstanceNorm2d)) and part.affine:
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
