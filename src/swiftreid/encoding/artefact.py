"""The encoder artefact: one safetensors file that holds the tensors and, in its header, the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from swiftreid.durable import save_bytes
from swiftreid.encoding.card import CARD_FORMAT, EncoderCard, Tensors, fingerprint_of
from swiftreid.errors import SwiftReIDError


def save_artefact(path: Path, card: EncoderCard, tensors: Tensors) -> EncoderCard:
    """Write ``card`` and ``tensors`` to ``path`` atomically; return the card with its fingerprint filled in."""
    sealed = card.model_copy(update={"fingerprint": fingerprint_of(card, tensors)})
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_bytes(path, save(arrays, metadata={"card": sealed.model_dump_json()}))
    return sealed


def load_artefact(path: Path) -> tuple[EncoderCard, dict[str, NDArray[Any]]]:
    """Read an encoder file and check that its content is what its card says.

    Raises:
        SwiftReIDError: the file is missing, is no encoder, is of a newer format, or was damaged.
    """
    if not path.is_file():
        raise SwiftReIDError(f"no encoder file at {path}: give the path of an encoder, or the name 'stripes'")
    try:
        with safe_open(path, framework="numpy") as stored:
            header = (stored.metadata() or {}).get("card")
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SwiftReIDError(f"{path} is not a readable encoder file ({error}): make or copy it again") from error
    if header is None:
        raise SwiftReIDError(f"{path} is a safetensors file without an encoder card: it was not written by swiftreid")
    card = _parse_card(path, header)
    actual = fingerprint_of(card, tensors)
    if actual != card.fingerprint:
        raise SwiftReIDError(
            f"{path} is damaged: its card states fingerprint {card.short_fingerprint} but its content gives "
            f"{actual[:12]}; copy it again from where it came"
        )
    return card, tensors


def _parse_card(path: Path, header: str) -> EncoderCard:
    try:
        return EncoderCard.model_validate_json(header)
    except ValidationError as error:
        newer = f'"format":{CARD_FORMAT}' not in header.replace(" ", "")
        hint = "it was written by a newer swiftreid; upgrade" if newer else str(error).splitlines()[0]
        raise SwiftReIDError(f"{path} has a card that this version cannot read: {hint}") from error
