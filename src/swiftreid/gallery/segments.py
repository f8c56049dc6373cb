"""Segments: sealed code columns, checksummed and aligned, to be memory-mapped.

Layout: 8 bytes magic, uint32 format version, uint32 length of the description, the description (JSON), zero padding to
64 bytes, then each column at a multiple of 64 bytes. All integers are little-endian. The description states the code
spec, the number of rows and, for each column, dtype, row width, offset and BLAKE2b-256 checksum; since version 2 also
the encoder and the version of the camera statistics that made the codes. The catalogue keeps a checksum of the
description, so that a file can't be exchanged for another one unseen; since version 2 the name begins with it.
"""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.catalogue import NewSegment
from swiftreid.gallery.columns import SEQ, Columns
from swiftreid.gallery.errors import NewerFormat, damaged
from swiftreid.gallery.meta import Layout
from swiftreid.gallery.segment_store import SegmentStore
from swiftreid.search.table import CodeTable

MAGIC = b"SWIFTSEG"
VERSION = 2
ALIGN = 64
_HEAD = struct.Struct("<8sII")
_NAME_DIGITS = 40


class SegmentFile:
    """One mapped segment.

    Attributes:
        name: its name in the segment store.
        state: the state in which it was mapped.
        seqs: int64 [rows], sequence numbers, ascending.
        codes: for each column, [rows, values]; read-only, backed by the file.
        table: the same columns to search in, once they were checked; what searches derive from them is kept with it.
        checksums: for each column, ("seq" and those of the codes), what its bytes must hash to.
    """

    def __init__(self, name: str, state: str, columns: dict[str, NDArray[Any]], checksums: dict[str, str]) -> None:
        self.name = name
        self.state = state
        self.seqs: NDArray[np.int64] = columns["seq"]
        self.codes = {column: values for column, values in columns.items() if column != "seq"}
        self.checksums = checksums
        self._columns = columns
        self._checked: set[str] = set()
        self._lock = threading.Lock()
        self._table: CodeTable | None = None

    @property
    def table(self) -> CodeTable:
        """The codes to search in."""
        with self._lock:  # one table, so that what searches derive is made once
            if self._table is None:
                self._table = CodeTable(self.codes)
            return self._table

    @property
    def checked(self) -> bool:
        """Whether all columns are known to match their checksums."""
        return len(self._checked) == len(self.checksums)

    def trust(self) -> None:
        """Take all columns for checked."""
        self._checked.update(self.checksums)

    def broken_columns(self, names: Collection[str] | None = None) -> list[str]:
        """Which of these columns, or of all, have bytes that do not match their checksum; reads them whole."""
        names = self.checksums if names is None else names
        return [name for name in names if _digest(self._columns[name].data) != self.checksums[name]]

    def check(self, gallery: Path, names: Collection[str] | None = None) -> None:
        """Check these columns, or all, against their checksums, once in the life of the mapping.

        Raises:
            GalleryDamaged: names the columns that were altered.
        """
        with self._lock:
            unchecked = [name for name in (self.checksums if names is None else names) if name not in self._checked]
            broken = self.broken_columns(unchecked)
            self._checked.update(set(unchecked) - set(broken))
        if broken:
            raise damaged(gallery, f"segment {self.name} does not match its checksum ({', '.join(broken)})")


def _digest(data: memoryview | bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _aligned(offset: int) -> int:
    return -(-offset // ALIGN) * ALIGN


def write_segment(
    store: SegmentStore, layout: Layout, columns: Columns, *, encoder: str, statistics: int
) -> NewSegment:
    """Write one segment, whole and durable, and return what to register it with."""
    data: dict[str, NDArray[Any]] = {"seq": np.ascontiguousarray(columns.seqs, SEQ)}
    data |= {name: np.ascontiguousarray(columns.codes[name]) for name in layout.columns}
    described: dict[str, dict[str, Any]] = {
        name: {"dtype": column.dtype.str, "row_bytes": column.nbytes // len(column), "blake2b": _digest(column.data)}
        for name, column in data.items()
    }
    # Offsets count from the end of the description, so that they do not depend on its length.
    offset = 0
    for name, column in data.items():
        described[name]["offset"] = offset
        offset = _aligned(offset + column.nbytes)
    stated = {"spec": str(layout.spec), "rows": len(columns), "encoder": encoder, "statistics": statistics}
    description = json.dumps(stated | {"columns": described}).encode()
    start = _aligned(_HEAD.size + len(description))

    def write(file: BinaryIO) -> None:
        file.write((_HEAD.pack(MAGIC, VERSION, len(description)) + description).ljust(start, b"\0"))
        for column in data.values():
            file.write(column.data.cast("B"))
            file.write(bytes(_aligned(column.nbytes) - column.nbytes))

    digest = _digest(description)
    name = f"{digest[:_NAME_DIGITS]}.seg"
    return NewSegment(
        name=name,
        first=int(columns.seqs[0]),
        last=int(columns.seqs[-1]),
        rows=len(columns),
        bytes=start + offset,
        digest=digest,
        encoder=encoder,
        statistics=statistics,
        checked=store.put(name, write),
    )


def map_segment(store: SegmentStore, gallery: Path, layout: Layout, row: NewSegment) -> SegmentFile:
    """Map a registered segment; checks everything except the columns' checksums (`SegmentFile.check`).

    Columns of a file that is still in the state in which they were checked are taken for checked.

    Raises:
        FileNotFoundError: there is no such file (any more: another process may just have compacted it away).
        NewerFormat, GalleryDamaged: the file is not as it was registered.
    """
    stored = store.map(row.name)
    data = stored.data
    if len(data) != row.bytes:
        raise damaged(gallery, f"segment {row.name} has {len(data)} bytes instead of {row.bytes}")
    magic, version, length = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise damaged(gallery, f"{row.name} is not a segment file")
    if version > VERSION:
        raise NewerFormat(
            f"segment {row.name} of gallery {gallery} has format {version}, and this SwiftReID reads formats up to "
            f"{VERSION}: upgrade SwiftReID to open it"
        )
    description = bytes(data[_HEAD.size : _HEAD.size + length])
    if version < 1 or _digest(description) != row.digest:
        raise damaged(gallery, f"the header of segment {row.name} was altered, or the file exchanged")
    try:
        stated = json.loads(description)
        if stated["spec"] != str(layout.spec) or stated["rows"] != row.rows:
            raise damaged(gallery, f"segment {row.name} holds {stated['rows']} rows of {stated['spec']}")
        columns, checksums = _columns(layout, row.rows, stated["columns"], data[_aligned(_HEAD.size + length) :])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:  # its checksum was made to fit
        raise damaged(gallery, f"the header of segment {row.name} makes no sense ({error!r})") from error
    file = SegmentFile(row.name, stored.state, columns, checksums)
    if row.checked == stored.state:
        file.trust()
    return file


def _columns(
    layout: Layout, rows: int, described: dict[str, Any], data: memoryview
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The columns that a layout asks for, and their checksums, in a segment's data."""
    columns: dict[str, NDArray[Any]] = {}
    for name, (dtype, values) in {"seq": (SEQ, 1), **layout.columns}.items():
        stated = described[name]
        if np.dtype(stated["dtype"]) != dtype or stated["row_bytes"] != values * dtype.itemsize:
            raise ValueError(f"column {name} is {stated['dtype']} of {stated['row_bytes']} bytes a row")
        columns[name] = np.frombuffer(data, dtype, rows * values, int(stated["offset"])).reshape(rows, values)
    columns["seq"] = columns["seq"].reshape(rows)
    return columns, {name: str(described[name]["blake2b"]) for name in columns}
