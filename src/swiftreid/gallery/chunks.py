"""Chunks of the tail: how unsealed rows are stored in a catalogue, with a checksum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from swiftreid.gallery.columns import Columns, from_blobs
from swiftreid.gallery.digests import digest_of
from swiftreid.gallery.errors import damaged
from swiftreid.gallery.meta import Layout

MERGE_ROWS = 256  # chunks are filled up to this, so that single additions do not leave 65,536 of them
CHUNK_ROWS = 4096  # never larger, so that deleting one entry rewrites little


class Chunk(NamedTuple):
    """Some unsealed rows; equal chunks hold equal rows.

    Attributes:
        first: sequence number of the first row there was; never used again.
        last: that of the last one.
        rows: how many are left.
        version: token of the write that changed it last.
        statistics: version of the camera statistics that its codes were made with.
    """

    first: int
    last: int
    rows: int
    version: int
    statistics: int


class StoredChunk(NamedTuple):
    """A chunk as a catalogue stores it: its rows by `Columns.to_blobs`, and their checksum."""

    chunk: Chunk
    blobs: tuple[bytes, bytes, bytes, bytes]
    digest: bytes


def encode_chunk(columns: Columns, version: int, statistics: int) -> StoredChunk:
    """The stored form of some rows."""
    blobs = columns.to_blobs()
    chunk = Chunk(int(columns.seqs[0]), int(columns.seqs[-1]), len(columns), version, statistics)
    return StoredChunk(chunk, blobs, _digest(chunk, blobs))


def decode_chunk(gallery: Path, layout: Layout, stored: StoredChunk) -> Columns:
    """The inverse of `encode_chunk`.

    Raises:
        GalleryDamaged: the rows do not match their checksum.
    """
    chunk, blobs, digest = stored
    where = f"the codes of the unsealed entries from number {chunk.first} on"
    try:
        columns = from_blobs(layout, chunk.rows, blobs)
    except ValueError as error:
        raise damaged(gallery, f"{where} are incomplete ({error})") from error
    if _digest(chunk, blobs) != digest:
        raise damaged(gallery, f"{where} do not match their checksum")
    return columns


def _digest(chunk: Chunk, blobs: Sequence[bytes]) -> bytes:
    return digest_of(f"{chunk.first} {chunk.last}".encode(), *blobs)
