"""Every loss against its equation, written as plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from swiftreid.errors import UsageError
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.probability_distillation import probability_distillation
from swiftreid.nn.losses.similarity_distillation import similarity_distillation
from swiftreid.nn.losses.triplet import batch_hard_triplet, pairwise_distances


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(v - max(row)) for v in row]
    return [p / sum(powers) for p in powers]


@pytest.fixture(params=range(4))
def generator(request: pytest.FixtureRequest) -> torch.Generator:
    return torch.Generator().manual_seed(request.param)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy(generator: torch.Generator, smoothing: float) -> None:
    logits = torch.randn(7, 5, generator=generator).double()
    persons = torch.randint(0, 5, (7,), generator=generator)
    expected = 0.0
    for row, person in zip(logits.tolist(), persons.tolist(), strict=True):
        for c, probability in enumerate(softmax(row)):
            target = smoothing / 5 + (1 - smoothing if c == person else 0)
            expected -= target * math.log(probability) / 7
    assert cross_entropy(logits, persons, smoothing=smoothing).item() == pytest.approx(expected)


@pytest.mark.parametrize("margin", [0.0, 0.3, 2.0])
def test_batch_hard_triplet(generator: torch.Generator, margin: float) -> None:
    features = torch.randn(10, 3, generator=generator).double()
    persons = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 3])
    expected = 0.0
    rows = features.tolist()
    for i, a in enumerate(rows):
        same = [math.dist(a, b) for j, b in enumerate(rows) if persons[j] == persons[i]]
        other = [math.dist(a, b) for j, b in enumerate(rows) if persons[j] != persons[i]]
        expected += max(0.0, margin + max(same) - min(other)) / len(rows)
    assert batch_hard_triplet(features, persons, margin=margin).item() == pytest.approx(expected, abs=1e-5)


def test_triplet_gradient_is_finite_when_pictures_coincide() -> None:
    features = torch.ones(4, 3, requires_grad=True)
    batch_hard_triplet(features, torch.tensor([0, 0, 1, 1])).backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_triplet_needs_two_persons() -> None:
    with pytest.raises(UsageError, match="two persons"):
        batch_hard_triplet(torch.randn(3, 2), torch.zeros(3, dtype=torch.long))


def test_pairwise_distances(generator: torch.Generator) -> None:
    features = torch.randn(6, 4, generator=generator).double()
    torch.testing.assert_close(pairwise_distances(features), torch.cdist(features, features), atol=1e-5, rtol=0)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_probability_distillation(generator: torch.Generator, temperature: float) -> None:
    student = torch.randn(6, 4, generator=generator).double()
    teacher = torch.randn(6, 4, generator=generator).double()
    expected = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        long = softmax([v / temperature for v in t])
        short = softmax([v / temperature for v in s])
        expected -= sum(p * math.log(q) for p, q in zip(long, short, strict=True)) / 6
    assert probability_distillation(student, teacher, temperature=temperature).item() == pytest.approx(expected)


def test_similarity_distillation(generator: torch.Generator) -> None:
    student = torch.tanh(torch.randn(5, 8, generator=generator).double())
    teacher = torch.tanh(torch.randn(5, 32, generator=generator).double())
    expected = 0.0
    for i in range(5):
        for j in range(5):
            short = sum(a * b for a, b in zip(student[i].tolist(), student[j].tolist(), strict=True)) / 8
            long = sum(a * b for a, b in zip(teacher[i].tolist(), teacher[j].tolist(), strict=True)) / 32
            expected += (short - long) ** 2 / 25
    assert similarity_distillation(student, teacher).item() == pytest.approx(expected)


def test_similarity_of_signs_is_hamming_distance() -> None:
    student = torch.tensor([[1.0, -1, 1, 1], [1, 1, 1, 1]])
    teacher = torch.tensor([[1.0, -1], [-1, 1]])
    # Hamming 1 of 4 against 2 of 2: inner products 0.5 and -1.
    assert similarity_distillation(student, teacher).item() == pytest.approx(2 * 1.5**2 / 4)


@pytest.mark.parametrize("loss", [probability_distillation, similarity_distillation])
def test_teachers_learn_nothing(loss) -> None:
    student = torch.randn(4, 6, requires_grad=True)
    teacher = torch.randn(4, 6, requires_grad=True)
    loss(student, teacher).backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.abs().sum() > 0
