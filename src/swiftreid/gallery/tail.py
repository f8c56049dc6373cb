"""The unsealed tail: recent codes in the database, in chunks of rows, until a segment's worth is sealed into a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import apsw

from swiftreid.gallery.columns import Columns, from_blobs, join
from swiftreid.gallery.digests import digest_of, filter_digest
from swiftreid.gallery.errors import GalleryDamaged, damaged
from swiftreid.gallery.schema import fetch, get_state, set_state, transaction
from swiftreid.gallery.segments import SegmentRow, write_segment
from swiftreid.search.codes import CodeSpec
from swiftreid.search.table import CodeTable

MERGE_ROWS = 256  # chunks are filled up to this, so that single additions do not leave 65,536 of them
CHUNK_ROWS = 4096  # never larger, so that deleting one entry rewrites little
_GROWTH = 2  # parts are joined once those behind them are half as long
_CHUNK = "first, last, rows, seqs, cameras, times, codes, digest"

Chunk = tuple[int, int, int]


@dataclass(frozen=True)
class Part:
    """Some neighbouring chunks of the tail.

    Attributes:
        chunks: first and last sequence number and number of rows of each chunk. These determine what is in it: rows
            are only ever added at its end or deleted, and sequence numbers are never used again.
        columns: their rows, in gallery order.
    """

    chunks: list[Chunk]
    columns: Columns

    @cached_property
    def table(self) -> CodeTable:
        """The codes to search in; what searches derive from them is kept with it."""
        return CodeTable(self.columns.codes)


@dataclass(frozen=True)
class Tail:
    """The tail as it was read once, in parts: a look after an addition copies only the latest rows, not all."""

    spec: CodeSpec
    parts: list[Part]

    @property
    def chunks(self) -> list[Chunk]:
        """Those of all parts."""
        return [chunk for part in self.parts for chunk in part.chunks]

    @property
    def columns(self) -> Columns:
        """All rows, in gallery order."""
        return join(self.spec, [part.columns for part in self.parts])

    def __len__(self) -> int:
        return sum(len(part.columns) for part in self.parts)


def read_tail(db: apsw.Connection, gallery: Path, spec: CodeSpec, known: Tail | None = None) -> Tail:
    """The tail now; chunks that are as in ``known`` are not read again."""
    chunks = [
        (first, last, rows) for first, last, rows in fetch(db, "SELECT first, last, rows FROM chunk ORDER BY first")
    ]
    if known is not None and known.chunks == chunks:
        return known
    # Additions replace the last chunk until it is full, so it is not joined with others.
    full = len(chunks) - bool(chunks and chunks[-1][2] < MERGE_ROWS)
    places = {chunk: (part, at) for part in known.parts for at, chunk in enumerate(part.chunks)} if known else {}

    def run(numbered: tuple[int, Chunk]) -> tuple[bool, int, int]:
        """The same for neighbours that are known as neighbours, or unknown; the last one is by itself."""
        number, chunk = numbered
        part, at = places.get(chunk, (None, number))
        return number == full, id(part), at - number

    parts: list[Part] = []
    for (is_open, *_), group in groupby(enumerate(chunks), run):
        some = [chunk for _, chunk in group]
        place = places.get(some[0])
        parts.append(_read(db, gallery, spec, some) if place is None else _cut(*place, len(some)))
        if not is_open:
            _join_short(spec, parts)
    return Tail(spec, parts)


def _read(db: apsw.Connection, gallery: Path, spec: CodeSpec, chunks: list[Chunk]) -> Part:
    query = f"SELECT {_CHUNK} FROM chunk WHERE first BETWEEN ? AND ? ORDER BY first"
    rows = db.execute(query, (chunks[0][0], chunks[-1][0]))
    return Part(chunks, join(spec, [_decode(gallery, spec, row) for row in rows]))


def _cut(part: Part, at: int, count: int) -> Part:
    """The chunks at..at + count of a part, without copying."""
    chunks = part.chunks[at : at + count]
    if len(chunks) == len(part.chunks):
        return part
    first = sum(rows for _, _, rows in part.chunks[:at])
    return Part(chunks, part.columns.take(slice(first, first + sum(rows for _, _, rows in chunks))))


def _join_short(spec: CodeSpec, parts: list[Part]) -> None:
    """Keep parts few, and each row copied few times: as many of both as the number of rows has binary digits."""
    while len(parts) > 1 and len(parts[-2].columns) < _GROWTH * len(parts[-1].columns):
        *_, one, other = parts
        parts[-2:] = [Part(one.chunks + other.chunks, join(spec, [one.columns, other.columns]))]


def chunk_of(db: apsw.Connection, gallery: Path, spec: CodeSpec, seq: int) -> Columns | None:
    """The chunk that holds a sequence number, if the tail does."""
    query = f"SELECT {_CHUNK} FROM chunk WHERE first <= ? ORDER BY first DESC LIMIT 1"
    row = db.execute(query, (seq,)).fetchone()
    return None if row is None else _decode(gallery, spec, row)


def each_chunk(db: apsw.Connection, gallery: Path, spec: CodeSpec) -> Iterator[Columns | GalleryDamaged]:
    """Every chunk in gallery order, or what is wrong with it."""
    for row in db.execute(f"SELECT {_CHUNK} FROM chunk ORDER BY first"):
        try:
            yield _decode(gallery, spec, row)
        except GalleryDamaged as error:
            yield error


def _decode(gallery: Path, spec: CodeSpec, row: tuple[Any, ...]) -> Columns:
    first, last, rows, *blobs, digest = row
    where = f"the codes of the unsealed entries from number {first} on"
    try:
        columns = from_blobs(spec, rows, blobs)
    except ValueError as error:
        raise damaged(gallery, f"{where} are incomplete ({error})") from error
    if _chunk_digest(first, last, blobs) != digest:
        raise damaged(gallery, f"{where} do not match their checksum")
    return columns


def _chunk_digest(first: int, last: int, blobs: Sequence[bytes]) -> bytes:
    return digest_of(f"{first} {last}".encode(), *blobs)


def put_chunk(db: apsw.Connection, columns: Columns) -> None:
    """Store rows as one chunk; call inside a transaction."""
    first, last = int(columns.seqs[0]), int(columns.seqs[-1])
    blobs = columns.to_blobs()
    row = (first, last, len(columns), *blobs, _chunk_digest(first, last, blobs))
    db.execute("INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def drop_chunk(db: apsw.Connection, columns: Columns) -> None:
    """Remove the chunk that ``columns`` were read from; call inside a transaction."""
    db.execute("DELETE FROM chunk WHERE first = ?", (int(columns.seqs[0]),))


def append_rows(db: apsw.Connection, gallery: Path, spec: CodeSpec, columns: Columns) -> None:
    """Put new rows at the end of the tail; call inside a transaction."""
    set_state(db, "tail_rows", get_state(db, "tail_rows") + len(columns))
    following = int(columns.seqs[0])
    rows = db.execute("SELECT rows FROM chunk ORDER BY first DESC LIMIT 1").get
    last = chunk_of(db, gallery, spec, following) if rows and rows + len(columns) <= MERGE_ROWS else None
    if last is not None:
        drop_chunk(db, last)
        columns = join(spec, [last, columns])
    for start in range(0, len(columns), CHUNK_ROWS):
        put_chunk(db, columns.take(slice(start, start + CHUNK_ROWS)))


def register_segment(db: apsw.Connection, row: SegmentRow, columns: Columns) -> None:
    """Make a written segment file part of the gallery; call inside a transaction."""
    described = (row.number, row.first, row.last, row.rows, row.deleted, row.bytes, row.digest)
    db.execute("INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?)", described)
    _, cameras, times, _ = columns.to_blobs()
    values = (row.number, filter_digest(row.number, cameras, times), cameras, times)
    db.execute("INSERT INTO segment_filter VALUES (?, ?, ?, ?)", values)
    set_state(db, "next_segment", row.number + 1)


def seal(db: apsw.Connection, gallery: Path, spec: CodeSpec, size: int) -> int:
    """Seal the oldest rows of the tail while it has a segment's worth of them; return the number of segments made.

    A process killed before the transaction leaves a file that nothing registers; the rows are still in the tail.
    """
    made = 0
    while get_state(db, "tail_rows") >= size:
        tail = read_tail(db, gallery, spec).columns
        sealed = tail.take(slice(0, size))
        row = write_segment(gallery, get_state(db, "next_segment"), spec, sealed)
        with transaction(db):
            register_segment(db, row, sealed)
            _cut_tail(db, gallery, spec, row.last)
            set_state(db, "tail_rows", len(tail) - size)
        made += 1
    return made


def _cut_tail(db: apsw.Connection, gallery: Path, spec: CodeSpec, last: int) -> None:
    db.execute("DELETE FROM chunk WHERE last <= ?", (last,))
    split = chunk_of(db, gallery, spec, last)
    if split is not None:
        drop_chunk(db, split)
        put_chunk(db, split.take(split.seqs > last))
