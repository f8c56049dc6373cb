from __future__ import annotations

import pytest
import torch

from swiftreid.errors import UsageError
from swiftreid.nn.neck import BatchNormNeck
from swiftreid.nn.pooling import GeneralisedMeanPooling, make_pooling


def test_average_pooling() -> None:
    value = torch.randn(2, 3, 4, 5)
    got = make_pooling("average")(value)
    for n in range(2):
        for c in range(3):
            assert got[n, c].item() == pytest.approx(sum(value[n, c].flatten().tolist()) / 20, abs=1e-6)


@pytest.mark.parametrize("power", [1.0, 3.0, 6.5])
def test_gem_is_the_generalised_mean(power: float) -> None:
    value = torch.rand(2, 3, 4, 5).double().float() + 0.1
    got = GeneralisedMeanPooling(power)(value)
    for n in range(2):
        for c in range(3):
            numbers = value[n, c].flatten().tolist()
            want = (sum(v**power for v in numbers) / 20) ** (1 / power)
            assert got[n, c].item() == pytest.approx(want, rel=1e-5)


def test_gem_learns_its_power_and_takes_dead_maps() -> None:
    pooling = make_pooling("gem")
    value = torch.zeros(2, 3, 4, 5)
    value[0] = torch.rand(3, 4, 5)
    value.requires_grad_()
    pooling(value).sum().backward()
    (power,) = pooling.parameters()
    assert power.grad is not None
    assert power.grad.abs().item() > 0
    assert value.grad is not None
    assert bool(value.grad.isfinite().all())


def test_gem_in_half_precision_does_not_overflow() -> None:
    value = torch.full((1, 2, 4, 4), 300.0, dtype=torch.float16)  # its cube is beyond float16
    torch.testing.assert_close(make_pooling("gem")(value), torch.full((1, 2), 300.0, dtype=torch.float16))


def test_max_pooling() -> None:
    value = torch.randn(2, 3, 4, 5)
    got = make_pooling("max")(value)
    assert got.tolist() == [[max(value[n, c].flatten().tolist()) for c in range(3)] for n in range(2)]


def test_unknown_pooling_is_refused() -> None:
    with pytest.raises(UsageError, match="no pooling 'mean'; there are average, gem, max"):
        make_pooling("mean")


def test_the_neck_keeps_its_bias_at_zero() -> None:
    torch.manual_seed(0)
    neck = BatchNormNeck(4)
    value = torch.randn(16, 4) * 3 + 5
    torch.testing.assert_close(neck(value).mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)
    optimizer = torch.optim.SGD(neck.parameters(), lr=1.0)
    (neck(value) ** 3).sum().backward()
    optimizer.step()
    assert neck.bias.tolist() == [0, 0, 0, 0]
    assert neck.weight.tolist() != [1, 1, 1, 1]


def test_the_neck_takes_no_bias_from_a_file() -> None:
    other = torch.nn.BatchNorm1d(4)
    torch.nn.init.normal_(other.weight)
    torch.nn.init.ones_(other.bias)
    neck = BatchNormNeck(4)
    neck.load_state_dict(other.state_dict())
    assert neck.bias.tolist() == [0, 0, 0, 0]
    torch.testing.assert_close(neck.weight, other.weight)
