"""What a gallery is bound to until its entries are encoded again, and the columns that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from swiftreid.errors import UsageError
from swiftreid.search.codes import CodeSpec
from swiftreid.search.segment import MAX_EMBEDDING
from swiftreid.search.stages import EMBEDDING

FORMAT = 3
SEGMENTS = "segments"
ENCODER = "encoder.safetensors"
FloatName = Literal["float16", "float32"]


@dataclass(frozen=True)
class Embedding:
    """The float vectors that a gallery keeps beside its codes.

    Attributes:
        size: numbers in a vector; even, and at most 16,376.
        dtype: ``float16`` or ``float32``.

    Raises:
        UsageError: another size or type.
    """

    size: int
    dtype: FloatName = "float16"

    def __post_init__(self) -> None:
        if self.dtype not in get_args(FloatName):
            raise UsageError(f"embeddings are kept as float16 or float32, not as {self.dtype!r}")
        if not 0 < self.size <= MAX_EMBEDDING or self.size % 2:
            raise UsageError(f"embeddings have an even number of dimensions up to {MAX_EMBEDDING}, got {self.size}")

    def __str__(self) -> str:
        return f"{self.dtype} {self.size}"

    @classmethod
    def parse(cls, text: str) -> Embedding:
        """Read the text form, such as ``float16 512``."""
        dtype, _, size = text.partition(" ")
        return cls(int(size), dtype)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Layout:
    """The columns of every entry: packed codes and, where a gallery keeps them, float embeddings."""

    spec: CodeSpec
    embedding: Embedding | None = None

    @property
    def columns(self) -> dict[str, tuple[np.dtype[Any], int]]:
        """Type and number of values of a row, for each column."""
        columns: dict[str, tuple[np.dtype[Any], int]] = {
            name: (np.dtype(np.uint8), width) for name, width in self.spec.row_bytes.items()
        }
        if self.embedding is not None:
            columns[EMBEDDING] = (np.dtype(self.embedding.dtype).newbyteorder("<"), self.embedding.size)
        return columns

    def __str__(self) -> str:
        return str(self.spec) if self.embedding is None else f"{self.spec} with embeddings {self.embedding}"


@dataclass(frozen=True)
class Meta:
    """What a gallery is bound to: it changes only where its entries are encoded again.

    Attributes:
        encoder_name: the encoder that made its codes.
        fingerprint: that encoder's fingerprint.
        spec: the encoder's codes.
        segment_size: entries to a sealed segment.
        created: when, ISO 8601, UTC.
        encoder_digest: checksum of the copy of the encoder's file; empty without one.
        embedding: the float vectors it keeps beside the codes; None without.
        rendered: its people were declared not to exist.
        version: version of the format.
        codes_version: number of the codes that searches compare; greater with every encoder that the gallery took.
        first_fingerprint: fingerprint of its first encoder, which tells it from galleries created in the same second;
            empty while that is still its encoder.
    """

    encoder_name: str
    fingerprint: str
    spec: CodeSpec
    segment_size: int
    created: str
    encoder_digest: str = ""
    embedding: Embedding | None = None
    rendered: bool = False
    version: int = FORMAT
    codes_version: int = 1
    first_fingerprint: str = ""

    @property
    def layout(self) -> Layout:
        """The columns of every entry."""
        return Layout(self.spec, self.embedding)

    @property
    def encoder_file(self) -> str:
        """Name of the copy of the encoder's file in the gallery's folder."""
        return ENCODER if self.codes_version == 1 else f"encoder-{self.codes_version}.safetensors"

    @property
    def identity(self) -> str:
        """The same for the gallery's whole life, and another for every gallery."""
        return f"{self.created} {(self.first_fingerprint or self.fingerprint)[:12]}"

    def to_text(self) -> dict[str, str]:
        """Everything but the versions, as a catalogue stores it."""
        text = {
            "encoder_name": self.encoder_name,
            "fingerprint": self.fingerprint,
            "spec": str(self.spec),
            "segment_size": str(self.segment_size),
            "created": self.created,
            "encoder_digest": self.encoder_digest,
        }
        if self.embedding is not None:
            text["embedding"] = str(self.embedding)
        if self.first_fingerprint:
            text["first_fingerprint"] = self.first_fingerprint
        return text | ({"rendered": "true"} if self.rendered else {})

    @classmethod
    def from_text(cls, text: Mapping[str, str], version: int, codes_version: int = 1) -> Meta:
        """The inverse of `to_text`.

        Raises:
            KeyError, ValueError: something is missing or makes no sense.
        """
        return cls(
            encoder_name=text["encoder_name"],
            fingerprint=text["fingerprint"],
            spec=CodeSpec.parse(text["spec"]),
            segment_size=int(text["segment_size"]),
            created=text["created"],
            encoder_digest=text["encoder_digest"],
            embedding=Embedding.parse(text["embedding"]) if "embedding" in text else None,
            rendered=text.get("rendered") == "true",
            version=version,
            codes_version=codes_version,
            first_fingerprint=text.get("first_fingerprint", ""),
        )
