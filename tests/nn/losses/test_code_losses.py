"""Losses of binary codes and of attributes, against loops spelt out."""

from __future__ import annotations

from math import exp, log

import pytest
import torch

from swiftreid.nn.losses.attribute_entropy import attribute_entropy
from swiftreid.nn.losses.binary_regulariser import binary_regulariser
from swiftreid.nn.losses.self_distillation import self_distillation


def test_self_distillation_is_the_distance_to_the_teachers_signs() -> None:
    student, teacher = torch.randn(4, 6), torch.randn(4, 6)
    teacher[0, 0] = 0.0  # Eq. 1: 0 is -1
    want = sum(
        abs((1.0 if t > 0 else -1.0) - s)
        for row in zip(student.tolist(), teacher.tolist(), strict=True)
        for s, t in zip(*row, strict=True)
    )
    assert self_distillation(student, teacher).item() == pytest.approx(want / 24, rel=1e-5)


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher = torch.randn(4, 6, requires_grad=True), torch.randn(4, 6, requires_grad=True)
    self_distillation(student, teacher * 2).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_the_regulariser_of_dsh_draws_to_minus_1_and_1() -> None:
    values = torch.tensor([[-3.0, -1.0], [0.25, 1.5]], requires_grad=True)
    loss = binary_regulariser(values)
    assert loss.item() == pytest.approx((2 + 0 + 0.75 + 0.5) / 4)
    loss.backward()
    assert values.grad is not None
    assert values.grad[0, 0] < 0 < values.grad[1, 1]
    assert values.grad[1, 0] < 0  # a step against the gradient makes 0.25 larger


def test_attributes_are_the_two_outputs_of_the_paper() -> None:
    logits = [[1.5, -0.5, 2.0], [0.0, 3.0, -1.0]]
    truth = [[1.0, 0.0, float("nan")], [0.0, 1.0, float("nan")]]
    each = []
    for row, bits in zip(logits, truth, strict=True):
        for z, bit in zip(row, bits, strict=True):
            if bit == bit:  # known; Eq. 3 with z1 - z0 = z
                yes = exp(z) / (exp(z) + exp(0))
                each.append(-log(yes if bit else 1 - yes))
    got = attribute_entropy(torch.tensor(logits), torch.tensor(truth))
    assert got.item() == pytest.approx(sum(each) / 4, rel=1e-5)


def test_unknown_attributes_are_not_learned() -> None:
    logits = torch.randn(2, 2, requires_grad=True)
    attribute_entropy(logits, torch.tensor([[1.0, torch.nan], [0.0, torch.nan]])).backward()
    assert logits.grad is not None
    assert (logits.grad[:, 0] != 0).all()
    assert (logits.grad[:, 1] == 0).all()
    nothing = attribute_entropy(logits, torch.full((2, 2), torch.nan))
    assert nothing.item() == 0
