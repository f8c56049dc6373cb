"""The code pyramid: long codes first, each shorter code made from the longer one (AiO, Eq. 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.nn.straight_through import straight_through_sign

LENGTHS = (2048, 512, 128, 32)


class Adapter(nn.Module):
    """A wide nonlinear layer between an embedding that cannot be trained and the pyramid.

    ``v_0 = ReLU(BN(W x))``: a frozen embedding of a few hundred numbers has no features of its own to offer to a
    2048-bit code, so the adapter makes them. A trunk that is trained with the pyramid needs none.

    Args:
        in_features: length of the embedding.
        width: number of features made.
        dropout: share of the features dropped in training.
    """

    def __init__(self, in_features: int, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, width, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)
        self.out_features = width
        nn.init.kaiming_normal_(self.linear.weight, nonlinearity="relu")

    def forward(self, embedding: Tensor) -> Tensor:
        """Float [n, in_features] -> float [n, width]."""
        features: Tensor = self.dropout(torch.relu(self.norm(self.linear(embedding))))
        return features


class CodePyramid(nn.Module):
    """``v_k = FC_k(v_{k-1})`` and code ``b_k = sgn(BN_k(v_k))`` for each length (AiO, Eq. 1 and 2).

    Training relaxes ``sgn`` to ``tanh``. Each length has its own BN, because it makes that length's features symmetric
    about 0, where ``sgn`` cuts. The FC layers have no bias: BN would take it away again. Classifiers belong to the
    method, not to the head, so that the head that is kept is the head that encodes.

    Args:
        in_features: length of v_0 (or of the adapter's input, when there is an adapter).
        lengths: code lengths in bits, longest first.
        adapter: makes v_0 from the input; it must have an ``out_features``. None: the input is v_0.
        straight_through: codes are hard signs in the forward pass, with the gradient of ``tanh`` in the backward pass,
            so that the losses see the bits that will be stored. A departure from the paper, which uses ``tanh`` itself.

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
        adapter: Adapter | None = None,
        *,
        straight_through: bool = False,
    ) -> None:
        super().__init__()
        lengths = tuple(int(length) for length in lengths)
        if not lengths or lengths[-1] < 1 or any(a <= b for a, b in pairwise(lengths)):
            raise UsageError(f"code lengths must be positive and fall from longest to shortest, got {lengths}")
        self.in_features = in_features
        self.lengths = lengths
        self.adapter = adapter
        self.straight_through = straight_through
        sizes = (adapter.out_features if adapter is not None else in_features, *lengths)
        self.levels = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(length) for length in lengths)
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
        value = features if self.adapter is None else self.adapter(features)
        values: list[Tensor] = []
        for level, norm in zip(self.levels, self.norms, strict=True):
            value = level(value)
            values.append(norm(value))
        return values

    def codes(self, features: Tensor) -> list[Tensor]:
        """Relaxed codes in [-1, 1] for training: ``tanh``, or hard signs when ``straight_through`` is set."""
        relax = straight_through_sign if self.straight_through else torch.tanh
        return [relax(value) for value in self(features)]
