from __future__ import annotations

import pytest
import torch

from swiftreid.nn.losses.centre import CentreLoss


def test_loss_and_centres_move_as_wen_has_it() -> None:
    torch.manual_seed(0)
    loss = CentreLoss(4, 3, rate=0.5).double()
    loss.centres.copy_(torch.randn(4, 3))
    loss.seen.fill_(True)
    centres = loss.centres.tolist()
    features = torch.randn(5, 3).double()
    persons = [2, 0, 2, 2, 1]
    want = 0.0
    for row, person in zip(features.tolist(), persons, strict=True):
        want += sum((x - c) ** 2 for x, c in zip(row, centres[person], strict=True)) / 2 / 5
    assert loss(features, torch.tensor(persons)).item() == pytest.approx(want)
    for person in range(4):
        members = [row for row, p in zip(features.tolist(), persons, strict=True) if p == person]
        for k in range(3):
            move = sum(centres[person][k] - row[k] for row in members) / (1 + len(members))
            assert loss.centres[person, k].item() == pytest.approx(centres[person][k] - 0.5 * move, abs=1e-6)


def test_a_new_person_starts_at_the_mean_of_its_pictures() -> None:
    loss = CentreLoss(3, 2)
    features = torch.tensor([[1.0, 3.0], [3.0, 5.0], [9.0, 9.0]])
    assert loss(features, torch.tensor([1, 1, 2])).item() == pytest.approx((1 + 1) / 3)
    torch.testing.assert_close(loss.centres, torch.tensor([[0.0, 0.0], [2.0, 4.0], [9.0, 9.0]]))
    assert loss.seen.tolist() == [False, True, True]
    loss(torch.zeros(1, 2), torch.tensor([1]))
    torch.testing.assert_close(loss.centres[1], torch.tensor([2.0, 4.0]) * 0.75)


def test_only_features_have_a_gradient_and_centres_rest_in_eval_mode() -> None:
    loss = CentreLoss(2, 2)
    features = torch.tensor([[1.0, 0.0], [3.0, 0.0]], requires_grad=True)
    loss(features, torch.tensor([0, 0])).backward()
    assert features.grad is not None
    torch.testing.assert_close(features.grad, torch.tensor([[-0.5, 0.0], [0.5, 0.0]]))
    assert list(loss.parameters()) == []
    before = loss.eval().centres.clone()
    loss(torch.ones(1, 2), torch.tensor([1]))
    assert torch.equal(loss.centres, before)
    assert "centres" in loss.state_dict()
