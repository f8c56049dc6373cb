"""Segment files: sealed code columns, checksummed, aligned and memory-mapped.

Layout: 8 bytes magic, uint32 format version, uint32 length of the description, the description (JSON), zero padding to
64 bytes, then each column at a multiple of 64 bytes. All integers are little-endian. The description states the code
spec, the number of rows and, for each column, dtype, row width, offset and BLAKE2b-256 checksum. The database keeps a
checksum of the description, so that a file can't be exchanged for another one unseen.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from swiftreid.durable import write_file
from swiftreid.gallery.columns import SEQ, Columns
from swiftreid.gallery.errors import NewerFormat, damaged
from swiftreid.gallery.schema import SEGMENTS
from swiftreid.search.codes import CodeSpec
from swiftreid.search.table import CodeTable

MAGIC = b"SWIFTSEG"
VERSION = 1
ALIGN = 64
_HEAD = struct.Struct("<8sII")


@dataclass(frozen=True)
class SegmentRow:
    """What the database says of one segment file; `first` and `last` are sequence numbers."""

    number: int
    first: int
    last: int
    rows: int
    deleted: int
    bytes: int
    digest: str

    @property
    def name(self) -> str:
        """The file's name in the folder of segments."""
        return file_name(self.number)


@dataclass(frozen=True)
class SegmentFile:
    """One mapped segment.

    Attributes:
        path: the file.
        seqs: int64 [rows], sequence numbers, ascending.
        codes: for each code name, uint8 [rows, row bytes]; read-only, backed by the file.
        table: the same codes to search in; what searches derive from them is kept with it.
        checksums: for each column, ("seq" and the code names), what its bytes must hash to.
    """

    path: Path
    seqs: NDArray[np.int64]
    codes: dict[str, NDArray[np.uint8]]
    table: CodeTable
    checksums: dict[str, str]

    def broken_columns(self) -> list[str]:
        """Names of columns whose bytes do not match their checksum."""
        columns: dict[str, NDArray[Any]] = {"seq": self.seqs, **self.codes}
        return [name for name, column in columns.items() if _digest(column.data) != self.checksums[name]]


def file_name(number: int) -> str:
    """``000012.seg`` for segment 12."""
    return f"{number:06d}.seg"


def _digest(data: memoryview | bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _aligned(offset: int) -> int:
    return -(-offset // ALIGN) * ALIGN


def write_segment(gallery: Path, number: int, spec: CodeSpec, columns: Columns) -> SegmentRow:
    """Write one segment file, whole and durable, and return the row to register it with."""
    data: dict[str, NDArray[Any]] = {"seq": np.ascontiguousarray(columns.seqs, SEQ)}
    data |= {name: np.ascontiguousarray(columns.codes[name]) for name in spec}
    described = {
        name: {"dtype": column.dtype.str, "row_bytes": column.nbytes // len(column), "blake2b": _digest(column.data)}
        for name, column in data.items()
    }
    # Offsets count from the end of the description, so that they do not depend on its length.
    offset = 0
    for name, column in data.items():
        described[name]["offset"] = offset
        offset = _aligned(offset + column.nbytes)
    description = json.dumps({"spec": str(spec), "rows": len(columns), "columns": described}).encode()
    start = _aligned(_HEAD.size + len(description))

    def write(file: BinaryIO) -> None:
        file.write((_HEAD.pack(MAGIC, VERSION, len(description)) + description).ljust(start, b"\0"))
        for column in data.values():
            file.write(column.data.cast("B"))
            file.write(bytes(_aligned(column.nbytes) - column.nbytes))

    write_file(gallery / SEGMENTS / file_name(number), write)
    first, last = int(columns.seqs[0]), int(columns.seqs[-1])
    return SegmentRow(number, first, last, len(columns), 0, start + offset, _digest(description))


def map_segment(gallery: Path, spec: CodeSpec, row: SegmentRow) -> SegmentFile:
    """Map a registered segment; checks everything except the columns' checksums (`SegmentFile.broken_columns`).

    Raises:
        FileNotFoundError: there is no such file (any more: another process may just have compacted it away).
        NewerFormat, GalleryDamaged: the file is not as it was registered.
    """
    path = gallery / SEGMENTS / row.name
    with path.open("rb") as file:
        size = path.stat().st_size
        if size != row.bytes:
            raise damaged(gallery, f"segment {row.name} has {size} bytes instead of {row.bytes}")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    magic, version, length = _HEAD.unpack_from(mapped)
    if magic != MAGIC:
        raise damaged(gallery, f"{row.name} is not a segment file")
    if version > VERSION:
        raise NewerFormat(
            f"segment {row.name} of gallery {gallery} has format {version}, and this SwiftReID reads formats up to "
            f"{VERSION}: upgrade SwiftReID to open it"
        )
    description = mapped[_HEAD.size : _HEAD.size + length]
    if version != VERSION or _digest(description) != row.digest:
        raise damaged(gallery, f"the header of segment {row.name} was altered, or the file exchanged")
    stated = json.loads(description)
    if stated["spec"] != str(spec) or stated["rows"] != row.rows:
        raise damaged(gallery, f"segment {row.name} holds {stated['rows']} rows of {stated['spec']}")
    start, columns, checksums = _aligned(_HEAD.size + length), {}, {}
    for name, column in stated["columns"].items():
        dtype = np.dtype(column["dtype"])
        count = row.rows * column["row_bytes"] // dtype.itemsize
        columns[name] = np.frombuffer(mapped, dtype, count, start + column["offset"])
        checksums[name] = column["blake2b"]
    codes = {name: columns[name].reshape(row.rows, width) for name, width in spec.row_bytes.items()}
    return SegmentFile(path, columns["seq"], codes, CodeTable(codes), checksums)


def unregistered_files(gallery: Path, registered: set[str]) -> Iterator[Path]:
    """Files in the folder of segments that no row of the database names: left by a process that was killed."""
    for path in sorted((gallery / SEGMENTS).iterdir()):
        if path.name not in registered:
            yield path
