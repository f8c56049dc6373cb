"""Float vectors that another program made, and what is known of each: `.npy`, Arrow, Parquet, files of encodings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.numbering import number_cameras, number_persons
from swiftreid.data.table_file import read_table
from swiftreid.data.times import seconds
from swiftreid.durable import path_of
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.checks import check_finite, repeated
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.encodings_file import load_encodings, save_encodings
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.labelled import LabelledCodes

COLUMNS: Final = ("vector", "embedding")
"""Names that a table's column of vectors may have."""

_KNOWN = {"id", "person", "camera", "time"}
_ARROW = (".arrow", ".feather", ".ipc")
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Vectors:
    """Vectors and what is known of each; lists are of as many rows, or empty where nothing is known.

    Attributes:
        vectors: float32 [n, d].
        ids: of each, its own; made of the row's number where none are given.
        persons: who it is; None where it is not known.
        cameras: who took it.
        times: when, in seconds since 1970 UTC.

    Raises:
        UsageError: there are no vectors, one is not finite, an id is given twice, or a list has another length.
    """

    vectors: NDArray[np.float32]
    ids: list[str] = field(default_factory=list)
    persons: list[str | None] = field(default_factory=list)
    cameras: list[str | None] = field(default_factory=list)
    times: list[float | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors)
        if vectors.dtype.kind != "f" or vectors.ndim != 2 or 0 in vectors.shape:
            raise UsageError(f"vectors are a float array [n, d], one a row, not {vectors.dtype} {vectors.shape}")
        vectors = np.ascontiguousarray(vectors, np.float32)
        check_finite(vectors)
        count = len(vectors)
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "ids", list(self.ids) or [str(row) for row in range(count)])
        for name in ("persons", "cameras", "times"):
            object.__setattr__(self, name, list(getattr(self, name)) or [None] * count)
        for name in ("ids", "persons", "cameras", "times"):
            if len(getattr(self, name)) != count:
                raise UsageError(f"there are {len(getattr(self, name)):,} {name} for {count:,} vectors")
        if (twice := repeated(self.ids)) is not None:
            raise UsageError(f"the id {twice!r} is given twice: each vector needs one of its own")

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def fingerprint(self) -> str:
        """Which vectors, of which people and cameras, a figure was measured on: 16 hexadecimal digits of a hash."""
        digest = hashlib.sha256(self.vectors.tobytes())
        digest.update(repr((self.ids, self.persons, self.cameras)).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:16]

    def numbered(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Persons and cameras as numbers, int64 [n] each.

        Raises:
            UsageError: one of them is not known.
        """
        persons = _known(self.persons, "person")
        cameras = _known(self.cameras, "camera")
        by_person, by_camera = number_persons(persons), number_cameras(cameras)
        return np.array([by_person[one] for one in persons]), np.array([by_camera[one] for one in cameras])

    def take(self, rows: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> Vectors:
        """The vectors of some rows, in that order, or of a mask, bool [n]."""
        chosen = np.asarray(rows)
        if chosen.dtype == np.bool_:
            if chosen.shape != (len(self),):
                raise UsageError(f"a mask has one value for each of the {len(self):,} vectors, not {chosen.shape}")
            chosen = np.flatnonzero(chosen)
        places = [int(row) for row in chosen]
        lists = ([column[row] for row in places] for column in (self.ids, self.persons, self.cameras, self.times))
        return Vectors(self.vectors[places], *lists)  # type: ignore[arg-type]


def read_vectors(source: Path | str, *, labels: Path | str | None = None, column: str | None = None) -> Vectors:
    """Read vectors from a file.

    Args:
        source: ``.npy`` with a float array [n, d]; ``.parquet``, ``.arrow`` or ``.feather`` with a column of lists of
            numbers, which need pyarrow (the extra ``data``); or ``.safetensors`` as `swiftreid encode` writes it, whose
            embeddings are taken. Tables may have the columns id, person, camera and time too; others are not read.
        labels: a CSV or Parquet table with any of the columns id, person, camera and time, one row a vector, in their
            order; for ``.npy``, which holds none.
        column: of the vectors in a table; by default ``vector`` or ``embedding``.

    Raises:
        UsageError: the file's content is of another form.
        SwiftReIDError: the file cannot be read, or the extra ``data`` is missing.
    """
    source = path_of(source, "a file of vectors")
    labels = None if labels is None else path_of(labels, "a table of labels")
    suffix = source.suffix.lower()
    if not source.is_file():
        raise SwiftReIDError(f"no file of vectors at {source}")
    if labels is not None and suffix != ".npy":
        raise UsageError(f"{source} holds its own ids and labels: leave {labels} out")
    if suffix == ".npy":
        rows = [] if labels is None else [row for _, row in read_table(labels, "table of labels")[1]]
        if rows and not _KNOWN & rows[0].keys():
            raise UsageError(
                f"{labels} has none of the columns {', '.join(sorted(_KNOWN))}: it has {', '.join(rows[0])}"
            )
        vectors = _read_npy(source)
        if labels is not None and len(rows) != len(vectors):
            raise UsageError(f"{labels} has {len(rows):,} rows for the {len(vectors):,} vectors of {source}")
        return _labelled(vectors, rows, str(labels))
    if suffix == ".safetensors":
        loaded = load_encodings(source)
        if loaded.encoding.embedding is None:
            raise UsageError(f"{source} holds codes and no embeddings")
        header = loaded.header
        return Vectors(loaded.encoding.embedding, header.ids, header.persons, header.cameras, header.times)
    if suffix in (*_PARQUET, *_ARROW):
        return _read_arrow(source, column)
    raise UsageError(f"{source} is neither .npy nor .parquet, .arrow, .feather or .safetensors")


def encode_vectors(encoder: Encoder, vectors: Vectors) -> Encoding:
    """Codes of vectors, and the vectors as the encoder compares them.

    Raises:
        UsageError: the encoder takes pictures, or vectors of another length.
    """
    if encoder.takes != "vectors":
        raise UsageError(
            f"encoder {encoder.card.name} takes pictures, not vectors: make one with "
            "swiftreid.encoding.vector_encoder.vector_encoder"
        )
    return encoder.encode(vectors.vectors)


def encode_vectors_to_file(encoder: Encoder, vectors: Vectors, path: Path) -> None:
    """Encode vectors into a file of encodings, which a gallery takes; their ids, persons, cameras and times go along.

    Raises:
        UsageError: as `encode_vectors`.
        SwiftReIDError: the file cannot be written.
    """
    known = {"persons": vectors.persons, "cameras": vectors.cameras}
    times = vectors.times if any(time is not None for time in vectors.times) else []
    save_encodings(path, encoder, encode_vectors(encoder, vectors), ids=vectors.ids, times=times, **known)


def encode_labelled(encoder: Encoder, vectors: Vectors) -> LabelledCodes:
    """Codes of vectors with their persons and cameras, to evaluate with or to calibrate on.

    Raises:
        UsageError: as `encode_vectors`, or a person or camera is not known.
    """
    encoding = encode_vectors(encoder, vectors)
    return LabelledCodes(encoding.codes, *vectors.numbered(), encoding.embedding)


def _known(values: list[str | None], what: str) -> list[str]:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        missing = values.index(None)
        raise UsageError(f"the {what} of vector {missing} is not known, nor of {len(values) - len(known) - 1} more")
    return known


def _read_npy(source: Path) -> NDArray[Any]:
    try:
        # Mapped: a header that states more than the file holds is refused, and takes no memory.
        mapped = np.load(source, mmap_mode="r", allow_pickle=False, max_header_size=10_000)
    except Exception as error:  # its header is read by Python's own parser, which raises what it likes
        raise UsageError(
            f"{source} is no .npy file of numbers: numpy.save(path, vectors) of a float array makes one"
        ) from error
    return np.asarray(mapped)


def _read_arrow(source: Path, column: str | None) -> Vectors:
    try:
        import pyarrow
        from pyarrow import feather, parquet
    except ImportError as error:
        raise SwiftReIDError(
            f"{source} needs pyarrow: pip install 'swiftreid[data]', or save the vectors with numpy.save"
        ) from error
    read = parquet.read_table if source.suffix.lower() in _PARQUET else feather.read_table
    try:
        table: Any = read(source)
        names = [column] if column else [name for name in COLUMNS if name in table.column_names]
        if not names or names[0] not in table.column_names:
            wanted = column or " or ".join(COLUMNS)
            raise UsageError(f"{source} has no column {wanted}; it has {', '.join(table.column_names) or 'none'}")
        lists = table.column(names[0]).combine_chunks()
        vectors = _matrix(lists, f"column {names[0]!r} of {source}", pyarrow)
        known = [name for name in ("id", "person", "camera", "time") if name in table.column_names]
        rows = [
            {name: "" if value is None else str(value) for name, value in row.items()}
            for row in table.select(known).to_pylist()
        ]
    except (OSError, pyarrow.ArrowException, OverflowError, MemoryError) as error:
        raise SwiftReIDError(f"{source} cannot be read as a table: {error}") from error
    return _labelled(vectors, rows, str(source))


def _matrix(lists: Any, what: str, pyarrow: Any) -> NDArray[np.float32]:
    """Rows of a column of lists of numbers, float32 [n, d]."""
    kind = lists.type
    if not (pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind)):
        raise UsageError(f"{what} is {kind}, not lists of numbers")
    if not pyarrow.types.is_floating(kind.value_type):
        raise UsageError(f"{what} holds lists of {kind.value_type}, not of floats")
    numbers = lists.flatten()
    if lists.null_count or numbers.null_count:
        raise UsageError(f"{what} has empty cells: leave those rows out")
    lengths = set(pyarrow.compute.list_value_length(lists).unique().to_pylist()) if len(lists) else set()
    if len(lengths) != 1:
        raise UsageError(f"{what} holds vectors of {len(lengths)} lengths: {', '.join(map(str, sorted(lengths)[:5]))}")
    values: NDArray[np.float32] = numbers.to_numpy(zero_copy_only=False).astype(np.float32)
    return values.reshape(len(lists), lengths.pop())


def _labelled(vectors: NDArray[Any], rows: list[dict[str, str]], where: str) -> Vectors:
    columns = rows[0].keys() if rows else ()
    return Vectors(
        vectors,
        [row["id"] for row in rows] if "id" in columns else [],
        [row["person"] or None for row in rows] if "person" in columns else [],
        [row["camera"] or None for row in rows] if "camera" in columns else [],
        [seconds(row["time"], f"{where} row {place}") if row["time"] else None for place, row in enumerate(rows, 1)]
        if "time" in columns
        else [],
    )
