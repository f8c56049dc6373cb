"""Self-distillation: a network's values learn the bits of its own other branch."""

from __future__ import annotations

import torch
from torch import Tensor

from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def self_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """``L_d = || sgn(t) - s ||_1`` (Jin et al., Neurocomputing 2021, Eq. 1 and 2), one pair of vectors.

    ``sgn`` is 1 above 0, else -1. The teacher is quantised and is a fixed target: no gradient reaches it. **Decision**:
    the mean over elements; the printed norm is a sum, which with the paper's weight of 0.3 and 512 bits would be a
    hundred times the other terms.

    Args:
        student: S_s, float [n, bits].
        teacher: S_t before it is quantised, float [n, bits].

    Returns:
        Scalar tensor.
    """
    S_t, S_s = torch.where(teacher > 0, 1.0, -1.0).detach(), student  # Eq. 1
    return (S_t - S_s).abs().mean()  # Eq. 2
