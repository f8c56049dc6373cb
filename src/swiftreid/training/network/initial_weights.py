"""Weights to start from: another run's checkpoint, the network of an encoder, or an ImageNet file for the trunk."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from swiftreid.encoding.domain import sources_of
from swiftreid.encoding.encoder import encoder_path, open_encoder
from swiftreid.encoding.runtimes.formats import ONNX
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods.method import Method
from swiftreid.nn.trunks import load_weights
from swiftreid.training.network.checkpoint import CHECKPOINT, load_checkpoint, network_weights

_PREFIX: Final = "method."
_IMAGENET_CLASSES: Final = 1000
_STORED: Final = ".parametrizations.weight.original"  # how torch names a weight that is kept in half precision


@dataclass(frozen=True)
class Start:
    """Weights to start from and where they come from.

    Attributes:
        weights: by the names that a method gives them.
        words: of the card: what they had learned from.
        sources: every data set that they had learned from, as `swiftreid.encoding.domain.sources_of` gives it.
        licence: of what they come from; empty where it states none.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    words: str = ""
    sources: list[dict[str, str]] = field(default_factory=list)
    licence: str = ""

    def put_into(self, method: Method, source: str, *, everything: bool = False) -> list[str]:
        """Give a method the weights, as far as names and shapes agree.

        Args:
            method: gets those that it starts from (`Method.starts_from`).
            source: in words, for the error.
            everything: give it all of them.

        Returns:
            Names of the method's weights that start afresh.

        Raises:
            UsageError: nothing fits its trunk.
        """
        own = method.state_dict()
        fitting = {
            name: value
            for name, value in self.weights.items()
            if name in own and own[name].shape == value.shape and (everything or method.starts_from(name))
        }
        if not any(name.startswith("trunk.") for name in fitting):
            raise UsageError(
                f"{source} holds no weights of the trunk of this recipe: set init to null, or to "
                "another checkpoint or encoder"
            )
        method.load_state_dict(fitting, strict=False)
        return sorted(name for name in own.keys() - fitting.keys() if "num_batches" not in name)


def parts_of(names: Collection[str], method: Method) -> list[str]:
    """The parts of a method that some of its weights make up, in words for users.

    ``neck`` where they are all of the neck's; where they are only some of the teacher's, such as
    ``teacher.classifiers``.
    """
    everything = Counter(part for name in method.state_dict() if "num_batches" not in name for part in _prefixes(name))
    given = Counter(part for name in names for part in _prefixes(name))
    whole = [next(part for part in _prefixes(name) if given[part] == everything[part]) for name in sorted(names)]
    return list(dict.fromkeys(whole))


def _prefixes(name: str) -> list[str]:
    """``a``, ``a.b`` and ``a.b.c`` of ``a.b.c``."""
    words = name.split(".")
    return [".".join(words[:depth]) for depth in range(1, len(words) + 1)]


def read_start(source: str) -> Start:
    """Weights of a checkpoint or of an encoder.

    Args:
        source: a checkpoint, an encoder's file, or the name of a shipped encoder. The encoder must have been exported
            with ``export: fp16``: otherwise layers are fused in its file, and are no weights of a method any more.

    Raises:
        UsageError: the encoder has no such network.
        SwiftReIDError: the file is missing or cannot be read, or the package ``onnx`` is missing.
    """
    path = encoder_path(source)
    if not path.is_file():
        raise SwiftReIDError(f"no checkpoint or encoder at {path} to start from: give a file, or a shipped one's name")
    if not _is_encoder(path):
        header, tensors = load_checkpoint(path)
        run = f"a run on {len(header.persons):,} people of {header.data}"
        words = "; ".join(filter(None, [run, header.provenance]))
        own = {"data": header.data, "data_fingerprint": header.data_fingerprint}
        return Start(network_weights(tensors), words, [own, *header.sources], header.licence)
    encoder = open_encoder(path)
    network = encoder.network
    weights = _weights(network.parts["onnx"]) if network is not None and network.format == ONNX else {}
    if not any(name.startswith("trunk.") for name in weights):
        why = "holds no network" if network is None else "has its layers fused"
        raise UsageError(
            f"encoder {encoder.card.name} {why}, so there is nothing to start from: give the {CHECKPOINT} of "
            "a run, or an encoder that `swiftreid train` made with `export: fp16`"
        )
    card = encoder.card
    words = f"encoder {card.name} ({card.short_fingerprint}): {card.provenance}"
    return Start(weights, words, sources_of(card), card.licence)


def load_trunk(method: Method, path: Path) -> tuple[Start, list[str]]:
    """Fill a method's trunk from an ImageNet file, which is known by its classifier of 1,000 classes.

    Returns:
        Where the weights come from, and the file's entries that were not used.

    Raises:
        SwiftReIDError: as for `swiftreid.nn.trunks.load_weights`.
    """
    left = load_weights(method.trunk, path)
    imagenet = any(shape[:1] == (_IMAGENET_CLASSES,) for shape in left.values())
    words = f"{path.name} (SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]})"
    # What is known is no re-ID data set: then a data set that the run did not learn from is another domain.
    source = {"data": f"weights {path.name}", "data_fingerprint": "ImageNet" if imagenet else ""}
    return Start({}, f"ImageNet: {words}" if imagenet else words, [source]), list(left)


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
        message = 'starting from an encoder needs the package onnx: pip install "swiftreid[train]"'
        raise SwiftReIDError(message) from error
    graph: Any = onnx.load_model_from_string(model).graph
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer if i.name.startswith(_PREFIX)}
    if not any(name.endswith(_STORED) for name in arrays):
        return {}
    return {
        name.removeprefix(_PREFIX).replace(_STORED, ".weight"): torch.from_numpy(value.astype(np.float32))
        for name, value in arrays.items()
    }
