"""Optimisers: which weights decay, and which rate each part has."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from swiftreid.methods.method import Method
from swiftreid.training.network.recipe import Optimiser


def make_optimiser(method: Method, recipe: Optimiser) -> torch.optim.Optimizer:
    """The optimiser of a recipe, with a group for each rate and decay; its ``part`` is "trunk" or "head".

    Weights of one dimension (biases and normalisations) do not decay: decay would pull normalisations towards 0,
    which says nothing about the size of the function. Recipes after papers whose code decays everything have
    ``decay_all``.
    """
    rates = {True: recipe.trunk_rate or recipe.learning_rate, False: recipe.learning_rate}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            decays = recipe.decay_all or parameter.ndim > 1
            groups.setdefault((name.startswith(method.trunk_parts), decays), []).append(parameter)
    listed: list[dict[str, Any]] = [
        {
            "params": found,
            "part": "trunk" if trunk else "head",
            "lr": rates[trunk],
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for (trunk, decays), found in groups.items()
    ]
    if recipe.name == "sgd":
        return torch.optim.SGD(listed, momentum=0.9)
    return torch.optim.Adam(listed) if recipe.name == "adam" else torch.optim.AdamW(listed)
