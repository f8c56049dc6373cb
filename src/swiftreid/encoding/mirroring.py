"""Embeddings averaged with those of the mirrored picture, for encoders that are there already."""

from __future__ import annotations

from typing import Any

from swiftreid.encoding.card import EncoderCard
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import UsageError


def mirrored(encoder: Encoder, *, name: str | None = None) -> Encoder:
    """The same encoder, whose embedding is the mean of the picture's and the mirrored picture's.

    Codes are those of the mean. Distances change, so it has another fingerprint, and neither the calibration nor the
    figures of the encoder as it was.

    Args:
        encoder: of a network, with or without a learned pyramid of codes.
        name: on the card; the encoder's own by default.

    Raises:
        UsageError: it averages already, or has no network.
    """
    card = encoder.card
    if card.preprocessing.flip:
        raise UsageError(f"encoder {card.name} averages a picture with its mirror image already")
    words: dict[str, Any] = {
        "name": name or card.name,
        "preprocessing": card.preprocessing.model_copy(update={"flip": True}),
        "metrics": [],
        "attribute_scores": [],
        "calibration": None,
        "fingerprint": "",
    }
    if card.kind == "pyramid":
        base = EncoderCard.model_validate(card.architecture["base"])
        flipping = {"preprocessing": words["preprocessing"], "fingerprint": ""}
        words["architecture"] = {"base": base.model_copy(update=flipping).model_dump(mode="json")}
    elif card.kind != "external":
        raise UsageError(f"encoder {card.name} has no network whose embeddings could be averaged")
    return type(encoder)(card.model_copy(update=words), encoder.tensors)
