"""The regulariser of DSH: values are drawn to -1 and +1, whichever is nearer."""

from __future__ import annotations

from torch import Tensor

from swiftreid.nn.losses.precision import in_full_precision


@in_full_precision
def binary_regulariser(values: Tensor) -> Tensor:
    """Mean of ``| |v| - 1 |`` (Liu et al., 'Deep Supervised Hashing', CVPR 2016, Eq. 4, as the SSR paper takes it).

    **Decision**: a mean over elements, as for `self_distillation`, with which it is compared.

    Args:
        values: float, any shape.

    Returns:
        Scalar tensor.
    """
    return (values.abs() - 1).abs().mean()
