"""Segment files: sealed code columns, checksummed, aligned and memory-mapped.

Layout: 8 bytes magic, uint32 format version, uint32 length of the description, the description (JSON), zero padding to
64 bytes, then each column at a multiple of 64 bytes. All integers are little-endian. The description states the code
spec, the number of rows and, for each column, dtype, row width, offset and BLAKE2b-256 checksum. The database keeps a
checksum of the description, so that a file can't be exchanged for another one unseen.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import mmap
import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from swiftreid.durable import write_file
from swiftreid.gallery.columns import SEQ, Columns
from swiftreid.gallery.errors import NewerFormat, damaged
from swiftreid.gallery.rights import rights_of
from swiftreid.gallery.schema import DATABASE, SEGMENTS
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
    _checked: set[str] = field(default_factory=set, repr=False)

    def broken_columns(self, names: Collection[str] | None = None) -> list[str]:
        """Which of these columns, or of all, have bytes that do not match their checksum; reads them whole."""
        columns: dict[str, NDArray[Any]] = {"seq": self.seqs, **self.codes}
        return [
            name
            for name in (columns if names is None else names)
            if _digest(columns[name].data) != self.checksums[name]
        ]

    def check(self, gallery: Path, names: Collection[str] | None = None) -> None:
        """Check these columns, or all, against their checksums, once in the life of the mapping.

        Raises:
            GalleryDamaged: names the columns that were altered.
        """
        unchecked = [name for name in (self.checksums if names is None else names) if name not in self._checked]
        broken = self.broken_columns(unchecked) if unchecked else []
        if broken:
            raise damaged(gallery, f"segment {self.path.name} does not match its checksum ({', '.join(broken)})")
        self._checked.update(unchecked)


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

    write_file(gallery / SEGMENTS / file_name(number), write, mode=rights_of(gallery / DATABASE))
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
        with suppress(OSError):  # not every file system knows locks
            fcntl.flock(file, fcntl.LOCK_SH)  # kept by the mapping, which has its own copy of the descriptor
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
    columns: dict[str, NDArray[Any]] = {}
    checksums: dict[str, str] = {}
    try:
        stated = json.loads(description)
        if stated["spec"] != str(spec) or stated["rows"] != row.rows:
            raise damaged(gallery, f"segment {row.name} holds {stated['rows']} rows of {stated['spec']}")
        start = _aligned(_HEAD.size + length)
        for name, column in stated["columns"].items():
            dtype = np.dtype(column["dtype"])
            count = row.rows * column["row_bytes"] // dtype.itemsize
            columns[name] = np.frombuffer(mapped, dtype, count, start + column["offset"])
            checksums[name] = str(column["blake2b"])
        codes = {name: columns[name].reshape(row.rows, width) for name, width in spec.row_bytes.items()}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:  # its checksum was made to fit
        raise damaged(gallery, f"the header of segment {row.name} makes no sense ({error!r})") from error
    return SegmentFile(path, columns["seq"], codes, CodeTable(codes), checksums)


class RemovedFiles:
    """Segment files without a name, which the disk keeps as long as a process maps them."""

    def __init__(self) -> None:
        self._open: dict[str, BinaryIO] = {}

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is passed over."""
        with suppress(FileNotFoundError):
            self._open[path.name] = path.open("rb")
            path.unlink()

    def mapped(self) -> list[str]:
        """Names of those that a process, this one included, still maps."""
        for name, file in list(self._open.items()):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            except OSError:  # locks are unknown to this file system, and so is who maps the file
                pass
            self._open.pop(name).close()
        return list(self._open)

    def close(self) -> None:
        """Let go of those that are left."""
        while self._open:
            self._open.popitem()[1].close()


def unregistered_files(gallery: Path, registered: set[str]) -> Iterator[Path]:
    """Files in the folder of segments that no row of the database names: left by a process that was killed."""
    for path in sorted((gallery / SEGMENTS).iterdir()):
        if path.name not in registered:
            yield path
