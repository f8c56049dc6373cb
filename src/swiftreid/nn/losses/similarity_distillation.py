"""Similarity distillation: a shorter code learns how alike the longer code finds two pictures."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def similarity_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared difference of length-normalised inner products (one pair of lengths of AiO, Eq. 4).

    ``(<s_i, s_j> / l_s - <t_i, t_j> / l_t)^2``, averaged over all pairs (i, j) of the batch. **Decision**: Eq. 4 prints
    a sum; a mean does not grow with the batch, and the weight 1000 is then of the size of the other terms. For codes of
    -1 and +1 the inner product is ``l - 2 d_H``, so this compares Hamming distances as shares of the length. The
    teacher is a fixed target: no gradient reaches it.

    Args:
        student: relaxed codes of the shorter length, float [n, l_s].
        teacher: relaxed codes of the longer length, float [n, l_t].

    Returns:
        Scalar tensor.
    """
    teacher = teacher.detach()
    difference = student @ student.T / student.shape[1] - teacher @ teacher.T / teacher.shape[1]
    return difference.square().mean()


@in_full_precision
def row_similarity_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared difference of similarities normalised by row: the form of Eq. 4 in the authors' released code.

    Each row of inner products, one picture's with all of the batch, is divided by its Euclidean norm instead of by the
    code's length; squares are averaged over all pairs. The teacher is a fixed target.

    Args:
        student: relaxed codes of the shorter length, float [n, l_s].
        teacher: relaxed codes of the longer length, float [n, l_t].

    Returns:
        Scalar tensor.
    """
    teacher = teacher.detach()
    ours, theirs = functional.normalize(student @ student.T), functional.normalize(teacher @ teacher.T)
    return (ours - theirs).square().mean()
