"""Weights to start from: another run's checkpoint, or the network of an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from swiftreid.encoding.encoder import encoder_path, open_encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.training.checkpoint import load_checkpoint, network_weights

_PREFIX: Final = "method."
_STORED: Final = ".parametrizations.weight.original"  # how torch names a weight that is kept in half precision


def starting_weights(source: str) -> dict[str, Tensor]:
    """A network's weights by the names that a method gives them.

    Args:
        source: a checkpoint, an encoder's file, or the name of a shipped encoder. The encoder must have been exported
            with ``export: fp16``: otherwise layers are fused in its file, and are no weights of a method any more.

    Raises:
        UsageError: the encoder has no such network.
        SwiftReIDError: the file cannot be read, or the package ``onnx`` is missing.
    """
    path = encoder_path(source)
    if not _is_encoder(path):
        return network_weights(load_checkpoint(path)[1])
    encoder = open_encoder(path)
    network = next((value for name, value in encoder.tensors.items() if name.endswith("network.onnx")), None)
    weights = {} if network is None else _weights(network.tobytes())
    if not any(name.startswith("trunk.") for name in weights):
        raise UsageError(
            f"encoder {encoder.card.name} holds no network to start from: give a checkpoint, or an encoder that "
            "`swiftreid train` made with `export: fp16`"
        )
    return weights


def _is_encoder(path: Path) -> bool:
    try:
        with safe_open(path, framework="numpy") as stored:
            return "card" in (stored.metadata() or {})
    except (SafetensorError, OSError):
        return False  # reading it as a checkpoint says what is wrong


def _weights(model: bytes) -> dict[str, Tensor]:
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise SwiftReIDError(
            'starting from an encoder needs the package onnx: pip install "swiftreid[train]"'
        ) from error
    graph = onnx.load_model_from_string(model).graph
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer if i.name.startswith(_PREFIX)}
    if not any(name.endswith(_STORED) for name in arrays):
        return {}
    return {
        name.removeprefix(_PREFIX).replace(_STORED, ".weight"): torch.from_numpy(value.astype(np.float32))
        for name, value in arrays.items()
    }
