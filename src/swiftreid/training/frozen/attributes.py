"""Learning attribute bits on frozen embeddings: one logistic regression for each attribute, all at once.

The embedding stays as it is, and with it everything that identifies people: an encoder gains attributes at no cost to
its other figures. The loss is the SSR paper's (Eq. 3 and 4), with a weight decay chosen on rendered people held out.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.nn.losses.attribute_entropy import attribute_entropy

WEIGHT_DECAY = 1e-5
"""Of weights for standardised embeddings."""

_STEPS = 200
_LEAST_SPREAD = 1e-6  # of the largest: a smaller one is no information


def fit_attributes(
    embeddings: NDArray[np.float32], attributes: NDArray[np.float32], *, weight_decay: float = WEIGHT_DECAY
) -> dict[str, NDArray[np.float32]]:
    """The linear layer that predicts attributes of embeddings; the same arrays give the same layer.

    Args:
        embeddings: float [n, d].
        attributes: float [n, a]: 1 yes, 0 no, NaN not known.
        weight_decay: of the squared weights.

    Returns:
        Arrays that `swiftreid.encoding.attribute_bits.AttributeBits` takes.

    Raises:
        UsageError: shapes disagree, or nothing is known.
    """
    if attributes.ndim != 2 or len(attributes) != len(embeddings):
        raise UsageError(f"attributes must be [{len(embeddings)}, a], got {attributes.shape}")
    if np.isnan(attributes).all():
        raise UsageError("no attribute of these people is known")
    mean, spread = embeddings.mean(axis=0), embeddings.std(axis=0)
    spread = np.maximum(spread, _LEAST_SPREAD * spread.max() + 1e-12)
    inputs, targets = torch.from_numpy((embeddings - mean) / spread), torch.from_numpy(attributes)
    weight = torch.zeros(attributes.shape[1], embeddings.shape[1], requires_grad=True)
    bias = torch.zeros(attributes.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = attribute_entropy(inputs @ weight.T + bias, targets) + weight_decay * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    scaled = weight.detach().numpy() / spread
    return {
        "weight": scaled.astype(np.float32),
        "bias": (bias.detach().numpy() - scaled @ mean).astype(np.float32),
    }
