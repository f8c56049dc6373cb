"""Deformable convolution against a naive loop, and pairs that are aligned by it."""

from __future__ import annotations

import math
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from swiftreid.nn.alignment import AlignedPairs, OffsetEstimator
from swiftreid.nn.deformable import DeformableConv2d
from swiftreid.nn.non_local import NonLocal


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def naive(value: np.ndarray, offsets: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Every tap of every place by itself, bilinear between four pixels, of which those outside are 0."""
    count, channels, height, width = value.shape
    result = np.zeros((count, len(weight), height, width))

    def pixel(n: int, y: int, x: int) -> np.ndarray:
        inside = 0 <= y < height and 0 <= x < width
        return value[n, :, y, x] if inside else np.zeros(channels)

    for n in range(count):
        for y in range(height):
            for x in range(width):
                for tap in range(9):
                    down = y + tap // 3 - 1 + offsets[n, 2 * tap, y, x]
                    across = x + tap % 3 - 1 + offsets[n, 2 * tap + 1, y, x]
                    top, left = math.floor(down), math.floor(across)
                    b, a = down - top, across - left
                    sampled = (
                        (1 - b) * (1 - a) * pixel(n, top, left) + (1 - b) * a * pixel(n, top, left + 1)
                        + b * (1 - a) * pixel(n, top + 1, left) + b * a * pixel(n, top + 1, left + 1)
                    )  # fmt: skip
                    result[n, :, y, x] += weight[:, :, tap // 3, tap % 3] @ sampled
    return result


@pytest.mark.parametrize("size", [(5, 4), (1, 3), (1, 1)])
@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_deformable_convolution_is_the_naive_loop(size: tuple[int, int], spread: float) -> None:
    layer = DeformableConv2d(3, 4).double()
    value, offsets = drawn(2, 3, *size), spread * drawn(2, 18, *size, seed=1)
    want = naive(value.numpy(), offsets.numpy(), layer.weight.detach().numpy())
    np.testing.assert_allclose(layer(value, offsets).detach().numpy(), want, atol=1e-12)


def test_without_offsets_it_is_a_convolution() -> None:
    layer, value = DeformableConv2d(3, 4).double(), drawn(2, 3, 6, 5)
    want = functional.conv2d(value, layer.weight, padding=1)
    torch.testing.assert_close(layer(value, torch.zeros(2, 18, 6, 5, dtype=torch.float64)), want)


def test_gradients_reach_value_offsets_and_weight() -> None:
    layer = DeformableConv2d(2, 2).double()
    value, offsets = drawn(1, 2, 3, 3).requires_grad_(), (0.37 * drawn(1, 18, 3, 3, seed=1)).requires_grad_()
    assert torch.autograd.gradcheck(layer, (value, offsets))


def test_it_is_torchvisions_operator() -> None:
    # In another process: a torchvision that does not fit this torch can break it as it is imported.
    tried = subprocess.run(
        [sys.executable, "-c", "from torchvision.ops import deform_conv2d"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"torchvision cannot be imported here: {tried.stderr.strip().splitlines()[-1]}")
    deform_conv2d = import_module("torchvision.ops").deform_conv2d
    layer = DeformableConv2d(3, 4).double()
    value, offsets = drawn(2, 3, 6, 5), 2 * drawn(2, 18, 6, 5, seed=1)
    torch.testing.assert_close(layer(value, offsets), deform_conv2d(value, offsets, layer.weight, padding=1))


def test_a_gaussian_non_local_block_weighs_places_by_a_softmax() -> None:
    torch.manual_seed(0)
    block = NonLocal(6, gaussian=True).double().eval()
    nn.init.uniform_(block.norm.weight, 0.5, 1.5)
    value = drawn(1, 6, 3, 2)
    theta, phi, g = (part(value).flatten(2)[0] for part in (block.theta, block.phi, block.g))
    gathered = torch.zeros_like(g)
    for j in range(6):
        weights = [torch.exp(theta[:, j] @ phi[:, i]) for i in range(6)]  # u(Z_j, Z_i) of Eq. 10
        gathered[:, j] = sum(w * g[:, i] for i, w in enumerate(weights)) / sum(weights)  # type: ignore[arg-type]
    want = block.norm(block.up(gathered.view(1, 3, 3, 2))) + value
    torch.testing.assert_close(block(value), want)


@pytest.mark.parametrize("size", [(16, 8), (6, 2), (2, 1)])
def test_offsets_start_at_nothing_for_maps_of_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    estimator = OffsetEstimator(8)
    assert [type(relation) for relation in estimator.relations] == [NonLocal] * 3
    offsets = estimator(drawn(4, 8, *size).float())
    assert offsets.shape == (4, 18, *size)
    assert not offsets.any()


def test_non_local_blocks_can_be_left_out() -> None:
    assert not any(isinstance(part, NonLocal) for part in AlignedPairs(8, 3, inside=4, non_local=False).modules())
    assert sum(isinstance(part, NonLocal) for part in AlignedPairs(8, 3, inside=4).modules()) == 3


def test_a_pair_is_the_input_beside_the_aligned_reference() -> None:
    torch.manual_seed(0)
    pairs = AlignedPairs(8, 3, inside=4).double().eval()
    nn.init.normal_(pairs.estimator.offsets.weight, std=0.2)
    maps, references = drawn(2, 8, 6, 4), drawn(2, 8, 6, 4, seed=1)
    X, X_hat = pairs.reduction(maps), pairs.reduction(references)
    offsets = pairs.estimator(torch.cat([X, X_hat], dim=1))
    assert offsets.abs().max() > 0.1
    want = torch.cat([X, pairs.convolution(X_hat, offsets)], dim=1).mean(dim=(2, 3)) @ pairs.classifier.weight.T
    torch.testing.assert_close(pairs(maps, references), want)


def test_offsets_learn_to_find_what_was_moved() -> None:
    """The reference is the input, moved by a pixel: its alignment comes closer to the input."""
    torch.manual_seed(0)
    estimator, layer = OffsetEstimator(8), DeformableConv2d(4, 4)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[:, :, 1, 1] = torch.eye(4)
    optimiser = torch.optim.Adam(estimator.parameters(), lr=0.01)
    apart = []
    for step in range(60):
        smooth = functional.avg_pool2d(drawn(8, 4, 10, 6, seed=step).float(), 3, stride=1, padding=1)
        moved = smooth.roll(1, dims=2)
        error = (layer(moved, estimator(torch.cat([smooth, moved], dim=1))) - smooth)[:, :, 1:-1].square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        apart.append(error.item())
    assert np.mean(apart[-5:]) < 0.5 * np.mean(apart[:5])


def test_a_restart_follows_from_its_number() -> None:
    one, other = AlignedPairs(8, 3, inside=4), AlignedPairs(8, 3, inside=4)
    before = one.classifier.weight.clone()
    torch.manual_seed(5)
    one.restart(7)
    other.restart(7)
    assert torch.equal(one.classifier.weight, other.classifier.weight)
    assert not torch.equal(one.classifier.weight, before)
    one.restart(0)
    assert torch.equal(one.classifier.weight, before)
