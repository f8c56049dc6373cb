"""Cross-entropy with label smoothing."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def cross_entropy(logits: Tensor, persons: Tensor, *, smoothing: float = 0.1) -> Tensor:
    """Identity classification loss (L_ce of AiO, Eq. 5; Softmax(LS) of Zhang 2019, Eq. 6) with label smoothing.

    The target gives ``1 - smoothing`` to the right person and spreads ``smoothing`` evenly over all persons:
    ``-sum_c q_c log softmax(z)_c``, averaged over the batch.

    Args:
        logits: float [n, persons].
        persons: int64 [n], class of each row, from 0.
        smoothing: share of the target spread evenly, from 0 to 1.

    Returns:
        Scalar tensor.
    """
    return functional.cross_entropy(logits, persons, label_smoothing=smoothing)
