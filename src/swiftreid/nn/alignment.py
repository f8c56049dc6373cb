"""Pairs of maps aligned by a deformable convolution, and the classifier that compares them.

Wu et al., 'Pseudo-Pair Based Self-Similarity Learning for Unsupervised Person Re-Identification', TIP 2022, section
III-C.2: the inter-similarity.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from swiftreid.nn.deformable import KERNEL, DeformableConv2d
from swiftreid.nn.non_local import NonLocal

SCALES = 3
"""Times that a map is halved, to the scales 2, 4 and 8 (Fig. 5b)."""

START = 0.01
"""Standard deviation of a fresh classifier's weights."""


class OffsetEstimator(nn.Module):
    """Offsets for a deformable convolution from two maps side by side, at three scales (Fig. 5, Eq. 10).

    The map is halved three times; at each scale a non-local block of the embedded Gaussian relates all places of both
    pictures to each other. The scales are added up again from the coarsest to the full size, and a last convolution
    gives the offsets. It starts at 0, so that alignment starts as a plain convolution.

    **Decision**: the paper says that features are 'amplified at various scales (2x, 4x and 8x)'. In the work that it
    takes the estimator from (Shim et al., CVPR 2020) the scales are coarser, as here. Eight times finer, a map of 16 x
    8 has 8,192 places, and relating all of them takes 256 MB for each pair and block.

    Args:
        channels: of the two maps together.
        non_local: whether there are non-local blocks (Table VII).
    """

    def __init__(self, channels: int, *, non_local: bool = True) -> None:
        super().__init__()
        self.halvings = nn.ModuleList(_halving(channels) for _ in range(SCALES))
        self.relations = nn.ModuleList(
            NonLocal(channels, gaussian=True) if non_local else nn.Identity() for _ in range(SCALES)
        )
        self.offsets = nn.Conv2d(channels, 2 * KERNEL * KERNEL, 3, padding=1)
        nn.init.zeros_(self.offsets.weight)
        assert self.offsets.bias is not None
        nn.init.zeros_(self.offsets.bias)

    def forward(self, both: Tensor) -> Tensor:
        """Float [n, 18, h, w] for `DeformableConv2d`, of the two maps side by side, [n, channels, h, w]."""
        scales = [both]
        for halving, relation in zip(self.halvings, self.relations, strict=True):
            scales.append(relation(halving(scales[-1])))  # Eq. 10
        value = scales.pop()
        for finer in reversed(scales):
            value = finer + functional.interpolate(value, finer.shape[2:], mode="bilinear", align_corners=False)
        offsets: Tensor = self.offsets(value)
        return offsets


def _halving(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
    )


class AlignedPairs(nn.Module):
    """Scores of classes for pairs of maps: the reference aligned with the input, both side by side, pooled, classified.

    **Decisions**: maps are first brought to few channels by a 1x1 convolution: two maps of ResNet-50 have 4,096, of
    which a single 3x3 convolution would have 150 million weights. Eq. 9 prints X; as its text and Fig. 5 say, it is the
    reference that is sampled. What Eq. 11 concatenates are the input and the aligned reference, as in Fig. 5.

    Args:
        channels: of a map.
        classes: of the classifier.
        inside: channels that a map is brought to.
        non_local: as for `OffsetEstimator`.

    Example:
        >>> pairs = AlignedPairs(32, 10, inside=8)
        >>> pairs(torch.randn(4, 32, 8, 4), torch.randn(4, 32, 8, 4)).shape
        torch.Size([4, 10])
    """

    def __init__(self, channels: int, classes: int, *, inside: int = 128, non_local: bool = True) -> None:
        super().__init__()
        self.reduction = nn.Sequential(nn.Conv2d(channels, inside, 1, bias=False), nn.BatchNorm2d(inside), nn.ReLU())
        self.estimator = OffsetEstimator(2 * inside, non_local=non_local)
        self.convolution = DeformableConv2d(inside, inside)
        self.classifier = nn.Linear(2 * inside, classes, bias=False)
        self.restart(0)

    def forward(self, maps: Tensor, references: Tensor) -> Tensor:
        """Scores, float [n, classes], of pairs of maps [n, channels, h, w]."""
        X, X_hat = self.reduction(maps), self.reduction(references)
        aligned = self.convolution(X_hat, self.estimator(torch.cat([X, X_hat], dim=1)))  # Eq. 9
        pooled = torch.cat([X, aligned], dim=1).mean(dim=(2, 3))
        scores: Tensor = self.classifier(pooled)  # Theta of Eq. 11
        return scores

    @torch.no_grad()
    def restart(self, number: int) -> None:
        """Draw the classifier's weights again; which, follows from a number alone, so that all processes draw the same.

        Args:
            number: of the restart, such as how many there were before.
        """
        generator = torch.Generator().manual_seed(number)
        drawn = torch.empty(self.classifier.weight.shape).normal_(std=START, generator=generator)
        self.classifier.weight.copy_(drawn)
