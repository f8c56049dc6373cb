"""Binary cross-entropy of attributes, of which some may not be known."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def attribute_entropy(logits: Tensor, attributes: Tensor) -> Tensor:
    """Mean of the binary cross-entropies of all known attributes (Jin et al., Neurocomputing 2021, Eq. 3 and 4).

    The paper's two outputs of each attribute and their softmax are one logit, their difference, and its sigmoid.

    Args:
        logits: float [n, a]; above 0 means yes.
        attributes: float [n, a]: 1 yes, 0 no, NaN not known.

    Returns:
        Scalar tensor; 0 where nothing is known.
    """
    known = ~torch.isnan(attributes)
    targets = torch.where(known, attributes, torch.zeros_like(attributes)).to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)  # Eq. 4
