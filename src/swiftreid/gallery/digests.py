"""Checksums: of what the catalogue holds (entries, thumbnails, unsealed codes, filter columns) and of files.

Segment files carry their own (see `swiftreid.gallery.segments`). Each digest is written in the transaction that writes
its content. They find bytes that a disk or a hand altered; they do not prove who wrote them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

DIGEST_BYTES = 16
_FORMAT_1_FIELDS = 7
_encode = json.JSONEncoder(check_circular=False).encode


def digest_of(*parts: bytes) -> bytes:
    """BLAKE2b-128 of a byte string, or of several with their lengths before them."""
    if len(parts) == 1:
        return hashlib.blake2b(parts[0], digest_size=DIGEST_BYTES).digest()
    hasher = hashlib.blake2b(json.dumps([len(part) for part in parts]).encode(), digest_size=DIGEST_BYTES)
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def entry_text(content: Sequence[object], thumbnail: bytes | None) -> bytes:
    """One entry in the form its digest is taken of: a JSON list in ASCII.

    Fields that format 1 did not have are left out where none is known, so that its entries keep their digests.

    Args:
        content: sequence number (so that two entries can't be exchanged), id, the camera's name, time in seconds as the
            catalogue returns it, person, source, and labels as they are stored; then the fields of format 2.
        thumbnail: the digest of its thumbnail, so that a thumbnail can't be lost or exchanged.
    """
    more = content[_FORMAT_1_FIELDS:]
    known = () if more.count(None) == len(more) else more
    return _encode([*content[:_FORMAT_1_FIELDS], None if thumbnail is None else thumbnail.hex(), *known]).encode()


def filter_digest(segment: int, cameras: bytes, times: bytes) -> bytes:
    """Digest of the filter columns of a segment."""
    return digest_of(str(segment).encode(), cameras, times)


def file_digest(path: Path) -> str:
    """BLAKE2b-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
