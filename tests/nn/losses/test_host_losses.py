"""The losses of AGW and ABD-Net against their equations, written as plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from swiftreid.errors import UsageError
from swiftreid.nn.losses.orthogonality import orthogonality
from swiftreid.nn.losses.weighted_triplet import weighted_triplet

PERSONS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3])


def randoms(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def weighted(distances: list[float], sign: int) -> float:
    """Their mean, each weighted by exp(sign * distance); 0 of none."""
    powers = [math.exp(sign * d) for d in distances]
    return sum(p * d for p, d in zip(powers, distances, strict=True)) / sum(powers) if powers else 0.0


@pytest.mark.parametrize("seed", range(4))
def test_weighted_triplet(seed: int) -> None:
    features = randoms(8, 3, seed=seed)
    rows, people = features.tolist(), PERSONS.tolist()
    want = 0.0
    for i, row in enumerate(rows):
        same = [math.dist(row, r) for j, r in enumerate(rows) if j != i and people[j] == people[i]]
        other = [math.dist(row, r) for j, r in enumerate(rows) if people[j] != people[i]]
        want += math.log1p(math.exp(weighted(same, 1) - weighted(other, -1))) / 8
    assert weighted_triplet(features, PERSONS).item() == pytest.approx(want, abs=1e-6)


def test_weighted_triplet_draws_its_own_together_and_pushes_others_away() -> None:
    features = torch.tensor([[0.0], [1.0], [3.0]], requires_grad=True)
    weighted_triplet(features, torch.tensor([0, 0, 1])).backward()
    assert features.grad is not None
    assert features.grad[2].item() < 0, "a step against it moves the stranger further off"
    assert features.grad[1].item() > 0


def test_weighted_triplet_gradients_are_those_of_the_equation() -> None:
    features = randoms(8, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: weighted_triplet(x, PERSONS), features)


def test_weighted_triplet_is_finite_where_pictures_coincide_or_lie_far_apart() -> None:
    for features in (torch.ones(8, 3), randoms(8, 3).float() * 1e4):
        features.requires_grad_()
        loss = weighted_triplet(features, PERSONS)
        loss.backward()
        assert loss.isfinite()
        assert features.grad is not None
        assert features.grad.isfinite().all()


def test_weighted_triplet_needs_two_persons() -> None:
    with pytest.raises(UsageError, match="two persons"):
        weighted_triplet(torch.randn(3, 2), torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (3, 4, 7)])
def test_orthogonality_is_the_spread_of_the_eigenvalues(shape: tuple[int, ...]) -> None:
    rows = randoms(*shape)
    spreads = []
    for one in rows.reshape(-1, *shape[-2:]):
        small = one if shape[-2] <= shape[-1] else one.T
        values = torch.linalg.eigvalsh(small @ small.T)
        spreads.append((values[-1] - values[0]).item())
    want = sum(spreads) / len(spreads)
    assert orthogonality(rows, steps=2000).item() == pytest.approx(want, rel=1e-6)
    few = orthogonality(rows).item()
    assert 0.5 * want < few <= want * (1 + 1e-6), "a few steps come near it, from below"


def test_orthogonality_is_power_iteration() -> None:
    rows = randoms(3, 6, seed=2)
    start = torch.randn(3, 1, generator=torch.Generator().manual_seed(0)).flatten().double().tolist()
    matrix = [[sum(a * b for a, b in zip(r, s, strict=True)) for s in rows.tolist()] for r in rows.tolist()]

    def dominant(matrix: list[list[float]]) -> float:
        vector = start
        for _ in range(3):
            vector = [sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix]
            size = math.sqrt(sum(v * v for v in vector))
            vector = [v / size for v in vector]
        return sum(vector[i] * matrix[i][j] * vector[j] for i in range(3) for j in range(3))

    largest = dominant(matrix)
    moved = [[matrix[i][j] - (largest if i == j else 0) for j in range(3)] for i in range(3)]
    assert orthogonality(rows, steps=3).item() == pytest.approx(-dominant(moved))


def test_orthogonal_rows_of_one_length_cost_nothing_and_a_step_leads_there() -> None:
    rows = torch.linalg.qr(randoms(6, 6))[0][:3] * 2.5
    assert orthogonality(rows).item() == pytest.approx(0, abs=1e-9)
    rows = randoms(3, 6).requires_grad_()
    before = orthogonality(rows, steps=200)
    before.backward()
    assert rows.grad is not None
    assert orthogonality(rows.detach() - 0.01 * rows.grad, steps=200).item() < before.item()
    values, vectors = torch.linalg.eigh((rows @ rows.T).detach())
    want = 2 * (vectors[:, -1:] @ vectors[:, -1:].T - vectors[:, :1] @ vectors[:, :1].T) @ rows.detach()
    torch.testing.assert_close(rows.grad, want, rtol=1e-4, atol=1e-4)
    assert values[0] > 0
