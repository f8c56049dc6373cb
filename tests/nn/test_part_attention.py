"""Channel part attention against its equation, and the adversary's work measured against none."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.nn.part_attention import ChannelPartAttention, PartAdversary, PartLearners


def a_map(count: int = 2, channels: int = 8, seed: int = 3) -> Tensor:
    return torch.randn(count, channels, 4, 3, generator=torch.Generator().manual_seed(seed)).abs()


def test_attention_weighs_channels_by_eq_6() -> None:
    torch.manual_seed(0)
    block, value = ChannelPartAttention(8), a_map()
    W1, W2 = (layer.weight.detach().double().numpy() for layer in (block.W1, block.W2))
    assert W1.shape == (64, 8)
    assert W2.shape == (8, 64)
    for got, picture in zip(block(value), value.double().numpy(), strict=True):
        descriptor = picture.mean(axis=(1, 2))
        weights = 1 / (1 + np.exp(-W2 @ np.maximum(W1 @ descriptor, 0)))
        np.testing.assert_allclose(got.detach().numpy(), picture * weights[:, None, None], rtol=1e-4, atol=1e-6)


def test_all_modules_share_one_embedding() -> None:
    torch.manual_seed(0)
    learners, value = PartLearners(8, parts=3, length=5).eval(), a_map()
    parts = learners(value)
    assert [tuple(part.shape) for part in parts] == [(2, 5)] * 3
    for attention, part in zip(learners.attentions, parts, strict=True):
        want = learners.pooled(learners.places(attention(value)).mean(dim=(2, 3)))
        torch.testing.assert_close(part, want)
    together = torch.stack([attention(value) for attention in learners.attentions]).mean(dim=0)
    torch.testing.assert_close(learners.attended(value), together)


def test_averaging_is_two_layers_behind_the_mean() -> None:
    torch.manual_seed(0)
    learners, value = PartLearners(8, parts=2, length=5, by="average"), a_map()
    first, second = (layer for layer in learners.pooled if isinstance(layer, nn.Linear))
    for attention, part in zip(learners.attentions, learners(value), strict=True):
        signature = attention(value).mean(dim=(2, 3))
        torch.testing.assert_close(part, torch.relu(second(torch.relu(first(signature)))))


def test_the_adversary_sums_over_pairs_and_gradients_turn_round_before_it() -> None:
    torch.manual_seed(0)
    adversary = PartAdversary(5)
    parts = [torch.randn(4, 5, requires_grad=True) for _ in range(3)]
    loss = adversary.loss(torch.stack(parts))
    plain = sum((adversary(a) - adversary(b)).square().sum(dim=1).mean() for a, b in combinations(parts, 2))
    torch.testing.assert_close(loss, torch.as_tensor(plain))
    inside = torch.autograd.grad(loss, [*parts, adversary.first.weight], retain_graph=True)
    straight = torch.autograd.grad(torch.as_tensor(plain), [*parts, adversary.first.weight])
    for turned, direct in zip(inside[:3], straight[:3], strict=True):
        torch.testing.assert_close(turned, -direct)
        assert direct.any()
    torch.testing.assert_close(inside[3], straight[3])


def test_the_adversary_gains_nothing_by_size() -> None:
    torch.manual_seed(0)
    adversary, parts = PartAdversary(5), [torch.randn(4, 5) for _ in range(3)]
    before = adversary.loss(torch.stack(parts))
    with torch.no_grad():
        adversary.first.weight *= 0.01
    torch.testing.assert_close(adversary.loss(100 * torch.stack(parts)), before)
    assert adversary.loss(torch.stack(parts[:1])).item() == 0


def diversity(parts: list[Tensor]) -> float:
    """Mean squared distance of two parts of a picture, each divided by its norm: 0 the same, 2 at right angles."""
    units = [functional.normalize(part) for part in parts]
    return float(np.mean([(a - b).square().sum(dim=1).mean().item() for a, b in combinations(units, 2)]))


def learned(weight: float, seed: int) -> float:
    """Diversity on new pictures of parts whose sum learned to classify, with the adversary behind a weight."""
    torch.manual_seed(seed)
    learners, adversary = PartLearners(16, parts=3, length=128), PartAdversary(128)
    classifier = nn.Linear(128, 4)
    optimiser = torch.optim.Adam([*learners.parameters(), *classifier.parameters(), *adversary.parameters()], lr=0.003)
    prototypes = a_map(4, 16, seed=seed + 50)
    for step in range(60):
        classes = torch.arange(16) % 4
        value = prototypes[classes] + 0.5 * a_map(16, 16, seed=1000 * seed + step)
        parts = torch.stack(learners(value))
        loss = functional.cross_entropy(classifier(parts.sum(dim=0)), classes) + weight * adversary.loss(parts)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return diversity(learners.eval()(prototypes + 0.5 * a_map(4, 16, seed=7)))


def test_the_adversary_raises_the_diversity_of_parts() -> None:
    without, with_it = ([learned(weight, seed) for seed in range(4)] for weight in (0.0, 0.015))  # the paper's lambda1
    assert min(with_it) > 2 * max(without), (without, with_it)


def test_the_proximal_term_measures_from_the_prior() -> None:
    torch.manual_seed(0)
    learners = PartLearners(8, parts=2, length=5)
    assert learners.proximity().item() == 0
    before = [weight.detach().clone() for weight in learners.parameters()]
    with torch.no_grad():
        for weight in learners.parameters():
            weight.add_(0.1)
    moved = sum((now - then).square().sum() for now, then in zip(learners.parameters(), before, strict=True)) / 2
    torch.testing.assert_close(learners.proximity(), torch.as_tensor(moved))
    learners.proximity().backward()
    torch.testing.assert_close(learners.attentions[0].W1.weight.grad, torch.full((64, 8), 0.1))  # type: ignore[union-attr]
    other = PartLearners(8, parts=2, length=5)
    other.load_state_dict(learners.state_dict())
    torch.testing.assert_close(other.proximity(), learners.proximity(), rtol=1e-5, atol=0)
    learners.to(memory_format=torch.channels_last).keep_prior()  # type: ignore[call-overload]
    assert learners.proximity().item() == 0


def test_impossible_parts_are_refused() -> None:
    with pytest.raises(UsageError, match="parts must be from 1 to 64, got 0"):
        PartLearners(8, parts=0)
    with pytest.raises(UsageError, match="adversary or average, got 'both'"):
        PartLearners(8, by="both")  # type: ignore[arg-type]


def test_the_adversary_works_in_mixed_precision() -> None:
    torch.manual_seed(0)
    learners, adversary = PartLearners(8, parts=2, length=4), PartAdversary(4)
    with torch.autocast("cpu", torch.bfloat16):
        loss = adversary.loss(torch.stack(learners(a_map())))
    assert loss.dtype == torch.float32
    loss.backward()
    assert learners.attentions[0].W1.weight.grad is not None  # type: ignore[union-attr]
