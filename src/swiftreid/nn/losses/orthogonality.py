"""Orthogonality of the rows of a matrix, by the spread of the eigenvalues of its Gram matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def orthogonality(rows: Tensor, *, steps: int = 4) -> Tensor:
    """``lambda_max - lambda_min`` of the Gram matrix ``F F^T``, averaged over the matrices (SVDO of ABD-Net).

    Chen et al., 'ABD-Net: Attentive but Diverse Person Re-Identification', ICCV 2019, section 3.3: rows that are
    orthogonal and of one length have equal eigenvalues. As in the paper these come from power iteration, of the
    Gram matrix G for the largest and of ``G - lambda_max I`` for the smallest: no eigenvalue has to be computed.

    **Decision**: where there are more rows than columns, ``F^T F`` is taken, since ``F F^T`` always has eigenvalues of
    0 then. The difference is not squared, which is the form of the authors' code for features: of the Gram matrix of a
    map, whose eigenvalues reach 10^5, the square would drown all else at the paper's weight of 10^-6. Iteration starts
    with a fixed vector and its vectors are constants in the backward pass; the gradient is then that of the Rayleigh
    quotient, which at an eigenvector is the eigenvalue's.

    Args:
        rows: F, float [..., r, c]: the channels of a map [n, c, h * w], or the filters of a layer [out, in * k * k].
        steps: of power iteration.

    Returns:
        Scalar tensor, 0 or more.
    """
    if rows.shape[-2] > rows.shape[-1]:
        rows = rows.transpose(-1, -2)
    gram = rows @ rows.transpose(-1, -2)
    size = gram.shape[-1]
    start = torch.randn(size, 1, generator=torch.Generator().manual_seed(0)).to(gram)
    largest = _dominant(gram, start, steps)
    shift = largest[..., None, None] * torch.eye(size, device=gram.device, dtype=gram.dtype)
    return -_dominant(gram - shift, start, steps).mean()  # (lambda_min - lambda_max), which is 0 or less


def _dominant(matrix: Tensor, start: Tensor, steps: int) -> Tensor:
    """The eigenvalue of largest magnitude of symmetric matrices [..., r, r], as a Rayleigh quotient, [...]."""
    with torch.no_grad():
        vector = start.expand(*matrix.shape[:-1], 1)
        for _ in range(steps):
            vector = torch.nn.functional.normalize(matrix @ vector, dim=-2)
    return (vector * (matrix @ vector)).sum(dim=(-1, -2))
