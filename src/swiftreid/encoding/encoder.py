"""What every encoder does: uint8 pictures in, an encoding out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.artefact import load_artefact, save_artefact
from swiftreid.encoding.card import EncoderCard, Tensors, fingerprint_of
from swiftreid.encoding.encoding import Encoding
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.search.codes import CodeSpec

_KINDS = {
    "stripes": ("swiftreid.encoding.stripes", "StripesEncoder"),
    "external": ("swiftreid.encoding.external", "ExternalEncoder"),
    "pyramid": ("swiftreid.encoding.composed", "PyramidEncoder"),
}

SHIPPED: Mapping[str, Path] = {
    name: Path(__file__).with_name(f"{name}.safetensors") for name in ("rendered", "stripes")
}
"""Encoders that come with the package, by name."""

DEFAULT: Final = "rendered"
"""The shipped encoder that commands take unless told otherwise: a network that learned from rendered people."""


class Encoder(ABC):
    """Turns person crops into codes; made from a card and tensors, both of which its file holds."""

    kind: ClassVar[str]

    def __init__(self, card: EncoderCard, tensors: Tensors) -> None:
        self.tensors = dict(tensors)
        self.card = card if card.fingerprint else card.model_copy(update={"fingerprint": fingerprint_of(card, tensors)})

    @property
    def spec(self) -> CodeSpec:
        """Names and lengths of the codes, shortest first."""
        return self.card.code_spec

    @property
    def fingerprint(self) -> str:
        """Identity of the codes: equal fingerprints mean comparable codes."""
        return self.card.fingerprint

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels of the pictures that `encode` takes."""
        return self.card.preprocessing.height, self.card.preprocessing.width

    def encode(self, pictures: NDArray[np.uint8]) -> Encoding:
        """Encode uint8 RGB pictures of shape [n, height, width, 3].

        Raises:
            UsageError: the pictures have another type or shape than `size` says.
        """
        expected = (*self.size, 3)
        if not isinstance(pictures, np.ndarray):
            raise UsageError(f"encode takes one array of pictures, not a {type(pictures).__name__}: use numpy.stack")
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != expected:
            raise UsageError(
                f"encoder {self.card.name} takes uint8 pictures of shape [n, {expected[0]}, {expected[1]}, 3], "
                f"got {pictures.dtype} {pictures.shape}: resize them with swiftreid.data.pictures.resize"
            )
        if not len(pictures):
            empty = {code: np.zeros((0, width), np.uint8) for code, width in self.spec.row_bytes.items()}
            return Encoding(
                empty, None if self.card.embedding is None else np.zeros((0, self.card.embedding), np.float32)
            )
        return self._encode(pictures)

    def values_of(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The real values behind the bits of embeddings that `encode` gave: for each code float32 [n, bits].

        A bit is 1 where its value is above 0. Several pictures of one person are pooled by the mean of these, which
        gives another code than the majority of their bits.

        Args:
            embedding: float32 [n, d].

        Raises:
            UsageError: the encoder gives no embedding, or one of another length.
        """
        if embedding.ndim != 2 or embedding.shape[1] != self.card.embedding:
            raise UsageError(
                f"encoder {self.card.name} gives embeddings [n, {self.card.embedding}], got shape {embedding.shape}"
            )
        return self._values(embedding)

    @abstractmethod
    def _encode(self, pictures: NDArray[np.uint8]) -> Encoding:
        """Encode pictures whose shape was checked."""

    @abstractmethod
    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The values behind the bits of embeddings whose shape was checked."""

    def save(self, path: Path) -> None:
        """Write the encoder to one safetensors file, atomically."""
        save_artefact(path, self.card, self.tensors)


def open_encoder(source: str | Path) -> Encoder:
    """Open an encoder by file path, or a shipped one by its name.

    Raises:
        SwiftReIDError: there is no such encoder, or its file is damaged or needs an extra that is not installed.
    """
    if not isinstance(source, (str, Path)):
        raise UsageError(f"an encoder is given by its file or name, not by {type(source).__name__}")
    return build_encoder(*load_artefact(encoder_path(source)))


def encoder_path(source: str | Path) -> Path:
    """The file of an encoder given by path or by the name of a shipped one; it need not exist."""
    return SHIPPED.get(str(source), Path(source))


def build_encoder(card: EncoderCard, tensors: Tensors) -> Encoder:
    """The encoder that a card describes."""
    if card.kind not in _KINDS:
        raise SwiftReIDError(f"encoder {card.name} is of unknown kind {card.kind!r}; this version knows {list(_KINDS)}")
    module, name = _KINDS[card.kind]
    encoder: Encoder = getattr(import_module(module), name)(card, tensors)
    return encoder
