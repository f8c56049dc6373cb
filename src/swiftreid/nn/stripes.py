"""Horizontal stripes of a map: the parts of a person, from head to feet."""

from __future__ import annotations

from torch import Tensor

from swiftreid.errors import UsageError

MOST = 64
"""Stripes, at most."""


def check_parts(parts: int) -> None:
    """Raise `UsageError` unless there can be so many stripes."""
    if not 1 <= parts <= MOST:
        raise UsageError(f"parts must be from 1 to {MOST}, got {parts:,}")


def stripes(value: Tensor, parts: int) -> list[Tensor]:
    """A map's horizontal stripes, top first (Sun et al., 'Beyond Part Models', ECCV 2018), float [n, c, rows, w] each.

    Where the height is no multiple of ``parts``, stripes overlap by a row, as in torch's adaptive pooling; this form
    can be exported for any height.

    Args:
        value: float [n, c, h, w].
        parts: stripes, from 0; at most h.

    Raises:
        UsageError: the map has fewer rows than there are stripes.

    Example:
        >>> import torch
        >>> [stripe.tolist() for stripe in stripes(torch.arange(4.0).reshape(1, 1, 4, 1), 2)]
        [[[[[0.0], [1.0]]]], [[[[2.0], [3.0]]]]]
    """
    height = int(value.shape[2])  # a constant when the network is exported, where the size is one
    if height < parts:
        raise UsageError(
            f"the trunk's last map has {height} rows, fewer than {parts} stripes: give the recipe a greater height "
            "(size) or fewer parts"
        )
    return [value[:, :, part * height // parts : -(-(part + 1) * height // parts)] for part in range(parts)]
