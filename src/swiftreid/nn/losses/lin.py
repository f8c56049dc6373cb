"""Lin: the ranking loss on the sphere, positives into a small ball, negatives to the far side."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.nn.losses.precision import in_full_precision
from swiftreid.nn.losses.triplet import pairwise_distances

FARTHEST = 2.0
"""The largest distance between two unit vectors."""


@in_full_precision
def lin_loss(
    features: Tensor,
    persons: Tensor,
    *,
    radius: float = 0.7,
    temperature: float = 1.0,
    detach_weights: bool = True,
) -> Tensor:
    """Lin loss (Zhang, 'Ranking and Classification-driven Feature Learning', 2019, Eq. 1 to 5).

    With ``d_ij`` the Euclidean distance of features divided by their norms, for each picture i:

    - ``Lp_i``: mean over the other pictures j of the same person of ``[d_ij - radius]_+`` (Eq. 2);
    - ``Ln_i``: mean over pictures j of other persons of ``2 - d_ij``, weighted by
      ``w_ij = exp(-d_ij) exp(T (2 - d_ij))`` (Eq. 3 and 4): the closest weigh most;

    and the loss is the mean over i of ``Lp_i + Ln_i`` (Eq. 5). A picture without another of its person has no ``Lp``.

    **Decision**: the weights are constants in the backward pass; the paper does not say. With gradients through them
    (``detach_weights=False``) ``Ln_i`` changes by ``-w_ij (1 + (T + 1) (2 - d_ij - Ln_i))`` with ``d_ij``, weights
    divided by their sum: the closest negatives are pushed harder, and those farther than ``2 - Ln_i + 1 / (T + 1)`` are
    pulled in. The authors' code has free weights and leaves out the factor ``exp(-d_ij)``, so its T is ours plus 1.

    Args:
        features: float [n, d], of any length.
        persons: int [n], person of each row.
        radius: r, of the ball that positives are left alone in.
        temperature: T; at -1 all negatives weigh the same.
        detach_weights: whether the weights are constants.

    Returns:
        Scalar tensor.

    Raises:
        UsageError: the batch holds only one person, so no negative exists.
    """
    same = persons[:, None] == persons[None, :]
    if bool(same.all()):
        raise UsageError("the ranking loss needs at least two persons in the batch, got one")
    r, T = radius, temperature
    d = pairwise_distances(functional.normalize(features))
    positives = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    Lm = (d - r).clamp(min=0.0) * positives  # Eq. 1 for positives
    Lp = Lm.sum(dim=1) / positives.sum(dim=1).clamp(min=1)  # Eq. 2
    log_w = T * (FARTHEST - d) - d  # Eq. 3
    w = log_w.masked_fill(same, -torch.inf).softmax(dim=1)  # w_ij over their sum, as Eq. 4 takes it, without overflow
    if detach_weights:
        w = w.detach()
    Ln = (w * (FARTHEST - d)).sum(dim=1)  # Eq. 4
    return (Lp + Ln).mean()  # Eq. 5
