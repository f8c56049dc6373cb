"""From a trained method to an encoder: the trunk as ONNX, its codes as plain arrays, and the check that both agree."""

from __future__ import annotations

import io
import warnings
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from swiftreid.encoding.card import EncoderCard, Preprocessing
from swiftreid.encoding.composed import PyramidEncoder, compose
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.external import DEFAULT_SPEC, ExternalEncoder
from swiftreid.errors import SwiftReIDError
from swiftreid.methods.method import Method
from swiftreid.training.augmentation import MEAN, STD, floats, normalised
from swiftreid.training.folding import folded

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

    Raises:
        SwiftReIDError: ONNX Runtime is missing, or its results are not the method's.
    """
    method.eval()
    height, width = pictures.shape[1:3]
    expected = embeddings_of(method, pictures)
    card = EncoderCard(
        kind=ExternalEncoder.kind,
        name=name,
        architecture={"dimension": method.embedding_length, "seed": 0, "unit": method.unit},
        spec=DEFAULT_SPEC,
        embedding=method.embedding_length,
        preprocessing=Preprocessing(height=height, width=width, scale=1 / 255, mean=MEAN, std=STD),
        provenance=provenance,
        licence=licence,
        training=training,
    )
    network = np.frombuffer(onnx_of(method, height, width), np.uint8)
    centre = expected / np.linalg.norm(expected, axis=1, keepdims=True) if method.unit else expected
    encoder: Encoder = ExternalEncoder(card, {"network.onnx": network, "mean": centre.mean(axis=0)})
    given = encoder.encode(pictures).embedding
    assert given is not None
    apart = float(np.abs(given - centre).max() / np.abs(centre).max())
    if not apart < _TOLERANCE:
        raise SwiftReIDError(f"the exported network is off by {apart:.2g} of the embedding's size: report this")
    if method.pyramid is None:
        return encoder
    nothing, one = np.zeros(method.embedding_length, np.float32), np.ones(method.embedding_length, np.float32)
    arrays = folded(method.pyramid.cpu(), nothing, one, unit=False)  # the base divides where the method does
    bare = ExternalEncoder(card.model_copy(update={"provenance": "", "fingerprint": ""}), encoder.tensors)
    made = compose(bare, arrays, name=name, provenance=provenance, training=training)
    words = {"provenance": provenance, "licence": licence}  # one network, not a pyramid on somebody else's
    return PyramidEncoder(made.card.model_copy(update=words), made.tensors)


@torch.no_grad()
def embeddings_of(method: Method, pictures: NDArray[np.uint8], batch: int = 256) -> NDArray[np.float32]:
    """Embeddings of uint8 pictures [n, h, w, 3] as the method gives them in its present mode, float32 [n, d]."""
    device = next(method.parameters()).device
    parts = []
    for start in range(0, len(pictures), batch):
        raw = torch.from_numpy(pictures[start : start + batch]).to(device)
        parts.append(method.embed(normalised(floats(raw))).float().cpu().numpy())
    return np.concatenate(parts)


class _Embedder(nn.Module):
    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, pictures: Tensor) -> Tensor:
        return self.method.embed(pictures)


def onnx_of(method: Method, height: int, width: int) -> bytes:
    """The method's embedding as an ONNX model: float [n, 3, height, width], normalised -> float [n, d]."""
    device = next(method.parameters()).device
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # The older exporter needs no further package; a newer one brings three.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*instance_norm", category=UserWarning)
        torch.onnx.export(
            _Embedder(method).eval(),
            (torch.zeros(2, 3, height, width, device=device),),
            stream,  # type: ignore[arg-type]
            input_names=["pictures"],
            output_names=["embedding"],
            dynamic_axes={"pictures": {0: "n"}, "embedding": {0: "n"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    return stream.getvalue()
