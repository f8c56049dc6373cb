"""A file of encodings: what `swiftreid encode` writes and `swiftreid gallery add --codes` reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from safetensors.numpy import save

from swiftreid.durable import PRIVATE_FILE, save_bytes
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.headed_file import load_headed
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.search.codes import CodeSpec

_EMBEDDING = "embedding"


class EncodingsHeader(BaseModel):
    """Whose encodings they are; rows of every list are rows of every column."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    encoder: str
    fingerprint: str
    spec: str
    ids: list[str]
    cameras: list[str | None]
    persons: list[str | None]


@dataclass(frozen=True)
class Encodings:
    """Encodings read from a file, with their header."""

    header: EncodingsHeader
    encoding: Encoding


def save_encodings(
    path: Path,
    encoder: Encoder,
    encoding: Encoding,
    *,
    ids: list[str],
    cameras: list[str | None],
    persons: list[str | None],
) -> None:
    """Write packed codes, the embedding if there is one, and whose they are, to one safetensors file, atomically.

    Its owner alone can read it: a code tells a person apart as a picture does.
    """
    header = EncodingsHeader(
        encoder=encoder.card.name,
        fingerprint=encoder.fingerprint,
        spec=str(encoder.spec),
        ids=ids,
        cameras=cameras,
        persons=persons,
    )
    columns: dict[str, Any] = dict(encoding.codes)
    if encoding.embedding is not None:
        columns[_EMBEDDING] = encoding.embedding
    save_bytes(path, save(columns, metadata={"encodings": header.model_dump_json()}), mode=PRIVATE_FILE)


def load_encodings(path: Path) -> Encodings:
    """Read a file that `save_encodings` wrote.

    Raises:
        SwiftReIDError: the file is missing, damaged, or something else.
    """
    if not path.is_file():
        raise SwiftReIDError(f"no encodings file at {path}: make one with `swiftreid encode`")
    remedy = "make it again with `swiftreid encode`"
    header, columns = load_headed(path, EncodingsHeader, key="encodings", kind="encodings", remedy=remedy)
    embedding = columns.pop(_EMBEDDING, None)
    try:
        rows = CodeSpec.parse(header.spec).check(columns)
    except UsageError as error:
        raise SwiftReIDError(f"{path} is damaged ({error}): {remedy}") from error
    if not rows == len(header.ids) == len(header.cameras) == len(header.persons):
        raise SwiftReIDError(f"{path} is damaged (it lists {len(header.ids)} ids for {rows} rows of codes): {remedy}")
    if embedding is not None and (embedding.ndim != 2 or len(embedding) != rows):
        raise SwiftReIDError(f"{path} is damaged (embeddings {embedding.shape} for {rows} rows of codes): {remedy}")
    return Encodings(header, Encoding(columns, embedding))
