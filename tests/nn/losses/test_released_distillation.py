"""The released code's forms of distillation, against plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from swiftreid.nn.losses.probability_distillation import symmetric_divergence
from swiftreid.nn.losses.similarity_distillation import row_similarity_distillation


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(v - max(row)) for v in row]
    return [p / sum(powers) for p in powers]


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_symmetric_divergence(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(6, 4, generator=generator).double() for _ in range(2))
    want = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        q, p = softmax([v / temperature for v in s]), softmax([v / temperature for v in t])
        want += sum(a * math.log(a / b) + b * math.log(b / a) for a, b in zip(p, q, strict=True)) / 6
    assert symmetric_divergence(student, teacher, temperature=temperature).item() == pytest.approx(want)
    assert symmetric_divergence(teacher, teacher).item() == 0


def test_divergence_of_certain_scores_is_finite() -> None:
    student = torch.tensor([[200.0, 0.0]], requires_grad=True)
    loss = symmetric_divergence(student, torch.tensor([[0.0, 200.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(400)
    assert student.grad is not None
    assert bool(student.grad.isfinite().all())


def test_row_similarity() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(5, 8, generator=generator).double(), torch.randn(5, 32, generator=generator).double()

    def rows(codes: list[list[float]]) -> list[list[float]]:
        products = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in codes] for x in codes]
        return [[v / math.sqrt(sum(w * w for w in row)) for v in row] for row in products]

    ours, theirs = rows(student.tolist()), rows(teacher.tolist())
    want = sum((ours[i][j] - theirs[i][j]) ** 2 for i in range(5) for j in range(5)) / 25
    assert row_similarity_distillation(student, teacher).item() == pytest.approx(want)
    assert row_similarity_distillation(teacher * 3, teacher).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("loss", [symmetric_divergence, row_similarity_distillation])
def test_released_teachers_learn_nothing(loss) -> None:
    student, teacher = torch.randn(4, 6, requires_grad=True), torch.randn(4, 6, requires_grad=True)
    loss(student, teacher).backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.abs().sum() > 0
