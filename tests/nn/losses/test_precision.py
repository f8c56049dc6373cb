"""Losses under autocast, and on half-precision features, are those of full precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from swiftreid.nn.losses.centre import CentreLoss
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.lin import lin_loss
from swiftreid.nn.losses.orthogonality import orthogonality
from swiftreid.nn.losses.probability_distillation import probability_distillation, symmetric_divergence
from swiftreid.nn.losses.similarity_distillation import row_similarity_distillation, similarity_distillation
from swiftreid.nn.losses.triplet import batch_hard_triplet
from swiftreid.nn.losses.weighted_triplet import weighted_triplet

PERSONS = torch.tensor([0, 0, 1, 1, 2, 2])


def centre(features: Tensor) -> Tensor:
    loss = CentreLoss(3, features.shape[1])
    loss(features.float().roll(1, 0), PERSONS)
    value: Tensor = loss(features, PERSONS)
    return value


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "triplet": lambda x: batch_hard_triplet(x, PERSONS),
    "weighted_triplet": lambda x: weighted_triplet(x, PERSONS),
    "orthogonality": orthogonality,
    "lin": lambda x: lin_loss(x, PERSONS),
    "cross_entropy": lambda x: cross_entropy(x, PERSONS),
    "probability": lambda x: probability_distillation(x, x.roll(1, 0)),
    "divergence": lambda x: symmetric_divergence(x, x.roll(1, 0)),
    "similarity": lambda x: similarity_distillation(x[:, :8], x),
    "row_similarity": lambda x: row_similarity_distillation(x[:, :8], x),
    "centre": centre,
}


@pytest.mark.parametrize("name", LOSSES)
def test_autocast_changes_no_loss(name: str) -> None:
    torch.manual_seed(0)
    features = (torch.randn(6, 32) + 30).bfloat16()  # far from 0, where products in bfloat16 lose the distances
    want = LOSSES[name](features.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = LOSSES[name](features)
        cast = LOSSES[name](features.float())
    assert got.dtype == torch.float32
    assert got.item() == want.item()
    assert cast.item() == want.item()


@pytest.mark.parametrize("name", LOSSES)
def test_doubles_stay_doubles(name: str) -> None:
    assert LOSSES[name](torch.randn(6, 32).double()).dtype in {torch.float64}
