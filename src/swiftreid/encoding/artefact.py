"""The encoder artefact: one safetensors file that holds the tensors and, in its header, the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from swiftreid.durable import save_bytes
from swiftreid.encoding.card import EncoderCard, Tensors, fingerprint_of
from swiftreid.encoding.headed_file import load_headed
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
        raise SwiftReIDError(
            f"no encoder file at {path}: give the path of one, or the name of a shipped one: rendered, stripes"
        )
    card, tensors = load_headed(path, EncoderCard, key="card", kind="encoder", remedy="make or copy it again")
    actual = fingerprint_of(card, tensors)
    if actual != card.fingerprint:
        raise SwiftReIDError(
            f"{path} is damaged: its card states fingerprint {card.short_fingerprint} but its content gives "
            f"{actual[:12]}; copy it again from where it came"
        )
    return card, tensors
