from __future__ import annotations

import numpy as np
import pytest
import torch

from swiftreid.encoding.pyramid import PyramidCodes
from swiftreid.nn.pyramid import CodePyramid
from swiftreid.training.folding import folded


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("chained", [False, True])
def test_the_arrays_give_what_the_network_gave(chained: bool, unit: bool) -> None:
    torch.manual_seed(0)
    head = CodePyramid(12, (64, 16, 8), chained=chained)
    embeddings = torch.randn(40, 12) * 3 + 1
    inputs = embeddings / embeddings.norm(dim=1, keepdim=True) if unit else embeddings
    mean, spread = inputs.mean(dim=0), inputs.std(dim=0)
    for _ in range(20):
        head((inputs - mean) / spread)  # moves the running means
    for norm in head.norms:
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    want = head.eval()((inputs - mean) / spread)
    codes = PyramidCodes(folded(head, mean.numpy(), spread.numpy(), unit=unit))
    assert codes.lengths == (64, 16, 8)
    for got, expected in zip(codes.values(embeddings.numpy()), want, strict=True):
        np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-3, atol=1e-4)
