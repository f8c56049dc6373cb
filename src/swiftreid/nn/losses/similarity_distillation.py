"""Similarity distillation: a shorter code learns the longer code's similarities of pictures."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def similarity_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared difference of length-normalised inner products (one pair of lengths of AiO, Eq. 4).

    ``(G_short_ij / l_short - G_long_ij / l_long)^2`` with G the inner products of a code, averaged over all pairs
    (i, j) of the batch. **Decision**: Eq. 4 prints a sum; a mean does not grow with the batch, and the weight 1000 is
    then of the size of the other terms. For codes of -1 and +1 the inner product is ``l - 2 d_H``, so this compares
    Hamming distances as shares of the length. The teacher is a fixed target: no gradient reaches it.

    Args:
        student: relaxed codes of the shorter length, float [n, l_short].
        teacher: relaxed codes of the longer length, float [n, l_long].

    Returns:
        Scalar tensor.
    """
    G_long, l_long = (teacher @ teacher.T).detach(), teacher.shape[1]
    G_short, l_short = student @ student.T, student.shape[1]
    return (G_short / l_short - G_long / l_long).square().mean()  # Eq. 4, one k


@in_full_precision
def row_similarity_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared difference of similarities normalised by row: the form of Eq. 4 in the authors' released code.

    Each row of inner products, one picture's with all of the batch, is divided by its Euclidean norm instead of by the
    code's length; squares are averaged over all pairs. The teacher is a fixed target.

    Args:
        student: relaxed codes of the shorter length, float [n, l_short].
        teacher: relaxed codes of the longer length, float [n, l_long].

    Returns:
        Scalar tensor.
    """
    G_long = functional.normalize(teacher @ teacher.T).detach()
    G_short = functional.normalize(student @ student.T)
    return (G_short - G_long).square().mean()
