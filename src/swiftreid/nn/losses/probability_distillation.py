"""Probability distillation: a shorter code learns the longer code's class scores."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


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
    return functional.cross_entropy(student / temperature, (teacher.detach() / temperature).softmax(dim=1))
