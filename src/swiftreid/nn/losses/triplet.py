"""Batch-hard triplet loss."""

from __future__ import annotations

import torch
from torch import Tensor

from swiftreid.errors import UsageError
from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def pairwise_distances(features: Tensor) -> Tensor:
    """Euclidean distances of all pairs of rows: float [n, d] -> float [n, n], gradient finite at distance 0."""
    squares = features.square().sum(dim=1)
    squared = squares[:, None] + squares[None, :] - 2.0 * features @ features.T
    return squared.clamp(min=1e-12).sqrt()


@in_full_precision
def batch_hard_triplet(features: Tensor, persons: Tensor, *, margin: float = 0.3) -> Tensor:
    """Batch-hard triplet loss (Hermans et al. 2017; L_tri of AiO, Eq. 5, margin 0.3).

    For each anchor: ``[margin + max distance to the same person - min distance to another]_+``, averaged over the
    batch. The anchor itself counts as its own positive at distance 0 when it has no other.

    Args:
        features: float [n, d].
        persons: int [n], person of each row.
        margin: in units of the Euclidean distance.

    Returns:
        Scalar tensor.

    Raises:
        UsageError: the batch holds only one person, so no negative exists.
    """
    same = persons[:, None] == persons[None, :]
    if bool(same.all()):
        raise UsageError("a triplet needs at least two persons in the batch, got one")
    distances = pairwise_distances(features)
    positive = distances.masked_fill(~same, 0.0).amax(dim=1)
    negative = distances.masked_fill(same, torch.inf).amin(dim=1)
    return (margin + positive - negative).clamp(min=0.0).mean()
