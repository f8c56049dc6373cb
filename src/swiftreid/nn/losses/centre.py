"""Centre loss: features stay near the centre of their person."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swiftreid.nn.losses.precision import in_full_precision


class CentreLoss(nn.Module):
    """``1/2 |x_i - c_(y_i)|^2``, averaged over the batch (Wen et al., ECCV 2016, Eq. 2; Luo et al. 2019, section 3.6).

    Each time it is computed in training, the centres then move towards the batch (Wen, Eq. 4):
    ``c_j <- c_j - rate * sum_(i of j) (c_j - x_i) / (1 + n_j)``.

    **Decision**: the papers print a sum; a mean does not grow with the batch, as in the released code of Luo et al. The
    centres are no parameters, so that they move by their own rule whatever the optimiser: behind a weight of 0.0005,
    Adam would move them at the network's pace. A centre starts at
    the mean of the first pictures of its person. Several processes that train one network do not exchange their
    centres: each follows the pictures of its own batches.

    Args:
        persons: number of training persons.
        features: length of a feature.
        rate: alpha, how far centres move.
    """

    centres: Tensor
    seen: Tensor

    def __init__(self, persons: int, features: int, rate: float = 0.5) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("centres", torch.zeros(persons, features))
        self.register_buffer("seen", torch.zeros(persons, dtype=torch.bool))

    @in_full_precision
    def forward(self, features: Tensor, persons: Tensor) -> Tensor:
        """The loss of a batch, a scalar; features float [n, features], persons int64 [n] from 0."""
        if self.training:
            self._place_centres(features.detach().to(self.centres.dtype), persons)
        loss = (features - self.centres[persons].detach()).square().sum(dim=1).mean() / 2  # Wen, Eq. 2
        if self.training:
            self._move_centres(features.detach().to(self.centres.dtype), persons)
        return loss

    def _place_centres(self, features: Tensor, persons: Tensor) -> None:
        """Persons seen for the first time get the mean of their pictures as their centre."""
        members = nn.functional.one_hot(persons, len(self.centres)).to(self.centres.dtype)
        counts = members.sum(dim=0)
        fresh = (counts > 0) & ~self.seen
        means = members.T @ features / counts.clamp(min=1)[:, None]
        # In place, as buffers are: a checkpoint holds these tensors.
        self.centres.copy_(torch.where(fresh[:, None], means, self.centres))
        self.seen |= fresh

    def _move_centres(self, features: Tensor, persons: Tensor) -> None:
        """Centres move towards the batch."""
        members = nn.functional.one_hot(persons, len(self.centres)).to(self.centres.dtype)
        counts = members.sum(dim=0)[:, None]
        self.centres -= self.rate * (counts * self.centres - members.T @ features) / (1 + counts)  # Wen, Eq. 4
