"""The Lin loss against its equations, written as plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swiftreid.errors import UsageError
from swiftreid.nn.losses.lin import lin_loss

PERSONS = torch.tensor([0, 0, 0, 1, 1, 2])  # the last person has one picture: no positive


def unit(row: list[float]) -> list[float]:
    length = math.sqrt(sum(v * v for v in row))
    return [v / length for v in row]


def naive(rows: list[list[float]], persons: list[int], radius: float, temperature: float) -> float:
    total = 0.0
    units = [unit(row) for row in rows]
    for i, a in enumerate(units):
        positives, weights, losses = [], [], []
        for j, b in enumerate(units):
            distance = math.dist(a, b)
            if i != j and persons[i] == persons[j]:
                positives.append(max(0.0, distance - radius))
            elif persons[i] != persons[j]:
                weights.append(math.exp(-distance) * math.exp(temperature * (2 - distance)))
                losses.append(2 - distance)
        if positives:
            total += sum(positives) / len(positives)
        total += sum(w * v for w, v in zip(weights, losses, strict=True)) / sum(weights)
    return total / len(units)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radius", [0.0, 0.7, 1.4])
@pytest.mark.parametrize("temperature", [0.0, 1.0, 5.0])
def test_lin_is_its_equations(seed: int, radius: float, temperature: float) -> None:
    features = torch.randn(6, 3, generator=torch.Generator().manual_seed(seed)).double()
    want = naive(features.tolist(), PERSONS.tolist(), radius, temperature)
    got = lin_loss(features, PERSONS, radius=radius, temperature=temperature)
    assert got.item() == pytest.approx(want, abs=1e-5)


def test_the_lengths_of_features_do_not_matter() -> None:
    features = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double()
    scaled = features * torch.tensor([[1.0], [30.0], [0.01], [5.0], [2.0], [7.0]])
    torch.testing.assert_close(lin_loss(scaled, PERSONS), lin_loss(features, PERSONS))


def test_a_perfect_batch_costs_nothing() -> None:
    features = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, -0.1]])
    assert lin_loss(features, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(0, abs=2e-3)


def gradient(*, detach: bool) -> torch.Tensor:
    features = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    lin_loss(features, PERSONS, detach_weights=detach).backward()
    assert features.grad is not None
    return features.grad


def test_detached_weights_are_constants_in_the_backward_pass() -> None:
    """Against a loss with the weights computed beforehand, and finite differences with them free."""
    features = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    units = features / features.norm(dim=1, keepdim=True)
    total = torch.zeros(())
    with torch.no_grad():
        weights = [
            [math.exp(-math.dist(a, b)) * math.exp(2 - math.dist(a, b)) for b in units.tolist()] for a in units.tolist()
        ]
    for i in range(6):
        others = [j for j in range(6) if j != i and PERSONS[j] == PERSONS[i]]
        if others:
            total = total + sum(((units[i] - units[j]).norm() - 0.7).clamp(min=0) for j in others) / len(others) / 6
        negatives = [j for j in range(6) if PERSONS[j] != PERSONS[i]]
        whole = sum(weights[i][j] for j in negatives)
        total = total + sum(weights[i][j] * (2 - (units[i] - units[j]).norm()) for j in negatives) / whole / 6
    (want,) = torch.autograd.grad(total, features)
    torch.testing.assert_close(gradient(detach=True), want, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(gradient(detach=False), want, atol=1e-3)


def test_free_weights_have_the_gradient_of_the_whole_loss() -> None:
    features = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).double()
    got = gradient(detach=False)
    for i, k in ((0, 0), (3, 2), (5, 1)):
        step = torch.zeros_like(features)
        step[i, k] = 1e-5
        rise = lin_loss(features + step, PERSONS) - lin_loss(features - step, PERSONS)
        assert got[i, k].item() == pytest.approx(rise.item() / 2e-5, abs=1e-5)


@pytest.mark.parametrize("temperature", [-1.0, 0.0, 1.0, 5.0])
def test_what_free_weights_do_to_far_negatives(temperature: float) -> None:
    """One picture and its negatives at growing distances: the sign of what each distance adds to the loss."""
    angles = torch.tensor([0.0, 0.9, 1.3, 1.9, 2.6, 3.0], dtype=torch.float64)
    features = torch.stack([angles.cos(), angles.sin()], dim=1)
    d = (features[1:] - features[0]).norm(dim=1)
    log_w = temperature * (2 - d) - d
    w = log_w.softmax(0)
    Ln = (w * (2 - d)).sum()
    slope = -w * (1 + (temperature + 1) * (2 - d - Ln))  # as the docstring has it
    free = d.clone().requires_grad_()
    ((temperature * (2 - free) - free).softmax(0) * (2 - free)).sum().backward()
    torch.testing.assert_close(free.grad, slope)
    pulled_in = d > 2 - Ln + (1 / (temperature + 1) if temperature > -1 else torch.inf)
    assert torch.equal(slope > 0, pulled_in)
    assert bool(pulled_in.any()) == (temperature >= 1)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0, 50))
def test_the_loss_is_bounded_and_its_gradient_finite(seed: int, temperature: float) -> None:
    features = torch.randn(8, 2, generator=torch.Generator().manual_seed(seed))
    features[1] = features[0]  # two pictures in one place
    features[4] = features[5] = features[0]
    features.requires_grad_()
    loss = lin_loss(features, torch.tensor([0, 0, 0, 1, 1, 2, 2, 2]), temperature=temperature)
    loss.backward()
    assert 0 <= loss.item() <= 2 - 0.7 + 2 + 1e-4
    assert features.grad is not None
    assert bool(features.grad.isfinite().all())


def test_lin_needs_two_persons() -> None:
    with pytest.raises(UsageError, match="two persons"):
        lin_loss(torch.randn(3, 2), torch.zeros(3, dtype=torch.long))
