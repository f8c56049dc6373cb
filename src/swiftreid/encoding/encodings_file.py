"""A file of encodings: what `swiftreid encode` writes, `swiftreid gallery add --codes` reads, and others may write too.

docs/encoders.md states the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from safetensors.numpy import save

from swiftreid.durable import PRIVATE_FILE, save_bytes
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.checks import repeated
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.headed_file import load_headed
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.search.codes import CodeSpec, bits_of, pack_bits, row_bytes_of

EMBEDDING = "embedding"


def _as_text(value: Any) -> Any:
    """Other programs number people and cameras."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_as_text)]
TextOrNone = Annotated[str | None, BeforeValidator(_as_text)]


class EncodingsHeader(BaseModel):
    """Whose encodings they are; rows of every list are rows of every column, in any order.

    Only ``fingerprint`` and ``ids`` must be stated. Fields that are not known here are passed over.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    format: Literal[1] = 1
    fingerprint: str = Field(min_length=1)
    """Names what made the codes; a gallery takes codes of one fingerprint."""
    ids: list[Text]
    """Of each row, its own."""
    encoder: str = ""
    """The encoder's name, for people."""
    spec: str = ""
    """Names of the codes, shortest first; by default those of the columns, attributes last."""
    bit_order: Literal["little", "big"] = "little"
    """Of the packed codes: ``big`` is NumPy's default, ``little`` that of FAISS and of this package."""
    cameras: list[TextOrNone] = Field(default_factory=list)
    persons: list[TextOrNone] = Field(default_factory=list)
    times: list[float | None] = Field(default_factory=list)
    """In seconds since 1970 UTC."""


@dataclass(frozen=True)
class Encodings:
    """Encodings read from a file, with their header, in which every list is filled."""

    header: EncodingsHeader
    encoding: Encoding


def save_encodings(
    path: Path,
    encoder: Encoder,
    encoding: Encoding,
    *,
    ids: Sequence[str],
    cameras: Sequence[str | None] = (),
    persons: Sequence[str | None] = (),
    times: Sequence[float | None] = (),
) -> None:
    """Write packed codes, the embedding if there is one, ids and labels to one safetensors file, atomically.

    Only its owner can read it: a code identifies a person, as a picture does.

    Args:
        path: the file.
        encoder: what made the encoding.
        encoding: n rows.
        ids: of each row.
        cameras: of each row; empty where none is known.
        persons: the same.
        times: the same, in seconds since 1970 UTC.

    Raises:
        UsageError: a list has another number of rows.
        SwiftReIDError: the file could not be written.
    """
    rows = encoder.spec.check(encoding.codes)
    lists: dict[str, list[Any]] = {
        "ids": list(ids),
        "cameras": list(cameras),
        "persons": list(persons),
        "times": list(times),
    }
    for name, values in lists.items():
        if len(values) != rows and (values or name == "ids"):
            raise UsageError(f"there are {len(values):,} {name} for {rows:,} encodings")
    filled = {name: values or [None] * rows for name, values in lists.items() if values or name != "times"}
    header = EncodingsHeader.model_validate(
        {"encoder": encoder.card.name, "fingerprint": encoder.fingerprint, "spec": str(encoder.spec), **filled}
    )
    columns: dict[str, Any] = {name: np.ascontiguousarray(code) for name, code in encoding.codes.items()}
    if encoding.embedding is not None:
        columns[EMBEDDING] = np.ascontiguousarray(encoding.embedding)
    # What is not stated is left out: versions before it can read the file then.
    text = header.model_dump_json(exclude={"bit_order"} | ({"times"} if not header.times else set()))
    save_bytes(path, save(columns, metadata={"encodings": text}), mode=PRIVATE_FILE)


def load_encodings(path: Path) -> Encodings:
    """Read a file of encodings, of this program or of another.

    Codes may be packed in either bit order, with or without padding to 4 bytes, or be one bool a bit.

    Raises:
        SwiftReIDError: the file is missing, damaged, or something else.
    """
    if not path.is_file():
        raise SwiftReIDError(f"no encodings file at {path}: make one with `swiftreid encode`")
    remedy = "make it again with `swiftreid encode`, or as docs/encoders.md states the format"
    header, columns = load_headed(path, EncodingsHeader, key="encodings", kind="encodings", remedy=remedy)
    embedding = columns.pop(EMBEDDING, None)
    try:
        spec = CodeSpec.parse(header.spec) if header.spec else _spec_of(columns)
        codes = {name: _packed(name, columns[name], header.bit_order) for name in spec if name in columns}
        codes |= {name: column for name, column in columns.items() if name not in codes}  # `check` names them
        rows = spec.check(codes)
        if embedding is not None and (embedding.dtype.kind != "f" or embedding.ndim != 2):
            raise UsageError(f"embeddings are {embedding.dtype} {embedding.shape}, not float32 [n, d]")
        if embedding is not None and len(embedding) != rows:
            raise UsageError(f"embeddings {embedding.shape} for {rows} rows of codes")
        header = _filled(header, rows).model_copy(update={"spec": str(spec)})
    except UsageError as error:
        raise SwiftReIDError(f"{path} is damaged ({error}): {remedy}") from error
    return Encodings(header, Encoding(codes, None if embedding is None else embedding.astype(np.float32, copy=False)))


def _spec_of(columns: dict[str, NDArray[Any]]) -> CodeSpec:
    if not columns:
        raise UsageError("it holds no code, such as a column 'id128'")
    return CodeSpec(tuple(sorted(columns, key=lambda name: (name.startswith("attr"), bits_of(name)))))


def _packed(name: str, column: NDArray[Any], order: str) -> NDArray[np.uint8]:
    """A code as it is kept here: little-endian bits in rows of whole words of 4 bytes."""
    bits = bits_of(name)
    if column.ndim != 2:
        return column
    if column.dtype == np.bool_ and column.shape[1] == bits:
        return pack_bits(column)
    if column.dtype != np.uint8:
        return column
    if order == "big":
        column = np.packbits(np.unpackbits(column, axis=1), axis=1, bitorder="little")
    if column.shape[1] == -(-bits // 8) < row_bytes_of(name):
        column = np.pad(column, ((0, 0), (0, row_bytes_of(name) - column.shape[1])))
    return np.ascontiguousarray(column)


def _filled(header: EncodingsHeader, rows: int) -> EncodingsHeader:
    """The header with a value in each list for each row."""
    if len(header.ids) != rows:
        raise UsageError(f"it lists {len(header.ids)} ids for {rows} rows of codes")
    if (twice := repeated(header.ids)) is not None:
        raise UsageError(f"it lists the id {twice!r} twice")
    lists: dict[str, list[Any]] = {name: getattr(header, name) for name in ("cameras", "persons", "times")}
    for name, values in lists.items():
        if values and len(values) != rows:
            raise UsageError(f"it lists {len(values)} {name} for {rows} rows of codes")
    return header.model_copy(update={name: values or [None] * rows for name, values in lists.items()})
