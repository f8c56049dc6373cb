"""Weighted regularisation triplet loss: every pair of the batch counts, the harder the more, and no margin."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.nn.losses.precision import in_full_precision
from swiftreid.nn.losses.triplet import pairwise_distances


@in_full_precision
def weighted_triplet(features: Tensor, persons: Tensor) -> Tensor:
    """Weighted regularisation triplet loss (Ye et al., 'Deep Learning for Person Re-identification', TPAMI 2021, AGW).

    With d the Euclidean distance, P_i the other pictures of anchor i's person and N_i those of others::

        L(i) = log(1 + exp(sum_(j in P_i) w+_ij d_ij - sum_(k in N_i) w-_ik d_ik))
        w+_ij = exp(d_ij) / sum_(P_i) exp(d),    w-_ik = exp(-d_ik) / sum_(N_i) exp(-d)

    averaged over the anchors. Gradients go through the weights, as in the authors' code.

    **Decision**: the anchor is no positive of its own, because the paper speaks of pairs; the authors' code lets it
    take part at distance 0. An anchor without another picture of its person has a positive sum of 0.

    Args:
        features: float [n, d].
        persons: int [n], person of each row.

    Returns:
        Scalar tensor.

    Raises:
        UsageError: the batch holds only one person, so no negative exists.
    """
    same = persons[:, None] == persons[None, :]
    if bool(same.all()):
        raise UsageError("a triplet needs at least two persons in the batch, got one")
    distances = pairwise_distances(features)
    positives = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    alone = ~positives.any(dim=1)
    # A row of nothing but -inf would make NaN: one that has no positives is left as it is, and counts 0 below.
    w_positive = distances.masked_fill(~positives & ~alone[:, None], -torch.inf).softmax(dim=1)
    w_negative = (-distances).masked_fill(same, -torch.inf).softmax(dim=1)
    positive = (w_positive * distances).sum(dim=1).masked_fill(alone, 0.0)
    negative = (w_negative * distances).sum(dim=1)
    return functional.softplus(positive - negative).mean()
