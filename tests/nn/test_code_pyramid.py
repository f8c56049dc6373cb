from __future__ import annotations

import pytest
import torch

from swiftreid.errors import UsageError
from swiftreid.nn.pyramid import Adapter, CodePyramid
from swiftreid.nn.straight_through import straight_through_sign


def test_levels_feed_each_other_before_normalisation() -> None:
    torch.manual_seed(0)
    head = CodePyramid(8, (16, 4)).eval()
    for norm in head.norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    x = torch.randn(5, 8)
    v, expected = x, []
    for level, norm in zip(head.levels, head.norms, strict=True):
        v = v @ level.weight.T
        expected.append((v - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias)
    for got, want in zip(head(x), expected, strict=True):
        torch.testing.assert_close(got, want)
    for got, want in zip(head.codes(x), expected, strict=True):
        torch.testing.assert_close(got, want.tanh())


def test_adapter_makes_v0() -> None:
    torch.manual_seed(0)
    adapter = Adapter(8, 24)
    head = CodePyramid(8, (16, 4), adapter)
    x = torch.randn(6, 8)
    hidden = x @ adapter.linear.weight.T
    hidden = ((hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + adapter.norm.eps).sqrt()).clamp(min=0)
    bare = CodePyramid(24, (16, 4))
    bare.load_state_dict({k: v for k, v in head.state_dict().items() if not k.startswith("adapter")})
    for got, want in zip(head(x), bare(hidden), strict=True):
        torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)


def test_straight_through_sign_is_hard_forward_and_tanh_backward() -> None:
    values = torch.tensor([-2.0, -0.1, 0.0, 0.3], requires_grad=True)
    codes = straight_through_sign(values)
    torch.testing.assert_close(codes, torch.tensor([-1.0, -1.0, -1.0, 1.0]))
    codes.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, 1 - values.detach().tanh() ** 2)


def test_straight_through_head_gives_signs() -> None:
    head = CodePyramid(8, (16, 4), straight_through=True)
    for code in head.codes(torch.randn(7, 8)):
        torch.testing.assert_close(code.abs(), torch.ones_like(code))


@pytest.mark.parametrize("lengths", [(), (4, 16), (16, 16), (16, 0)])
def test_lengths_must_fall(lengths: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="longest to shortest"):
        CodePyramid(8, lengths)
