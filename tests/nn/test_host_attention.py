"""Non-local blocks and ABD-Net's attentions, against loops spelt out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.nn.dual_attention import ChannelAttention, PositionAttention
from swiftreid.nn.non_local import NonLocal, add_non_local
from swiftreid.nn.trunks import load_weights, make_trunk
from swiftreid.nn.trunks.trunk import ADDED


def a_map(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def flat(value: Tensor) -> np.ndarray:
    """One picture's map as [channels, places], float64."""
    array: np.ndarray = value.detach().double().flatten(1).numpy()
    return array


def convolved(layer: nn.Module, source: np.ndarray) -> np.ndarray:
    assert isinstance(layer, nn.Conv2d)
    product: np.ndarray = layer.weight.detach().double().numpy()[:, :, 0, 0] @ source
    return product if layer.bias is None else product + layer.bias.detach().double().numpy()[:, None]


def normed(norm: nn.Module, source: np.ndarray) -> np.ndarray:
    """A fresh BN in evaluation: mean 0 and variance 1."""
    assert isinstance(norm, nn.BatchNorm2d)
    return source * (norm.weight.detach().double().numpy() / np.sqrt(1 + norm.eps))[:, None]


def test_a_non_local_block_sums_what_all_places_hold() -> None:
    torch.manual_seed(0)
    block = NonLocal(8).eval()
    nn.init.uniform_(block.norm.weight, 0.5, 1.5)
    value = a_map(2, 8, 4, 3)
    for got, picture in zip(block(value), value, strict=True):
        x = flat(picture)
        theta, phi, g = (convolved(layer, x) for layer in (block.theta, block.phi, block.g))
        seen = np.zeros_like(g)
        for i in range(12):
            for j in range(12):
                seen[:, i] += (theta[:, i] @ phi[:, j]) / 12 * g[:, j]
        want = normed(block.norm, convolved(block.up, seen)) + x
        np.testing.assert_allclose(flat(got), want, rtol=1e-4, atol=1e-5)


def test_channel_attention_mixes_channels_that_are_alike() -> None:
    block = ChannelAttention()
    nn.init.constant_(block.gamma, 0.7)
    value = a_map(2, 5, 3, 2)
    for got, picture in zip(block(value), value, strict=True):
        a = flat(picture)
        want = a.copy()
        for i in range(5):
            shares = np.exp([a[i] @ a[j] for j in range(5)])
            for j in range(5):
                want[i] += 0.7 * shares[j] / shares.sum() * a[j]
        np.testing.assert_allclose(flat(got), want, rtol=1e-4, atol=1e-5)


def test_position_attention_mixes_places_that_are_alike() -> None:
    torch.manual_seed(0)
    block = PositionAttention(16).eval()
    nn.init.constant_(block.gamma, 0.7)
    value = a_map(2, 16, 4, 3)
    for got, picture in zip(block(value), value, strict=True):
        a = flat(picture)
        b, c, d = (
            np.maximum(normed(part[1], convolved(part[0], a)), 0) for part in (block.first, block.second, block.third)
        )
        assert (len(b), len(d)) == (2, 16)
        want = a.copy()
        for i in range(12):
            shares = np.exp([b[:, i] @ c[:, j] for j in range(12)])
            for j in range(12):
                want[:, i] += 0.7 * shares[j] / shares.sum() * d[:, j]
        np.testing.assert_allclose(flat(got), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block", [NonLocal(8), ChannelAttention(), PositionAttention(8)])
def test_they_start_as_the_identity_and_can_leave_it(block: nn.Module) -> None:
    value = a_map(3, 8, 4, 2)
    assert torch.equal(block(value), value)
    block(value).square().sum().backward()
    scale = block.norm.weight if isinstance(block, NonLocal) else block.gamma
    assert isinstance(scale, Tensor)
    assert scale.grad is not None
    assert scale.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("resnet50", {"layer2": [2, 3], "layer3": [3, 4, 5]}),
        ("se_resnet50", {"layer2": [2, 3], "layer3": [3, 4, 5]}),
        ("resnet18_half_ibn_a", {"layer2": [0, 1], "layer3": [0, 1]}),
    ],
)
def test_non_local_blocks_stand_behind_the_last_residual_ones(name: str, where: dict[str, list[int]]) -> None:
    with torch.device("meta"):
        trunk = make_trunk(name)
        before = set(trunk.state_dict())
        add_non_local(trunk, name)
    assert before <= set(trunk.state_dict())
    for layer, places in where.items():
        entries = [entry for entry, _ in getattr(trunk, layer).named_children()]
        for place in places:
            assert entries[entries.index(str(place)) + 1] == f"{ADDED}{place}"
        assert sum(entry.startswith(ADDED) for entry in entries) == len(places)
    assert sum(isinstance(part, NonLocal) for part in trunk.modules()) == sum(len(places) for places in where.values())


def test_a_trunk_with_non_local_blocks_starts_as_the_public_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    public = make_trunk("resnet18_half").eval()
    torch.save(public.state_dict(), tmp_path / "net.pth")
    trunk = make_trunk("resnet18_half")
    add_non_local(trunk, "resnet18_half")
    nn.init.constant_(trunk.get_submodule(f"layer3.{ADDED}1.up").bias, 0.25)  # type: ignore[arg-type]
    load_weights(trunk, tmp_path / "net.pth")
    assert (trunk.get_parameter(f"layer3.{ADDED}1.up.bias") == 0.25).all()
    value = a_map(2, 3, 64, 32)
    assert torch.equal(trunk.eval()(value), public(value))
    trunk.get_parameter(f"layer2.{ADDED}0.norm.weight").data.fill_(1.0)
    assert not torch.equal(trunk(value), public(value))


def test_a_trunk_without_residual_layers_is_refused() -> None:
    with pytest.raises(UsageError, match="osnet_x0_25 has no layers of residual blocks"):
        add_non_local(make_trunk("osnet_x0_25"), "osnet_x0_25")
