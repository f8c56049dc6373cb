"""Horizontal stripes: one mean vector for each part of a person, from head to feet."""

from __future__ import annotations

import torch
from torch import Tensor


def stripe_means(value: Tensor, parts: int) -> Tensor:
    """Means of a map's horizontal stripes (Sun et al., 'Beyond Part Models', ECCV 2018): float [n, parts, c].

    Where the height is no multiple of ``parts``, stripes overlap by a row, as in torch's adaptive pooling; this form
    can be exported for any height.

    Args:
        value: float [n, c, h, w].
        parts: stripes, top first; at most h.

    Example:
        >>> stripe_means(torch.arange(4.0).reshape(1, 1, 4, 1), 2)
        tensor([[[0.5000],
                 [2.5000]]])
    """
    height = int(value.shape[2])  # a constant when the network is exported, where the size is one
    weights = torch.zeros(parts, height)
    for part in range(parts):
        first, last = part * height // parts, -(-(part + 1) * height // parts)
        weights[part, first:last] = 1 / (last - first)
    rows = value.mean(dim=3).transpose(1, 2)  # [n, h, c]
    return weights.to(rows) @ rows
