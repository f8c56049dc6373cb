"""Probability distillation: a shorter code learns the longer code's class scores."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def probability_distillation(student: Tensor, teacher: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Cross-entropy of softened class scores (one pair of lengths of AiO, Eq. 3).

    ``-sum_c softmax(teacher / T)_c log softmax(student / T)_c``, averaged over the batch. The teacher is a fixed
    target: no gradient reaches it.

    Args:
        student: logits of the shorter code, float [n, persons].
        teacher: logits of the longer code, float [n, persons].
        temperature: T; the paper sets 1.

    Returns:
        Scalar tensor.
    """
    z_long, z_short, T = teacher, student, temperature
    return functional.cross_entropy(z_short / T, (z_long / T).softmax(dim=1).detach())  # Eq. 3, one k


@in_full_precision
def symmetric_divergence(student: Tensor, teacher: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Kullback-Leibler divergence of class scores, both ways: the form of Eq. 3 in the authors' released code.

    ``sum_c p_c log(p_c / q_c) + q_c log(q_c / p_c)`` with p of the teacher and q of the student, averaged over the
    batch. Unlike the cross-entropy of the paper it is 0 where both agree, and punishes the student for what only the
    student believes. The teacher is a fixed target.

    Args:
        student: logits of the shorter code, float [n, persons].
        teacher: logits of the longer code, float [n, persons].
        temperature: T.

    Returns:
        Scalar tensor.
    """
    log_p = (teacher / temperature).log_softmax(dim=1).detach()
    log_q = (student / temperature).log_softmax(dim=1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=1).mean()
