"""The pyramid encoder: another encoder's float embedding, and learned codes and attributes on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.attribute_bits import AttributeBits
from swiftreid.encoding.card import EncoderCard, Tensors
from swiftreid.encoding.encoder import Encoder, build_encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.pyramid import PyramidCodes
from swiftreid.errors import UsageError
from swiftreid.search.codes import bits_of

_BASE, _PYRAMID, _ATTRIBUTES = "base.", "pyramid.", "attributes."


class PyramidEncoder(Encoder):
    """Composes a base encoder, `PyramidCodes`, and where attributes are learned `AttributeBits`, in one file."""

    kind = "pyramid"

    def __init__(self, card: EncoderCard, tensors: Tensors) -> None:
        super().__init__(card, tensors)
        base = EncoderCard.model_validate(card.architecture["base"] | {"name": card.name})  # the name that users know
        self._base = build_encoder(base, _below(_BASE, tensors))
        self._pyramid = PyramidCodes(_below(_PYRAMID, tensors))
        attributes = _below(_ATTRIBUTES, tensors)
        self._attributes = AttributeBits(attributes) if attributes else None

    @property
    def base(self) -> Encoder:
        """What gives the embedding."""
        return self._base

    @property
    def pyramid(self) -> dict[str, NDArray[Any]]:
        """The arrays of its `PyramidCodes`."""
        return _below(_PYRAMID, self.tensors)

    @property
    def attribute_layer(self) -> dict[str, NDArray[Any]]:
        """The arrays of its `AttributeBits`; empty where it tells no attributes."""
        return _below(_ATTRIBUTES, self.tensors)

    def _encode(self, pictures: NDArray[np.uint8]) -> Encoding:
        embedding = self._base.encode(pictures).embedding
        assert embedding is not None  # compose() refuses a base without one
        codes = self._pyramid(embedding)
        if self._attributes is not None:
            codes |= self._attributes(embedding)
        return Encoding(codes=codes, embedding=embedding)

    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        lengths = (f"id{length}" for length in self._pyramid.lengths)
        values = dict(zip(lengths, self._pyramid.values(embedding), strict=True))
        if self._attributes is not None:
            values[self._attributes.code] = self._attributes.values(embedding)
        return {name: values[name] for name in self.spec}


def compose(
    base: Encoder,
    pyramid: Tensors,
    *,
    name: str,
    provenance: str,
    training: dict[str, Any] | None = None,
    attributes: Tensors | None = None,
    attribute_names: Sequence[str] = (),
) -> PyramidEncoder:
    """Put a fitted pyramid on top of ``base``; the licence of the base carries over.

    Args:
        base: gives the embedding.
        pyramid: arrays of `PyramidCodes`.
        name: on the card.
        provenance: what the pyramid was learned from.
        training: the record for the card.
        attributes: arrays of `AttributeBits`, which become a code ``attrN`` behind the others.
        attribute_names: of these bits, in order.

    Raises:
        UsageError: the base gives no float embedding, or attributes and their names differ in number.
    """
    if base.card.embedding is None:
        raise UsageError(f"encoder {base.card.name} gives no float embedding, so no pyramid can be put on it")
    codes = [*PyramidCodes(pyramid).spec]
    if attributes is not None:
        codes.append(AttributeBits(attributes).code)
    if bits_of(codes[-1]) != len(attribute_names) if attributes is not None else attribute_names:
        raise UsageError(f"{len(attribute_names)} names for the bits of the codes {' '.join(codes)}")
    card = EncoderCard(
        kind=PyramidEncoder.kind,
        name=name,
        architecture={"base": _essentials(base.card)},
        spec=" ".join(codes),
        embedding=base.card.embedding,
        attributes=list(attribute_names),
        preprocessing=base.card.preprocessing,
        provenance=f"pyramid: {provenance}; embedding ({base.card.name}): {base.card.provenance}",
        licence=base.card.licence,
        training=training or {},
    )
    tensors = {**_under(_BASE, base.tensors), **_under(_PYRAMID, pyramid), **_under(_ATTRIBUTES, attributes or {})}
    return PyramidEncoder(card, tensors)


def _essentials(card: EncoderCard) -> dict[str, Any]:
    """The base's card without what is no part of its identity, so that renaming or recalibrating it changes nothing."""
    words: dict[str, Any] = {
        "name": "base",
        "provenance": "",
        "licence": "",
        "metrics": [],
        "attribute_scores": [],
        "calibration": None,
        "training": {},
    }
    return card.model_copy(update=words).model_dump(mode="json")


def _under(prefix: str, tensors: Tensors) -> dict[str, NDArray[Any]]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _below(prefix: str, tensors: Tensors) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
