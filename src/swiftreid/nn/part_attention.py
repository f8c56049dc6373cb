"""Parts of a person found by attention to channels, and the adversary that keeps them different.

Wu et al., 'Pseudo-Pair Based Self-Similarity Learning for Unsupervised Person Re-Identification', TIP 2022, section
III-C.1: the intra-similarity.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.nn.losses.precision import in_full_precision

INSIDE = 64
"""Rows of W1, through which a module's two layers pass (Eq. 6)."""

MOST = 64
"""Parts, at most."""

PartsLearnBy = Literal["adversary", "average"]
"""With an adversary, or the plain averaging and two layers that Fig. 8 compares it with."""


class ChannelPartAttention(nn.Module):
    """CPAM: ``U * sigmoid(W2 ReLU(W1 Psi(U)))``, Psi the mean over places (Eq. 6).

    Args:
        channels: of the map U.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.W1 = nn.Linear(channels, INSIDE, bias=False)
        self.W2 = nn.Linear(INSIDE, channels, bias=False)

    def mask(self, value: Tensor) -> Tensor:
        """What each channel is multiplied by, from 0 to 1: float [n, c] of a map [n, c, h, w]."""
        return torch.sigmoid(self.W2(torch.relu(self.W1(value.mean(dim=(2, 3))))))

    def forward(self, value: Tensor) -> Tensor:
        """Float [n, c, h, w], like ``value``."""
        return value * self.mask(value)[:, :, None, None]  # Eq. 6


class PartLearners(nn.Module):
    """J attention modules and the embedding that they share: a map U in, ``SA_j = g(CPAM_j(U))`` out, j = 1 ... J.

    g is a 1x1 convolution, BN and ReLU, then the mean over places and a linear layer: the paper says only that it is a
    stack of shared layers. With ``by="average"`` it is the stack that Fig. 8 compares the adversary with: the mean over
    places, then ``ReLU(W2 ReLU(W1 .))``.

    **Decision** (Eq. 8): the prior psi is a copy of all weights here, taken when `keep_prior` is called, once an epoch:
    what the learners knew of all pictures before they go on with the pictures at hand.

    Args:
        channels: of the map.
        parts: J.
        length: of each SA_j.
        by: ``adversary`` or ``average``.

    Raises:
        UsageError: there cannot be so many parts, or ``by`` is something else.

    Example:
        >>> learners = PartLearners(16, parts=3, length=8)
        >>> [tuple(vector.shape) for vector in learners(torch.randn(2, 16, 6, 3))]
        [(2, 8), (2, 8), (2, 8)]
    """

    prior: Tensor

    def __init__(self, channels: int, *, parts: int = 4, length: int = 128, by: PartsLearnBy = "adversary") -> None:
        super().__init__()
        check_part_count(parts)
        if by not in get_args(PartsLearnBy):
            raise UsageError(f"parts learn by {' or '.join(get_args(PartsLearnBy))}, got {by!r}")
        self.attentions = nn.ModuleList(ChannelPartAttention(channels) for _ in range(parts))
        inside = max(length, channels // 4)
        if by == "adversary":
            convolution = nn.Conv2d(channels, inside, 1, bias=False)
            self.places = nn.Sequential(convolution, nn.BatchNorm2d(inside), nn.ReLU())
            self.pooled = nn.Sequential(nn.Linear(inside, length))
        else:
            self.places = nn.Sequential()
            self.pooled = nn.Sequential(nn.Linear(channels, inside), nn.ReLU(), nn.Linear(inside, length), nn.ReLU())
        self.register_buffer("prior", self._weights().detach().clone())

    def forward(self, value: Tensor) -> list[Tensor]:
        """The vectors SA_j, float [n, length] each, of a map [n, channels, h, w]."""
        return [self.pooled(self.places(attention(value)).mean(dim=(2, 3))) for attention in self.attentions]

    def attended(self, value: Tensor) -> Tensor:
        """The map as all modules together see it, the mean of ``CPAM_j(U)``, float [n, channels, h, w]."""
        masks = [attention.mask(value) for attention in self.attentions if isinstance(attention, ChannelPartAttention)]
        return value * torch.stack(masks).mean(dim=0)[:, :, None, None]

    def proximity(self) -> Tensor:
        """``1/2 |phi - psi|^2``: how far the weights are from the prior, a scalar (Eq. 8, without beta)."""
        return (self._weights() - self.prior).square().sum() / 2

    @torch.no_grad()
    def keep_prior(self) -> None:
        """Take the weights as they are for the prior."""
        self.prior.copy_(self._weights())

    def _weights(self) -> Tensor:
        return torch.cat([weight.flatten() for weight in self.parameters()])


class PartAdversary(nn.Module):
    """A of Eq. 7, which looks for what the parts have in common: two linear layers, a leaky ReLU between them.

    **Decision**: A sees parts brought to one size, at which their numbers have a mean square of 1, as behind a BN; it
    has no biases, and the rows of its layers have length 1. Without, both sides win by size alone: A by shrinking to 0
    and the parts by growing without end, and neither tells of parts that differ. So A chooses directions only, and the
    loss is bounded. Parts of norm 1 would make it smaller by their length, and the paper's lambda1 = 0.015 would do
    nothing.

    Args:
        length: of a part's vector.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.first = nn.Linear(length, length, bias=False)
        self.second = nn.Linear(length, length, bias=False)

    def forward(self, part: Tensor) -> Tensor:
        """A(SA_j), float [n, length]."""
        value = functional.normalize(part) * part.shape[1] ** 0.5
        value = functional.linear(value, functional.normalize(self.first.weight))
        value = functional.leaky_relu(value, 0.2)
        seen: Tensor = functional.linear(value, functional.normalize(self.second.weight))
        return seen

    @in_full_precision
    def loss(self, parts: Tensor) -> Tensor:
        """``L_Adv = sum_(j < j') |A(SA_j) - A(SA_j')|^2``, mean over the pictures (Eq. 7); 0 of a single part.

        A descent on it is a descent for A and, behind the gradient reversal, an ascent for the parts and all before
        them: ``max_(f, g, CPAM) min_A L_Adv``.

        Args:
            parts: SA_j, float [J, n, length].
        """
        seen = [self(part) for part in reverse_gradient(parts)]
        apart = [(a - b).square().sum(dim=1).mean() for a, b in combinations(seen, 2)]
        return torch.stack(apart).sum() if apart else seen[0].sum() * 0


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return -gradients[0]


def reverse_gradient(value: Tensor) -> Tensor:
    """The value itself, whose gradient is turned round on its way back (Ganin et al., JMLR 2016).

    Example:
        >>> x = torch.ones(1, requires_grad=True)
        >>> (3 * reverse_gradient(x)).backward()
        >>> x.grad.item()
        -3.0
    """
    reversed_: Tensor = _Reversal.apply(value)  # type: ignore[no-untyped-call]
    return reversed_


def check_part_count(parts: int) -> None:
    """Raise `UsageError` unless there can be so many parts."""
    if not 1 <= parts <= MOST:
        raise UsageError(f"parts must be from 1 to {MOST}, got {parts:,}")
