"""Feature distillation: a network learns the embedding that another one gives."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def feature_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Cosine distance of each picture's two embeddings, averaged over the batch, from 0 to 2.

    The regression of a teacher's feature (Romero et al., 'FitNets', ICLR 2015), by angle because embeddings are
    compared by angle. The teacher is a fixed target.

    Args:
        student: float [n, d].
        teacher: float [n, d].

    Returns:
        Scalar tensor.
    """
    return 1 - functional.cosine_similarity(student, teacher.detach(), dim=1).mean()
