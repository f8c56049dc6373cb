"""Gradient-guided similarity: the closed form against autograd's gradients, and which way pairs move."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.nn.losses.gradient_similarity import (
    GradientFactors,
    check_separation,
    class_targets,
    gradient_distances,
    gradient_factors,
    gradient_separation,
    gradient_similarity,
    surrogate_entropy,
)


@pytest.fixture(params=range(3))
def problem(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features, W, centres and classes; vectors of classes of another length than features, which nothing forbids."""
    generator = torch.Generator().manual_seed(request.param)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return draw(6, 5), draw(5, 4), draw(7, 4), torch.randint(0, 7, (6, 4), generator=generator)


def per_sample_gradients(features: Tensor, weight: Tensor, centres: Tensor, classes: Tensor) -> Tensor:
    """dL_C/dW of each picture by autograd, flattened, with the loss spelt out."""
    gradients = []
    for x, own in zip(features, classes, strict=True):
        W = weight.clone().requires_grad_()
        scores = torch.stack([x @ W @ v + 0.3 for v in centres])  # with a bias, which cancels
        q = torch.stack([(own == c).double().mean() for c in range(len(centres))])
        loss = -(q * (scores - scores.logsumexp(0))).sum()
        gradients.append(torch.autograd.grad(loss, W)[0].flatten())
    return torch.stack(gradients)


def test_the_closed_form_is_autograds(problem: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    g = per_sample_gradients(*problem)
    factors = gradient_factors(*problem)
    made = torch.einsum("nd,ne->nde", factors.x, factors.u).flatten(1)
    torch.testing.assert_close(made, g, rtol=0, atol=1e-12)
    cosines = torch.stack([torch.stack([functional.cosine_similarity(a, b, dim=0) for b in g]) for a in g])
    torch.testing.assert_close(gradient_similarity(factors), cosines, rtol=0, atol=1e-6)
    squares = torch.stack([torch.stack([(a - b).square().sum() for b in g]) for a in g])
    torch.testing.assert_close(gradient_distances(factors), squares, rtol=0, atol=1e-6)


def test_the_entropy_is_its_equation_and_its_gradient_the_mean(problem: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    features, weight, centres, classes = problem
    W = weight.clone().requires_grad_()
    loss = surrogate_entropy(features, W, centres, classes)
    q = class_targets(classes, len(centres)).double()
    torch.testing.assert_close(q.sum(dim=1), torch.ones(6, dtype=torch.float64))
    want = -(q * torch.log_softmax(features @ weight @ centres.T, dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(loss, want)
    loss.backward()
    assert W.grad is not None
    torch.testing.assert_close(W.grad.flatten(), per_sample_gradients(*problem).mean(dim=0))


def test_similarity_is_differentiable_through_both_factors(problem: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    features, weight, centres, classes = problem

    def summed(x: Tensor, W: Tensor) -> Tensor:
        return gradient_similarity(gradient_factors(x, W, centres, classes)).sum()

    assert torch.autograd.gradcheck(summed, (features.requires_grad_(), weight.requires_grad_()))


def moved(reading: str) -> tuple[list[float], list[float]]:
    """d_st of two pairs before and after a step of descent on the features: one is above the threshold, one below."""
    angles = torch.tensor([0.0, 0.9, 0.0, 1.5], dtype=torch.float64)  # cosines 0.62 and 0.07 within the pairs
    x = torch.stack([angles.cos(), angles.sin()], dim=1).requires_grad_()
    pairs = torch.zeros(4, 4, dtype=torch.bool)
    pairs[0, 1] = pairs[2, 3] = True

    def similarity() -> Tensor:
        return gradient_similarity(GradientFactors(x, torch.ones(4, 1, dtype=torch.float64)))

    before = similarity()
    gradient_separation(before, pairs, reading=reading).backward()  # type: ignore[arg-type]
    assert x.grad is not None
    with torch.no_grad():
        x -= 0.01 * x.grad
    after = similarity()
    return before[pairs].tolist(), after[pairs].tolist()


def test_a_pair_above_the_threshold_moves_together_and_one_below_apart() -> None:
    (above, below), (above_after, below_after) = moved("formula")
    assert below < 0.25 < above < 0.75
    assert above_after > above
    assert below_after < below


def test_the_slope_that_fig_7_prints_moves_both_apart() -> None:
    (above, below), (above_after, below_after) = moved("slope")
    assert above_after < above
    assert below_after < below


@pytest.mark.parametrize(("reading", "constant"), [("formula", 0.0), ("slope", 1.0)])
def test_derivatives_are_those_stated(reading: str, constant: float) -> None:
    d = torch.linspace(-1, 1, 9, dtype=torch.float64).view(1, 9).requires_grad_()
    loss = gradient_separation(d, torch.ones(1, 9, dtype=torch.bool), slope=3.0, threshold=0.1, reading=reading)  # type: ignore[arg-type]
    (got,) = torch.autograd.grad(loss, d)
    torch.testing.assert_close(got * 9, constant - 3.0 * (d.detach() - 0.1))


def test_only_the_pairs_that_count_do() -> None:
    d = torch.tensor([[1.0, 0.5], [-0.5, 1.0]])
    pairs = torch.tensor([[False, True], [False, False]])
    assert gradient_separation(d, pairs).item() == pytest.approx(1 - 0.25**2)
    assert gradient_separation(d, torch.zeros(2, 2, dtype=torch.bool)).item() == 0


def test_a_picture_without_a_gradient_is_similar_to_nothing() -> None:
    factors = GradientFactors(torch.ones(2, 3, requires_grad=True), torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    d = gradient_similarity(factors)
    assert d[0].tolist() == [0, 0]
    d.sum().backward()
    assert torch.isfinite(factors.x.grad).all()  # type: ignore[arg-type]


def test_unknown_readings_are_refused() -> None:
    with pytest.raises(UsageError, match="reading must be 'formula' or 'slope', got 'distance'"):
        gradient_separation(torch.ones(1, 1), torch.ones(1, 1, dtype=torch.bool), reading="distance")
    with pytest.raises(UsageError, match="formula, slope, distance, got 'l2'"):
        check_separation("l2")
