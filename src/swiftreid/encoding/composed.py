"""The pyramid encoder: another encoder's float embedding, and the learned code pyramid on top of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.card import EncoderCard, Tensors
from swiftreid.encoding.encoder import Encoder, build_encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.pyramid import PyramidCodes
from swiftreid.errors import UsageError

_BASE, _PYRAMID = "base.", "pyramid."


class PyramidEncoder(Encoder):
    """Composes a base encoder and a `PyramidCodes` head; both live in the one file, under two prefixes."""

    kind = "pyramid"

    def __init__(self, card: EncoderCard, tensors: Tensors) -> None:
        super().__init__(card, tensors)
        base = EncoderCard.model_validate(card.architecture["base"] | {"name": card.name})  # the name that users know
        self._base = build_encoder(base, _below(_BASE, tensors))
        self._pyramid = PyramidCodes(_below(_PYRAMID, tensors))

    def _encode(self, pictures: NDArray[np.uint8]) -> Encoding:
        embedding = self._base.encode(pictures).embedding
        assert embedding is not None  # compose() refuses a base without one
        return Encoding(codes=self._pyramid(embedding), embedding=embedding)

    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        lengths = (f"id{length}" for length in self._pyramid.lengths)
        values = dict(zip(lengths, self._pyramid.values(embedding), strict=True))
        return {name: values[name] for name in self.spec}


def compose(
    base: Encoder, pyramid: Tensors, *, name: str, provenance: str, training: dict[str, Any] | None = None
) -> PyramidEncoder:
    """Put a fitted pyramid on top of ``base``; the licence of the base carries over.

    Raises:
        UsageError: the base gives no float embedding.
    """
    if base.card.embedding is None:
        raise UsageError(f"encoder {base.card.name} gives no float embedding, so no pyramid can be put on it")
    card = EncoderCard(
        kind=PyramidEncoder.kind,
        name=name,
        architecture={"base": _essentials(base.card)},
        spec=str(PyramidCodes(pyramid).spec),
        embedding=base.card.embedding,
        preprocessing=base.card.preprocessing,
        provenance=f"pyramid: {provenance}; embedding ({base.card.name}): {base.card.provenance}",
        licence=base.card.licence,
        training=training or {},
    )
    return PyramidEncoder(card, {**_under(_BASE, base.tensors), **_under(_PYRAMID, pyramid)})


def _essentials(card: EncoderCard) -> dict[str, Any]:
    """The base's card without what is no part of its identity, so that renaming or recalibrating it changes nothing."""
    words: dict[str, Any] = {
        "name": "base",
        "provenance": "",
        "licence": "",
        "metrics": [],
        "calibration": None,
        "training": {},
    }
    return card.model_copy(update=words).model_dump(mode="json")


def _under(prefix: str, tensors: Tensors) -> dict[str, NDArray[Any]]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _below(prefix: str, tensors: Tensors) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
