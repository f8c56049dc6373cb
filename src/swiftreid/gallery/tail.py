"""The unsealed tail: recent codes in the catalogue, in chunks of rows, until a segment's worth is sealed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from swiftreid.gallery import chunks as limits
from swiftreid.gallery.catalogue import CatalogueView
from swiftreid.gallery.chunks import Chunk, decode_chunk
from swiftreid.gallery.columns import Columns, join
from swiftreid.gallery.meta import Layout
from swiftreid.search.table import CodeTable

_GROWTH = 2  # parts are joined once those behind them are half as long


@dataclass(frozen=True)
class Part:
    """Some neighbouring chunks of the tail.

    Attributes:
        chunks: which; equal chunks hold equal rows.
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

    layout: Layout
    parts: list[Part]

    @property
    def chunks(self) -> list[Chunk]:
        """Those of all parts."""
        return [chunk for part in self.parts for chunk in part.chunks]

    @property
    def columns(self) -> Columns:
        """All rows, in gallery order."""
        return join(self.layout, [part.columns for part in self.parts])

    def __len__(self) -> int:
        return sum(len(part.columns) for part in self.parts)


def read_tail(view: CatalogueView, gallery: Path, layout: Layout, known: Tail | None = None) -> Tail:
    """The tail in a view; chunks that are as in ``known`` are not read again.

    Raises:
        GalleryDamaged: a chunk does not match its checksum.
    """
    chunks = view.chunks()
    if known is not None and known.chunks == chunks:
        return known
    # Additions replace the last chunk until it is full, so it is not joined with others.
    full = len(chunks) - bool(chunks and chunks[-1].rows < limits.MERGE_ROWS)
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
        parts.append(_read(view, gallery, layout, some) if place is None else _cut(*place, len(some)))
        if not is_open:
            _join_short(layout, parts)
    return Tail(layout, parts)


def _read(view: CatalogueView, gallery: Path, layout: Layout, chunks: list[Chunk]) -> Part:
    stored = view.read_chunks(chunks[0].first, chunks[-1].first)
    return Part(chunks, join(layout, [decode_chunk(gallery, layout, one) for one in stored]))


def _cut(part: Part, at: int, count: int) -> Part:
    """The chunks at..at + count of a part, without copying."""
    chunks = part.chunks[at : at + count]
    if len(chunks) == len(part.chunks):
        return part
    first = sum(chunk.rows for chunk in part.chunks[:at])
    return Part(chunks, part.columns.take(slice(first, first + sum(chunk.rows for chunk in chunks))))


def _join_short(layout: Layout, parts: list[Part]) -> None:
    """Keep parts few, and each row copied few times: as many of both as the number of rows has binary digits."""
    while len(parts) > 1 and len(parts[-2].columns) < _GROWTH * len(parts[-1].columns):
        *_, one, other = parts
        parts[-2:] = [Part(one.chunks + other.chunks, join(layout, [one.columns, other.columns]))]
