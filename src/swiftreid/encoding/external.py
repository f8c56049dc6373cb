"""Anybody's embedding network, as ONNX or OpenVINO IR, carried inside the encoder file with its preprocessing."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.card import EncoderCard, Preprocessing, Tensors
from swiftreid.encoding.checks import architecture_of, check_bytes, float_tensor, refuse
from swiftreid.encoding.hyperplanes import DEFAULT_SPEC, RandomHyperplanes
from swiftreid.encoding.runtimes.contract import NetworkFile, RunOptions, StartedNetwork
from swiftreid.encoding.runtimes.formats import FORMATS, format_words
from swiftreid.encoding.runtimes.registry import start_network
from swiftreid.encoding.runtimes.running import run_in_batches, run_side_by_side
from swiftreid.errors import SwiftReIDError, UsageError

_DEFAULTS = RunOptions()


class _Architecture(BaseModel):
    dimension: int = Field(ge=2, le=1 << 20)
    seed: int = Field(ge=0)
    unit: bool = True


class ExternalEncoder(Encoder):
    """A float embedding from a third-party network, with random-hyperplane codes until `swiftreid hash` learns better.

    Embeddings have length 1, unless ``architecture`` says ``"unit": false``: then they are what the network gives, for
    a pyramid that has learned from those.

    Tensors: ``network.onnx``, or ``network.xml`` and ``network.bin`` (the files' bytes); ``mean`` float32 [d], which is
    subtracted before the hyperplanes are applied.
    """

    kind = "external"

    def __init__(self, card: EncoderCard, tensors: Tensors, options: RunOptions = _DEFAULTS) -> None:
        super().__init__(card, tensors, options)
        self._architecture = architecture_of(card, _Architecture)
        dimension = self._architecture.dimension
        if card.preprocessing is None:
            raise refuse(card, "it says nothing of the preprocessing of pictures")
        if card.embedding != dimension:
            raise refuse(card, f"its embedding has {card.embedding} numbers, its architecture {dimension}")
        self._preprocessing = card.preprocessing
        self._mean = float_tensor(card, tensors, "mean", (dimension,))
        self._format = _format_of(card, tensors)
        self._planes = RandomHyperplanes(dimension, self.spec, seed=self._architecture.seed)
        self._started: StartedNetwork | None = None
        self._starting = Lock()

    @property
    def network(self) -> NetworkFile:
        """The network, as its exporter wrote it."""
        parts = {part: self.tensors[f"network.{part}"].tobytes() for part in FORMATS[self._format].parts}
        return NetworkFile(self._format, parts)

    def _embed(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._starting:
            if self._started is None:  # the first call, so that reading a card needs no runtime
                self._started = start_network(self.network, self.options)
        started = self._started
        outputs = run_side_by_side(
            lambda pictures: self._embed_some(started, pictures), inputs, started, self.options.network_calls
        )
        if outputs.shape[1] != self._architecture.dimension:
            raise SwiftReIDError(
                f"the network of encoder {self.card.name} gave {outputs.shape[1]} values a picture, "
                f"its card says {self._architecture.dimension}: wrap the network again"
            )
        return outputs

    def _embed_some(self, network: StartedNetwork, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 RGB [n, h, w, 3] -> float32 embedding [n, d]."""
        inputs = self._preprocessing.apply(pictures)
        scaled = _normalise if self._architecture.unit else _as_they_are
        outputs = scaled(run_in_batches(network, inputs))
        if self._preprocessing.flip:
            mirrored = scaled(run_in_batches(network, np.ascontiguousarray(inputs[..., ::-1])))
            outputs = scaled((outputs + mirrored) / np.float32(2))
        return outputs

    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return self._planes.values(embedding - self._mean)


def wrap_network(
    model: Path,
    preprocessing: Preprocessing,
    *,
    name: str,
    provenance: str = "not stated by whoever wrapped the network",
    licence: str = "not stated",
    seed: int = 0,
    device: str = "cpu",
) -> ExternalEncoder:
    """Make an encoder of an ONNX file, or of an OpenVINO ``.xml`` with its ``.bin`` beside it.

    Args:
        model: the file, in one of `swiftreid.encoding.runtimes.formats.FORMATS`.
        preprocessing: how pictures become the network's input.
        name: on the card.
        provenance: what the network was trained on.
        licence: of the network.
        seed: of the hyperplanes that give codes.
        device: on which the network is run once, to see what it gives.

    Raises:
        UsageError: the file is of another format, or nothing runs it on the device.
        SwiftReIDError: a file is missing, cannot be loaded, or does not give one vector a picture.
    """
    network = _read_network(model)
    probe = np.zeros((2, preprocessing.height, preprocessing.width, 3), np.uint8)
    options = RunOptions(device=device)
    dimension = run_in_batches(start_network(network, options), preprocessing.apply(probe)).shape[1]
    if dimension < 2:
        raise SwiftReIDError(
            f"{model} gives {dimension} value a picture: export it with the embedding as its first output"
        )
    centre = np.zeros(dimension, np.float32)
    made = network_encoder(network, preprocessing, centre, name=name, provenance=provenance, licence=licence, seed=seed)
    return ExternalEncoder(made.card, made.tensors, options)


def network_encoder(
    network: NetworkFile,
    preprocessing: Preprocessing,
    centre: NDArray[np.float32],
    *,
    name: str,
    provenance: str,
    licence: str,
    seed: int = 0,
    unit: bool | None = None,
    training: dict[str, Any] | None = None,
) -> ExternalEncoder:
    """An encoder that carries a network, with random-hyperplane codes.

    Args:
        network: float32 [n, 3, height, width] -> the embedding, float32 [n, d].
        preprocessing: how pictures become its input.
        centre: subtracted from embeddings before the hyperplanes are applied, float32 [d].
        name: on the card.
        provenance: what it was trained on.
        licence: of the network.
        seed: of the hyperplanes.
        unit: whether embeddings are scaled to length 1; None: they are, and the card does not say so.
        training: the record for the card.
    """
    stated = {} if unit is None else {"unit": unit}
    card = EncoderCard(
        kind=ExternalEncoder.kind,
        name=name,
        architecture={"dimension": len(centre), "seed": seed, **stated},
        spec=DEFAULT_SPEC,
        embedding=len(centre),
        preprocessing=preprocessing,
        provenance=provenance,
        licence=licence,
        training=training or {},
    )
    files = {f"network.{part}": np.frombuffer(content, np.uint8) for part, content in network.parts.items()}
    return ExternalEncoder(card, {**files, "mean": centre})


def _read_network(model: Path) -> NetworkFile:
    format = next((name for name, each in FORMATS.items() if each.suffix == model.suffix), None)
    if format is None:
        raise UsageError(f"{model} is no network of a known format: give {format_words()}")
    parts: dict[str, bytes] = {}
    for part in FORMATS[format].parts:
        path = model.with_suffix(f".{part}")
        try:
            parts[part] = path.read_bytes()
        except OSError as error:
            raise SwiftReIDError(f"cannot read {path}: {error.strerror}") from error
    return NetworkFile(format, parts)


def _format_of(card: EncoderCard, tensors: Tensors) -> str:
    """Format of the network that the tensors hold."""
    named = {format: [f"network.{part}" for part in each.parts] for format, each in FORMATS.items()}
    for format, names in named.items():
        if set(names) <= set(tensors):
            for name in names:
                check_bytes(card, tensors, name)
            return format
    raise refuse(card, f"it holds no network, neither {' nor '.join(' with '.join(names) for names in named.values())}")


def _as_they_are(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors


def _normalise(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(length, np.float32(1e-12))
    return unit
