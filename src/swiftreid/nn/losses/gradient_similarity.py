"""Gradient-guided similarity: two pictures are similar where a loss changes the same weights in the same way.

Wu et al., 'Pseudo-Pair Based Self-Similarity Learning for Unsupervised Person Re-Identification', TIP 2022, section
III-B. A picture's feature x and the vectors v_c of surrogate classes have the scores ``F(x, v_c) = x^T W v_c + b``
(Eq. 2). With softmax probabilities p and targets q, the gradient of the cross-entropy by W is the outer product

``g = x u^T`` with ``u = sum_c (p_c - q_c) v_c``.

So ``<g_s, g_t> = (x_s . x_t) (u_s . u_t)``: all that is needed of gradients follows from their two factors, and none is
ever made. The bias b is one number for all classes, which the softmax does not see; it is left out.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.nn.losses.precision import in_full_precision

Separation = Literal["formula", "slope", "distance"]
"""L_GS as Eq. 4 prints it, as the slope on the axis of Fig. 7 does, or the l2 form of section IV-B."""


class GradientFactors(NamedTuple):
    """The two factors of each picture's gradient ``g = x u^T``.

    Attributes:
        x: the features, float [n, d].
        u: the vectors of the classes, weighted by what the softmax has too much of each, float [n, e].
    """

    x: Tensor
    u: Tensor


def class_targets(classes: Tensor, count: int) -> Tensor:
    """q: the share of each class among a picture's, float [n, count]; ``classes`` is int64 [n, m], each row m classes.

    Example:
        >>> class_targets(torch.tensor([[0, 2], [1, 1]]), 3).tolist()
        [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]
    """
    q = torch.zeros(len(classes), count, device=classes.device)
    return q.scatter_add_(1, classes, torch.full(classes.shape, 1 / classes.shape[1], device=classes.device))


@in_full_precision
def surrogate_entropy(features: Tensor, weight: Tensor, centres: Tensor, classes: Tensor) -> Tensor:
    """L_C: cross-entropy of the softmax over ``F(x, v_c) = x^T W v_c`` (Eq. 2), mean over the pictures.

    Args:
        features: x, float [n, d].
        weight: W, float [d, e].
        centres: v_c, float [classes, e].
        classes: those of each picture, int64 [n, m]; its target is the share of each class among them.

    Returns:
        Scalar tensor.
    """
    log_p = torch.log_softmax(features @ weight @ centres.T, dim=1)  # Eq. 2
    return -log_p.gather(1, classes).mean()


@in_full_precision
def gradient_factors(features: Tensor, weight: Tensor, centres: Tensor, classes: Tensor) -> GradientFactors:
    """The factors of ``g = dL_C/dW`` of every picture by itself (Eq. 1); arguments as for `surrogate_entropy`."""
    p = torch.softmax(features @ weight @ centres.T, dim=1)
    u = p @ centres - centres[classes].mean(dim=1)  # sum_c (p_c - q_c) v_c
    return GradientFactors(features, u)


@in_full_precision
def gradient_similarity(factors: GradientFactors) -> Tensor:
    """``d_st``, the cosine of the gradients of two pictures (Eq. 3), of all pairs: float [n, n].

    It is a similarity, from -1 to 1, though the paper once calls it a distance.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
        >>> gradient_similarity(GradientFactors(x, torch.ones(3, 1))).tolist()
        [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    x, u = functional.normalize(factors.x), functional.normalize(factors.u)
    return (x @ x.T) * (u @ u.T)  # Eq. 3


@in_full_precision
def gradient_distances(factors: GradientFactors) -> Tensor:
    """``|g_s - g_t|^2`` of all pairs (section IV-B), float [n, n]."""
    products = (factors.x @ factors.x.T) * (factors.u @ factors.u.T)
    squares = products.diagonal()
    return (squares[:, None] + squares[None, :] - 2 * products).clamp(min=0.0)


@in_full_precision
def gradient_separation(
    similarity: Tensor,
    pairs: Tensor,
    *,
    slope: float = 2.0,
    threshold: float = 0.25,
    reading: Separation = "formula",
) -> Tensor:
    """L_GS from ``d_st``, the mean over the pairs that count.

    **Sign.** The loss is minimised, so a pair moves against its derivative: above the threshold d_st has to grow, below
    it to fall. Eq. 4 as printed does that: ``1 - alpha/2 (d_st - delta)^2`` has the derivative
    ``-alpha (d_st - delta)``. What contradicts it is the derivative that Fig. 7 prints, ``1 - alpha (d_st - delta)``:
    with alpha = 2 and delta = 0.25 it pushes all pairs up to 0.75 apart. **Decision**: ``formula`` is Eq. 4 and the
    default; ``slope`` is the loss with the printed derivative, ``d_st - alpha/2 (d_st - delta)^2``.

    Args:
        similarity: d_st, float [n, n].
        pairs: which of them count, bool [n, n]; where none does, the loss is 0.
        slope: alpha.
        threshold: delta.
        reading: ``formula`` or ``slope``.

    Returns:
        Scalar tensor.

    Raises:
        UsageError: there is no such reading.
    """
    alpha, delta = slope, threshold
    if reading not in ("formula", "slope"):
        raise UsageError(f"reading must be 'formula' or 'slope', got {reading!r}")
    square = alpha / 2 * (similarity - delta).square()
    values = 1 - square if reading == "formula" else similarity - square  # Eq. 4; Fig. 7
    return mean_of(values, pairs)


def mean_of(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen values, 0 where there are none; ``values`` and ``chosen`` have one shape."""
    weights = chosen.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp(min=1)


def check_separation(separation: str) -> None:
    """Raise `UsageError` unless there is such a form of L_GS."""
    if separation not in get_args(Separation):
        raise UsageError(f"separation must be one of {', '.join(get_args(Separation))}, got {separation!r}")
