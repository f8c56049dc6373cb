"""Embeddings averaged with those of the mirrored picture, for encoders that are there already."""

from __future__ import annotations

from typing import Any

from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.card import EncoderCard, Preprocessing
from swiftreid.errors import UsageError


def mirrored(encoder: Encoder, *, name: str | None = None) -> Encoder:
    """The same encoder, with the mean of the embeddings of a picture and of its mirror image.

    Codes are those of the mean. Distances change, so it has another fingerprint, and neither the calibration nor the
    figures of the encoder as it was.

    Args:
        encoder: of a network, with or without a learned pyramid of codes.
        name: on the card; the encoder's own by default.

    Raises:
        UsageError: it averages already, or has no network.
    """
    card = encoder.card
    if card.preprocessing is None or encoder.network is None:
        raise UsageError(f"encoder {card.name} has no network, so there are no embeddings to average")
    if card.preprocessing.flip:
        raise UsageError(f"encoder {card.name} averages a picture with its mirror image already")
    preprocessing = card.preprocessing.model_copy(update={"flip": True})
    changes: dict[str, Any] = {
        "name": name or card.name,
        "preprocessing": preprocessing,
        "architecture": _flipping(card.architecture, preprocessing),
        "metrics": [],
        "attribute_scores": [],
        "calibration": None,
        "fingerprint": "",
    }
    return encoder.with_card(card.model_copy(update=changes))


def _flipping(architecture: dict[str, Any], preprocessing: Preprocessing) -> dict[str, Any]:
    """The architecture with the preprocessing of every encoder below changed."""
    if "base" not in architecture:
        return architecture
    base = EncoderCard.model_validate(architecture["base"])
    changes: dict[str, Any] = {
        "preprocessing": preprocessing,
        "architecture": _flipping(base.architecture, preprocessing),
        "fingerprint": "",
    }
    return architecture | {"base": base.model_copy(update=changes).model_dump(mode="json")}
