"""From a trained method to an encoder: the trunk as ONNX, its codes as plain arrays, and the check that both agree."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.jit._trace import TracerWarning
from torch.nn.utils import parametrize

from swiftreid.encoding.card import Preprocessing, Tensors
from swiftreid.encoding.composed import compose
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.external import network_encoder
from swiftreid.encoding.runtimes.contract import NetworkFile
from swiftreid.encoding.runtimes.formats import ONNX
from swiftreid.errors import SwiftReIDError
from swiftreid.methods.method import Method
from swiftreid.nn.pyramid import Signs
from swiftreid.training.folding import folded, halved, signs
from swiftreid.training.network.augmentation import MEAN, STD
from swiftreid.training.network.embedding import embeddings_of

_OPSET: Final = 17
_TOLERANCE: Final = 1e-3  # of the embedding's own size


def export_encoder(
    method: Method,
    pictures: NDArray[np.uint8],
    *,
    name: str,
    provenance: str,
    licence: str,
    training: dict[str, Any],
    half: bool = False,
    mirror: bool = False,
    attributes: Sequence[str] = (),
) -> Encoder:
    """The encoder of a trained method, which needs ONNX Runtime and no torch.

    A method with a pyramid gives its codes; one without gives random-hyperplane codes of its centred embedding, for
    `swiftreid hash` to improve on.

    Args:
        method: trained; its weights are used as they are.
        pictures: uint8 RGB [n, height, width, 3], some of those that were learned from; both runtimes must agree on
            them, and their mean embedding is the centre of random-hyperplane codes.
        name: on the card.
        provenance: what was learned from.
        licence: of the encoder.
        training: the record for the card.
        half: whether the weights are stored in half precision. The method's own are rounded then, so that it gives
            what the encoder gives.
        mirror: whether the encoder averages the embeddings of a picture and of the mirrored picture.
        attributes: names of those that the method has learned.

    Raises:
        SwiftReIDError: ONNX Runtime is missing, or its results are not the method's.
    """
    method.eval()
    if half:
        _round(method)
    height, width = pictures.shape[1:3]
    expected = embeddings_of(method, pictures, mirror=mirror)
    centre = expected / np.linalg.norm(expected, axis=1, keepdims=True) if method.unit else expected
    encoder: Encoder = network_encoder(
        NetworkFile(ONNX, {"onnx": onnx_of(method, height, width, half=half)}),
        Preprocessing(height=height, width=width, scale=1 / 255, mean=MEAN, std=STD, flip=mirror),
        centre.mean(axis=0),
        name=name,
        provenance=provenance,
        licence=licence,
        unit=method.unit,
        training=training,
    )
    given = encoder.encode(pictures).embedding
    assert given is not None
    apart = float(np.abs(given - centre).max() / np.abs(centre).max())
    if not apart < _TOLERANCE:
        raise SwiftReIDError(f"the exported network is off by {apart:.2g} of the embedding's size: report this")
    if method.pyramid is None:
        return encoder
    nothing, one = np.zeros(method.embedding_length, np.float32), np.ones(method.embedding_length, np.float32)
    if isinstance(method.pyramid, Signs):
        arrays = signs(method.pyramid)
    else:
        arrays = folded(method.pyramid.cpu(), nothing, one, unit=False)  # the base divides where the method does
    stored: Tensors = halved(arrays) if half else arrays
    layer = method.attribute_layer()
    made = compose(
        encoder,
        stored,
        name=name,
        provenance=provenance,
        training=training,
        attributes=None if layer is None else {"weight": layer[0].numpy(), "bias": layer[1].numpy()},
        attribute_names=attributes,
    )
    words = {"provenance": provenance, "licence": licence}  # one network, not a pyramid on somebody else's
    return made.with_card(made.card.model_copy(update=words))


class _Embedder(nn.Module):
    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, pictures: Tensor) -> Tensor:
        return self.method.embed(pictures)


class _Widened(nn.Module):
    """A weight that is kept in half precision and used in single."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.float()


def _weighted(method: Method) -> list[nn.Conv2d | nn.Linear]:
    """The layers with nearly all of a network's weights."""
    return [layer for layer in method.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]


@torch.no_grad()
def _round(method: Method) -> None:
    for layer in _weighted(method):
        layer.weight.copy_(layer.weight.half().float())


@torch.no_grad()
def _make_unequal(method: Method) -> None:
    """Change equal vectors by the last digit: the exporter stores them once, and `initial_weights` finds them by name.

    Where two branches are added, as in residual networks, their last biases learn the same.
    """
    seen: set[bytes] = set()
    for value in method.state_dict().values():
        if value.is_floating_point() and value.ndim == 1:
            while (stored := value.numpy().tobytes()) in seen:
                value.copy_(torch.nextafter(value, torch.full_like(value, torch.inf)))
            seen.add(stored)


def onnx_of(method: Method, height: int, width: int, *, half: bool = False) -> bytes:
    """The method's embedding as an ONNX model: float [n, 3, height, width], normalised -> float [n, d].

    With ``half`` the file holds half-precision weights, each with a cast that runtimes fold away when they load it.
    """
    method = copy.deepcopy(method).cpu().eval()
    if half:
        for layer in _weighted(method):
            layer.weight.data = layer.weight.data.half()
            parametrize.register_parametrization(layer, "weight", _Widened(), unsafe=True)
        _make_unequal(method)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # The older exporter needs no further package; a newer one brings three.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", TracerWarning)  # of what follows from the size, which is one here
        warnings.filterwarnings("ignore", message=".*instance_norm", category=UserWarning)
        torch.onnx.export(
            _Embedder(method),
            (torch.zeros(2, 3, height, width),),
            stream,  # type: ignore[arg-type]
            input_names=["pictures"],
            output_names=["embedding"],
            dynamic_axes={"pictures": {0: "n"}, "embedding": {0: "n"}},
            opset_version=_OPSET,
            dynamo=False,
            do_constant_folding=not half,  # which would store what the casts give
        )
    return stream.getvalue()
