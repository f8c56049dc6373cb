"""The pyramid encoder: another encoder's float embedding, and learned codes and attributes on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.attribute_bits import AttributeBits
from swiftreid.encoding.card import EncoderCard, Tensors
from swiftreid.encoding.checks import architecture_of, refuse
from swiftreid.encoding.crops import Colour, Inputs
from swiftreid.encoding.headed_file import without_prefix
from swiftreid.encoding.kinds import build_encoder
from swiftreid.encoding.pyramid import PyramidCodes
from swiftreid.encoding.runtimes.contract import NetworkFile, RunOptions
from swiftreid.errors import UsageError
from swiftreid.search.codes import bits_of

_BASE, _PYRAMID, _ATTRIBUTES = "base.", "pyramid.", "attributes."
_MOST_LEVELS = 8
_DEFAULTS = RunOptions()


class _Architecture(BaseModel):
    base: EncoderCard


class PyramidEncoder(Encoder):
    """Composes a base encoder, `PyramidCodes`, and where attributes are learned `AttributeBits`, in one file."""

    kind = "pyramid"

    def __init__(self, card: EncoderCard, tensors: Tensors, options: RunOptions = _DEFAULTS) -> None:
        super().__init__(card, tensors, options)
        base = architecture_of(card, _Architecture).base
        if _levels(base) > _MOST_LEVELS:
            raise refuse(card, f"codes lie on codes more than {_MOST_LEVELS} times over")
        # Messages name the encoder that users know.
        named = base.model_copy(update={"name": card.name})
        self._base = build_encoder(named, without_prefix(_BASE, tensors), options)
        self._pyramid = PyramidCodes(self.pyramid)
        self._attributes = AttributeBits(self.attribute_layer) if self.attribute_layer else None
        self._check()

    def _check(self) -> None:
        card, base = self.card, self._base.card
        widths = (card.embedding, base.embedding, self._pyramid.embedding_length)
        if len(set(widths)) > 1 or card.preprocessing != base.preprocessing:
            raise refuse(card, f"card, base and codes do not fit: embeddings of {widths} numbers")
        if self._attributes is not None and self._attributes.width != card.embedding:
            raise refuse(card, f"the attribute layer takes {self._attributes.width} numbers, not {card.embedding}")
        codes = [*self._pyramid.spec, *([self._attributes.code] if self._attributes else [])]
        if [*self.spec] != codes:
            raise refuse(card, f"its spec is {card.spec!r}, its tensors give {' '.join(codes)!r}")
        bits = bits_of(self._attributes.code) if self._attributes else 0
        if bits != len(card.attributes):
            raise refuse(card, f"{len(card.attributes)} attributes are named, and {bits} bits are given")

    @property
    def network(self) -> NetworkFile | None:
        """The network below the codes."""
        return self._base.network

    @property
    def base(self) -> Encoder:
        """What gives the embedding."""
        return self._base

    @property
    def pyramid(self) -> dict[str, NDArray[Any]]:
        """The arrays of its `PyramidCodes`."""
        return without_prefix(_PYRAMID, self.tensors)

    @property
    def attribute_layer(self) -> dict[str, NDArray[Any]]:
        """The arrays of its `AttributeBits`; empty where it predicts none."""
        return without_prefix(_ATTRIBUTES, self.tensors)

    def _inputs(self, crops: Inputs, colour: Colour) -> NDArray[Any]:
        return self._base._inputs(crops, colour)

    def _embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        return self._base._embed(inputs)

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
        architecture={"base": essentials(base.card)},
        spec=" ".join(codes),
        embedding=base.card.embedding,
        attributes=list(attribute_names),
        preprocessing=base.card.preprocessing,
        provenance=f"pyramid: {provenance}; embedding ({base.card.name}): {base.card.provenance}",
        licence=base.card.licence,
        training=training or {},
    )
    tensors = {**_under(_BASE, base.tensors), **_under(_PYRAMID, pyramid), **_under(_ATTRIBUTES, attributes or {})}
    return PyramidEncoder(card, tensors, base.options)


def _levels(card: EncoderCard) -> int:
    """How many encoders lie below a card's and in it, counted up to one above `_MOST_LEVELS`."""
    levels, base = 1, card.architecture.get("base")
    while isinstance(base, dict) and levels <= _MOST_LEVELS:
        architecture = base.get("architecture")
        levels, base = levels + 1, architecture.get("base") if isinstance(architecture, dict) else None
    return levels


def essentials(card: EncoderCard) -> dict[str, Any]:
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
