"""Attention, stripes and the seven vectors, against loops spelt out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.nn.attention import AttributeAttention
from swiftreid.nn.part_descriptor import PartDescriptor, shares
from swiftreid.nn.relaxation import ACTIVATIONS, relaxed
from swiftreid.nn.stripes import stripes


def a_map(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def naive_attention(block: AttributeAttention, value: np.ndarray) -> np.ndarray:
    """Eq. 8 to 10, one picture [c, h, w], place by place and channel by channel."""
    channels, height, width = value.shape
    places = value.reshape(channels, -1)

    def convolved(layer: torch.nn.Module, source: np.ndarray) -> np.ndarray:
        weight, bias = (p.detach().double().numpy() for p in layer.parameters())
        return weight[:, :, 0, 0] @ source + bias[:, None]

    f1, f2, f3 = (convolved(layer, places) for layer in block.spatial.down)
    spatial = np.zeros_like(f3)
    for i in range(f1.shape[1]):
        likeness = np.exp([f1[:, i] @ f2[:, j] for j in range(f2.shape[1])])
        spatial[:, i] = sum(share * f3[:, j] for j, share in enumerate(likeness / likeness.sum()))
    f1, f2, f3 = (convolved(layer, places) for layer in block.channel.down)
    channel = np.zeros_like(f3)
    for n in range(len(f1)):
        likeness = np.exp([f2[n] @ f1[m] for m in range(len(f1))])
        channel[n] = sum(share * f3[m] for m, share in enumerate(likeness / likeness.sum()))
    mask = convolved(block.spatial.up, spatial) + convolved(block.channel.up, channel)
    return (mask * places + places).reshape(channels, height, width)


def test_attention_is_equations_8_to_10() -> None:
    torch.manual_seed(1)
    block = AttributeAttention(16, reduction=4)
    for half in (block.spatial, block.channel):
        torch.nn.init.normal_(half.up.weight, std=0.5)
        torch.nn.init.normal_(half.up.bias)
    value = a_map(2, 16, 4, 3)
    with torch.no_grad():
        got = block(value).numpy()
    for one, picture in zip(got, value.double().numpy(), strict=True):
        np.testing.assert_allclose(one, naive_attention(block, picture), rtol=1e-4, atol=1e-5)


def test_attention_starts_as_the_identity_and_can_leave_it() -> None:
    block, value = AttributeAttention(16), a_map(2, 16, 4, 3)
    assert torch.equal(block(value), value)
    block(value).square().mean().backward()
    assert block.spatial.up.weight.grad is not None
    assert block.spatial.up.weight.grad.abs().max() > 0


@pytest.mark.parametrize("reduction", [0, 17])
def test_an_impossible_reduction_is_refused(reduction: int) -> None:
    with pytest.raises(UsageError, match=f"16 channels, got {reduction}"):
        AttributeAttention(16, reduction)


@pytest.mark.parametrize(("height", "parts"), [(6, 6), (24, 6), (8, 6), (7, 3), (5, 1)])
def test_stripes_are_adaptive_pooling(height: int, parts: int) -> None:
    value = a_map(2, 5, height, 4)
    want = functional.adaptive_avg_pool2d(value, (parts, 1))[:, :, :, 0]
    got = torch.stack([stripe.mean(dim=(2, 3)) for stripe in stripes(value, parts)], dim=2)
    torch.testing.assert_close(got, want)


def test_bits_are_shared_out_as_in_the_paper() -> None:
    assert [shares(bits, 6) for bits in (2048, 512, 256, 128)] == [(256, 512), (64, 128), (32, 64), (16, 32)]
    for bits, parts in ((100, 6), (0, 6), (2048, 0)):
        with pytest.raises(UsageError):
            shares(bits, parts)


@pytest.mark.parametrize("norm", [True, False])
def test_each_vector_is_of_its_own_stripe_and_the_last_of_all(norm: bool) -> None:
    torch.manual_seed(0)
    descriptor = PartDescriptor(8, 64, norm=norm).eval()
    value = a_map(3, 8, 6, 2)
    before = descriptor(value)
    assert [tuple(v.shape) for v in before] == [(3, 8)] * 6 + [(3, 16)]
    for part in range(6):
        changed = value.clone()
        changed[:, :, part] += 1
        moved = [not torch.allclose(a, b) for a, b in zip(before, descriptor(changed), strict=True)]
        assert moved == [place in (part, 6) for place in range(7)]


def test_a_map_with_too_few_rows_is_refused() -> None:
    with pytest.raises(UsageError, match="4 rows, fewer than 6 stripes"):
        PartDescriptor(8, 64)(a_map(2, 8, 4, 2))


def test_every_relaxation_turns_at_the_sign_of_the_value() -> None:
    values = torch.tensor([-4.0, -0.3, 0.3, 4.0])
    for name in ACTIVATIONS:
        middle = 0.5 if "sigmoid" in name else 0.0
        assert ((relaxed(values, name) > middle) == (values > 0)).all(), name  # type: ignore[arg-type]
    for plain in ("ssr", "dsh", "none"):
        assert torch.equal(relaxed(values, plain), values)  # type: ignore[arg-type]
