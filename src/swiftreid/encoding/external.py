"""Anybody's embedding network, as ONNX or OpenVINO IR, carried inside the encoder file with its preprocessing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.card import EncoderCard, Preprocessing, Tensors
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.hyperplanes import RandomHyperplanes
from swiftreid.errors import SwiftReIDError, UsageError

DEFAULT_SPEC = "id32 id128 id512 id2048"
_MAX_BATCH = 64

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class ExternalEncoder(Encoder):
    """A float embedding from a third-party network, with random-hyperplane codes until `swiftreid hash` learns better.

    Embeddings have length 1, unless ``architecture`` says ``"unit": false``: then they are what the network gives, for
    a pyramid that has learned from those.

    Tensors: ``network.onnx``, or ``network.xml`` and ``network.bin`` (the files' bytes); ``mean`` float32 [d], which is
    subtracted before the hyperplanes are applied.
    """

    kind = "external"

    def __init__(self, card: EncoderCard, tensors: Tensors) -> None:
        super().__init__(card, tensors)
        self._network: Network | None = None
        dimension = int(card.architecture["dimension"])
        self._planes = RandomHyperplanes(dimension, self.spec, seed=int(card.architecture["seed"]))

    def _embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 RGB [n, h, w, 3] -> float32 embedding [n, d]."""
        if self._network is None:  # the first call, so that reading a card needs no runtime
            self._network = _start_network(self.tensors)
        inputs = self.card.preprocessing.apply(pictures)
        scaled = _normalise if self.card.architecture.get("unit", True) else _as_they_are
        outputs = scaled(_run_in_batches(self._network, inputs))
        if self.card.preprocessing.flip:
            mirrored = scaled(_run_in_batches(self._network, np.ascontiguousarray(inputs[..., ::-1])))
            outputs = scaled((outputs + mirrored) / np.float32(2))
        expected = int(self.card.architecture["dimension"])
        if outputs.shape[1] != expected:
            raise SwiftReIDError(
                f"the network of encoder {self.card.name} gave {outputs.shape[1]} values a picture, "
                f"its card says {expected}: wrap the network again"
            )
        return outputs

    def _encode(self, pictures: NDArray[np.uint8]) -> Encoding:
        embedding = self._embed(pictures)
        return Encoding(codes=self._planes(embedding - self.tensors["mean"]), embedding=embedding)

    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return self._planes.values(embedding - self.tensors["mean"])


def wrap_network(
    model: Path,
    preprocessing: Preprocessing,
    *,
    name: str,
    provenance: str = "not stated by whoever wrapped the network",
    licence: str = "not stated",
    seed: int = 0,
) -> ExternalEncoder:
    """Make an encoder of an ONNX file, or of an OpenVINO ``.xml`` with its ``.bin`` beside it.

    Raises:
        UsageError: the file is of another kind.
        SwiftReIDError: a file is missing, cannot be loaded, or does not give one vector a picture.
    """
    tensors = _read_network(model)
    network = _start_network(tensors)
    probe = np.zeros((2, preprocessing.height, preprocessing.width, 3), np.uint8)
    dimension = _run_in_batches(network, preprocessing.apply(probe)).shape[1]
    if dimension < 2:
        raise SwiftReIDError(
            f"{model} gives {dimension} value a picture: export it with the embedding as its first output"
        )
    tensors["mean"] = np.zeros(dimension, np.float32)
    card = EncoderCard(
        kind=ExternalEncoder.kind,
        name=name,
        architecture={"dimension": dimension, "seed": seed},
        spec=DEFAULT_SPEC,
        embedding=dimension,
        preprocessing=preprocessing,
        provenance=provenance,
        licence=licence,
    )
    return ExternalEncoder(card, tensors)


def _read_network(model: Path) -> dict[str, NDArray[Any]]:
    files = {".onnx": {"network.onnx": model}, ".xml": {"network.xml": model, "network.bin": model.with_suffix(".bin")}}
    if model.suffix not in files:
        raise UsageError(f"{model} is neither ONNX (.onnx) nor OpenVINO IR (.xml with .bin beside it)")
    tensors: dict[str, NDArray[Any]] = {}
    for name, path in files[model.suffix].items():
        try:
            tensors[name] = np.frombuffer(path.read_bytes(), np.uint8)
        except OSError as error:
            raise SwiftReIDError(f"cannot read {path}: {error.strerror}") from error
    return tensors


def _start_network(tensors: Tensors) -> Network:
    try:
        if "network.onnx" in tensors:
            return _start_onnx(tensors["network.onnx"].tobytes())
        return _start_openvino(tensors["network.xml"].tobytes(), tensors["network.bin"].tobytes())
    except ImportError as error:
        raise SwiftReIDError(
            f"this encoder needs a runtime that is not installed: {error}; or take `--encoder stripes`, which is weak "
            "but needs none"
        ) from error
    except Exception as error:  # the runtimes have exception classes of their own, without a common base
        raise SwiftReIDError(f"the network could not be loaded: {_last_line(error)}") from error


def _start_onnx(model: bytes) -> Network:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('pip install "swiftreid[onnx]"') from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    fixed = source.shape[0] if isinstance(source.shape[0], int) else None
    output = session.get_outputs()[0].name

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        size = fixed or len(inputs)
        padded = np.concatenate([inputs, np.zeros((-len(inputs) % size, *inputs.shape[1:]), np.float32)])
        parts = [session.run([output], {source.name: padded[i : i + size]})[0] for i in range(0, len(padded), size)]
        outputs = np.concatenate(parts)
        return outputs[: len(inputs)] if len(outputs) == len(padded) else outputs

    return run


def _start_openvino(xml: bytes, weights: bytes) -> Network:
    try:
        import openvino
    except ImportError as error:
        raise ImportError('pip install "swiftreid[openvino]"') from error
    core: Any = openvino.Core()
    model = core.read_model(model=xml, weights=weights)
    shape = list(model.inputs[0].partial_shape)
    model.reshape({model.inputs[0]: openvino.PartialShape([-1, *shape[1:]])})
    # Full precision: half precision on newer processors would change bits from machine to machine.
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(compiled([inputs])[0], np.float32)

    return run


def _run_in_batches(network: Network, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs of all inputs, flattened to float32 [n, d]; ``inputs`` must not be empty."""
    try:
        parts = [network(inputs[i : i + _MAX_BATCH]) for i in range(0, len(inputs), _MAX_BATCH)]
    except Exception as error:
        shape = " x ".join(map(str, inputs.shape[1:]))
        raise SwiftReIDError(
            f"the network does not take pictures of {shape} (channels x height x width): declare the size that it was "
            f"made for ({_last_line(error)})"
        ) from error
    outputs = np.concatenate([np.atleast_1d(part) for part in parts])
    if len(outputs) != len(inputs):
        raise SwiftReIDError(
            f"the network gives an output of shape {outputs.shape} for {len(inputs)} pictures, "
            "not one vector a picture: export it with the embedding as its first output"
        )
    return outputs.reshape(len(inputs), -1).astype(np.float32, copy=False)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _as_they_are(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors


def _normalise(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(length, np.float32(1e-12))
    return unit
