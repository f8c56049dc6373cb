"""Supervised contrast: every other picture of the batch competes for the anchor's place beside its own person."""

from __future__ import annotations

import torch
from torch import Tensor


def supervised_contrast(features: Tensor, persons: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, Eq. 2, L_out).

    For anchor i with positives P(i): ``-1/|P(i)| sum_{p in P(i)} log(exp(s_ip / T) / sum_{a != i} exp(s_ia / T))`` with
    inner products s, averaged over the batch. An anchor without a positive adds 0.

    Args:
        features: float [n, d]; inner products should lie between -1 and 1 (unit rows, or codes divided by the root of
            their length).
        persons: int [n], person of each row.
        temperature: T.

    Returns:
        Scalar tensor.
    """
    itself = torch.eye(len(persons), dtype=torch.bool, device=features.device)
    similarities = (features @ features.T / temperature).masked_fill(itself, -torch.inf)
    positive = (persons[:, None] == persons[None, :]) & ~itself
    scores = similarities.log_softmax(dim=1).masked_fill(~positive, 0.0)
    return -(scores.sum(dim=1) / positive.sum(dim=1).clamp(min=1)).mean()
