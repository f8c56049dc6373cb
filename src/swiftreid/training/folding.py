"""A trained code pyramid as plain arrays, for inference without torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from swiftreid.nn.pyramid import CodePyramid, Signs


def folded(
    head: CodePyramid, mean: NDArray[np.float32], spread: NDArray[np.float32], *, unit: bool
) -> dict[str, NDArray[np.float32]]:
    """The head in eval mode as `swiftreid.encoding.pyramid.PyramidCodes` takes it: float32 arrays by name.

    Standardisation and BN are folded into weights, scales and shifts, in float64 until the end.

    Args:
        head: the trained pyramid.
        mean: of the embeddings it was trained on, float [d].
        spread: their standard deviation, float [d]; the head took ``(embedding - mean) / spread``.
        unit: whether embeddings were divided by their Euclidean norm before that.
    """
    tensors: dict[str, NDArray[np.floating]] = {"input.unit": np.array([float(unit)])}
    if not head.chained:
        tensors["input.chained"] = np.zeros(1)
    for k, (length, level, norm) in enumerate(zip(head.lengths, head.levels, head.norms, strict=True)):
        weight, bias = _double(level.weight), np.zeros(length)
        if k == 0 or not head.chained:
            weight = weight / spread.astype(np.float64)
            bias = -(weight @ mean.astype(np.float64))
        scale, shift = _scale_and_shift(norm)
        tensors |= {
            f"pyramid.{length}.weight": weight,
            f"pyramid.{length}.bias": bias,
            f"pyramid.{length}.scale": scale,
            f"pyramid.{length}.shift": shift,
        }
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()}


def signs(head: Signs) -> dict[str, NDArray[np.float32]]:
    """The same for a code that is the sign of the embedding itself."""
    return {"input.unit": np.zeros(1, np.float32), "input.signs": np.array(head.lengths, np.float32)}


def halved(tensors: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.floating]]:
    """The arrays with every matrix in half precision: half the bytes; arithmetic stays in float32."""
    return {name: value.astype(np.float16) if value.ndim == 2 else value for name, value in tensors.items()}


def _double(tensor: object) -> NDArray[np.float64]:
    """A parameter as a float64 array."""
    assert isinstance(tensor, torch.Tensor)
    return tensor.detach().double().numpy()


def _scale_and_shift(norm: torch.nn.Module) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a BN in eval mode does: ``scale * v + shift``."""
    assert isinstance(norm, torch.nn.BatchNorm1d)
    scale = _double(norm.weight) / np.sqrt(_double(norm.running_var) + norm.eps)
    return scale, _double(norm.bias) - scale * _double(norm.running_mean)
