"""The kinds of encoder, by the name that their files state; nothing else knows them."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.card import EncoderCard, Tensors
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.errors import SwiftReIDError

KINDS: Final[dict[str, str]] = {
    "stripes": "swiftreid.encoding.stripes:StripesEncoder",
    "external": "swiftreid.encoding.external:ExternalEncoder",
    "pyramid": "swiftreid.encoding.composed:PyramidEncoder",
    "cameras": "swiftreid.encoding.camera_encoder:CameraEncoder",
    "vectors": "swiftreid.encoding.vector_encoder:VectorEncoder",
}
"""Kind -> module and class."""

_DEFAULTS = RunOptions()


def build_encoder(card: EncoderCard, tensors: Tensors, options: RunOptions = _DEFAULTS) -> Encoder:
    """The encoder that a card describes.

    Raises:
        SwiftReIDError: there is no such kind, or the card and the tensors are not what its encoders need.
    """
    if card.kind not in KINDS:
        raise SwiftReIDError(f"encoder {card.name} is of unknown kind {card.kind!r}; this version knows {list(KINDS)}")
    module, name = KINDS[card.kind].split(":")
    encoder: Encoder = getattr(import_module(module), name)(card, tensors, options)
    return encoder
