"""Hard signs that can be trained."""

from __future__ import annotations

import torch
from torch import Tensor


def straight_through_sign(values: Tensor) -> Tensor:
    """+1 where the value is above 0 and -1 elsewhere, with the gradient of ``tanh``.

    The straight-through estimator of Bengio, Leonard and Courville (2013), with the slope of ``tanh`` instead of 1, so
    that bits far from the cut receive little gradient, as they do under the paper's relaxation.

    Args:
        values: float tensor of any shape.

    Returns:
        Tensor of the same shape holding only -1 and +1.
    """
    soft = torch.tanh(values)
    hard = torch.where(values > 0, 1.0, -1.0).to(values.dtype)
    return soft + (hard - soft).detach()
