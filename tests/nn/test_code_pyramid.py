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
