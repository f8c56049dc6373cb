from __future__ import annotations

import pytest
import torch

from swiftreid.errors import UsageError
from swiftreid.nn.pyramid import CodePyramid


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


def test_dropout_is_for_training_only() -> None:
    torch.manual_seed(0)
    head = CodePyramid(8, (16, 4), dropout=0.5)
    bare = CodePyramid(8, (16, 4))
    bare.load_state_dict(head.state_dict())
    x = torch.randn(6, 8)
    assert not torch.equal(head(x)[0], bare(x)[0])
    bare.load_state_dict(head.state_dict())  # the pass in training mode moved the running means
    for got, want in zip(head.eval()(x), bare.eval()(x), strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("lengths", [(), (4, 16), (16, 16), (16, 0)])
def test_lengths_must_fall(lengths: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="longest to shortest"):
        CodePyramid(8, lengths)


def test_codes_without_a_pyramid_each_see_the_feature() -> None:
    torch.manual_seed(0)
    head = CodePyramid(8, (16, 4), chained=False).eval()
    assert [tuple(level.weight.shape) for level in head.levels] == [(16, 8), (4, 8)]
    x = torch.randn(5, 8)
    for got, level, norm in zip(head(x), head.levels, head.norms, strict=True):
        torch.testing.assert_close(got, norm(x @ level.weight.T))


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_gradients_stop_between_lengths_where_asked(level: int, detach: bool) -> None:
    torch.manual_seed(0)
    head = CodePyramid(8, (16, 8, 4), detach=detach)
    x = torch.randn(6, 8, requires_grad=True)
    head.codes(x)[level].pow(3).sum().backward()
    reached = [part.weight.grad is not None for part in head.levels]
    own = [place == level for place in range(3)]
    assert reached == (own if detach else [place <= level for place in range(3)])
    assert (x.grad is not None) == (not detach or level == 0)


def test_detaching_changes_no_value() -> None:
    torch.manual_seed(0)
    head, other = CodePyramid(8, (16, 4)).eval(), CodePyramid(8, (16, 4), detach=True).eval()
    other.load_state_dict(head.state_dict())
    x = torch.randn(5, 8)
    for a, b in zip(head(x), other(x), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("norm_bias", [False, True])
def test_the_bias_of_bn_stays_0_unless_it_is_learned(norm_bias: bool) -> None:
    torch.manual_seed(0)
    head = CodePyramid(8, (16, 4), norm_bias=norm_bias)
    optimiser = torch.optim.Adam([p for p in head.parameters() if p.requires_grad], lr=0.1)
    sum(value.exp().mean() for value in head(torch.randn(32, 8))).backward()
    optimiser.step()
    for norm in head.norms:
        assert bool(norm.bias.any()) == norm_bias
        assert bool((norm.weight != 1).any()), "the scale is learned"
