"""The code pyramid: long codes first, each shorter code made from the longer one (AiO, Eq. 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.nn.neck import BatchNormNeck

LENGTHS = (2048, 512, 128, 32)

LONGEST = 65_536
"""Bits of a code and numbers of a vector, at most."""


def check_lengths(lengths: Sequence[int]) -> None:
    """Raise `UsageError` unless there are code lengths from longest to shortest, each from 1 to `LONGEST`."""
    if not lengths or lengths[-1] < 1 or any(a <= b for a, b in pairwise(lengths)):
        raise UsageError(f"code lengths must be positive and fall from longest to shortest, got {tuple(lengths)}")
    check_length("code lengths", lengths[0])


def check_length(name: str, length: int) -> None:
    """Raise `UsageError` unless a length of codes or vectors, named so, is from 1 to `LONGEST`."""
    if not 1 <= length <= LONGEST:
        raise UsageError(f"{name} must be from 1 to {LONGEST:,}, got {length:,}")


class CodePyramid(nn.Module):
    """``v_k = FC_k(v_{k-1})`` and code ``b_k = sgn(BN_k(v_k))`` for each length (AiO, Eq. 1 and 2).

    Training relaxes ``sgn`` to ``tanh``. Each length has its own BN, because it makes that length's features symmetric
    about 0, where ``sgn`` cuts. The FC layers have no bias: BN would take it away again. Classifiers belong to the
    method, not to the head, so that the head that is kept is the head that encodes.

    **Decision**: BN's bias stays 0, as in the authors' released code: a learned one moves the features away from 0, for
    which the paper has the BN. ``norm_bias`` learns it.

    Args:
        in_features: length of v_0, the trunk's pooled feature or a frozen embedding.
        lengths: code lengths in bits, longest first.
        dropout: share of v_0's values dropped in training.
        chained: whether each length is made from the one before, as in the paper. Without, each has an FC layer of its
            own on v_0, with which the paper's pyramid is compared.
        norm_bias: whether BN's bias is learned.
        detach: whether a shorter code's gradient stops before the longer one, as in the authors' released code. The
            longest code's gradient always reaches v_0.

    Example:
        >>> codes = CodePyramid(256, (64, 16)).eval().codes(torch.randn(3, 256))
        >>> [tuple(c.shape) for c in codes]
        [(3, 64), (3, 16)]

    Raises:
        UsageError: lengths are empty, not positive, or not in decreasing order.
    """

    def __init__(
        self,
        in_features: int,
        lengths: Sequence[int] = LENGTHS,
        *,
        dropout: float = 0.0,
        chained: bool = True,
        detach: bool = False,
        norm_bias: bool = False,
    ) -> None:
        super().__init__()
        lengths = tuple(int(length) for length in lengths)
        check_lengths(lengths)
        self.in_features = in_features
        self.lengths = lengths
        self.dropout = nn.Dropout(dropout)
        self.chained = chained
        self.detach = detach
        before = (in_features, *lengths[:-1]) if chained else (in_features,) * len(lengths)
        self.levels = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in zip(before, lengths, strict=True))
        self.norms = nn.ModuleList((nn.BatchNorm1d if norm_bias else BatchNormNeck)(length) for length in lengths)
        for level in self.levels:
            assert isinstance(level, nn.Linear)
            nn.init.normal_(level.weight, std=level.in_features**-0.5)

    def forward(self, features: Tensor) -> list[Tensor]:
        """Normalised values ``BN_k(v_k)`` before any squashing; the bit is their sign.

        Args:
            features: float [n, in_features].

        Returns:
            One float tensor [n, length] for each length, longest first.
        """
        v_before = self.dropout(features)
        values: list[Tensor] = []
        for k, (FC_k, bn) in enumerate(zip(self.levels, self.norms, strict=True), start=1):
            v_k = FC_k(v_before.detach() if self.detach and k > 1 else v_before)  # Eq. 1
            values.append(bn(v_k))  # what sgn is taken of in Eq. 2
            v_before = v_k if self.chained else v_before
        return values

    def codes(self, features: Tensor) -> list[Tensor]:
        """Relaxed codes ``tanh(BN_k(v_k))`` in [-1, 1], for training."""
        return [torch.tanh(value) for value in self(features)]


class Signs(nn.Module):
    """A code that is the sign of a descriptor as it is, with nothing to learn: in the place of a `CodePyramid`.

    Args:
        length: of the descriptor and of the code, in bits.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.lengths = (length,)

    def forward(self, features: Tensor) -> list[Tensor]:
        """The values whose signs are the bits: ``[features]``."""
        return [features]
