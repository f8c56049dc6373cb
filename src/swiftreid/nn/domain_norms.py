"""Normalisations of a second domain: pictures of another place go through the same layers, but not the same statistics.

Chang et al., 'Domain-specific batch normalization for unsupervised domain adaptation', CVPR 2019, as Ge et al. (SpCL,
NeurIPS 2020) use it: labelled source pictures have batch normalisations of their own, which training needs alone.
"""

from __future__ import annotations

from copy import deepcopy

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm


class DomainNorms(nn.Module):
    """Copies of a network's batch normalisations, with which it can be run in place of its own.

    Args:
        network: the network; it is not kept, and must be given again to run it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        found = {name: part for name, part in network.named_modules() if isinstance(part, _BatchNorm)}
        self._names = list(found)
        self.norms = nn.ModuleList(deepcopy(part) for part in found.values())

    def copy_from(self, network: nn.Module) -> None:
        """Take the network's normalisations as they are."""
        parts = dict(network.named_modules())
        for name, norm in zip(self._names, self.norms, strict=True):
            norm.load_state_dict(parts[name].state_dict())

    def forward(self, network: nn.Module, values: Tensor) -> Tensor:
        """What the network gives with these normalisations; in training mode their running statistics follow."""
        replaced = {
            f"{name}.{key}": value
            for name, norm in zip(self._names, self.norms, strict=True)
            for key, value in (*norm.named_parameters(), *norm.named_buffers())
        }
        found: Tensor = functional_call(network, replaced, (values,))
        return found
