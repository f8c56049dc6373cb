"""What a gallery stores about one picture, and the checks an entry must pass before it is stored."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.digests import digest_of, entry_text
from swiftreid.gallery.errors import BadEntry, DuplicateIds, damaged

# Seconds since 1970 UTC of the years that a calendar can show: 1 to 9999.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_800


@dataclass(frozen=True)
class Entry:
    """One picture of one person, as the gallery knows it.

    Attributes:
        id: the caller's name for it, unique in the gallery.
        camera: name of the camera that saw it; never empty.
        time: when it was seen, in seconds since 1970 UTC; None when unknown.
        person: identity, where it is known.
        source: where the picture came from (a path, a video and frame).
        labels: further facts as text.
        thumbnail: a small JPEG; None when there is none, or when it was not asked for.
    """

    id: str
    camera: str
    time: float | None = None
    person: str | None = None
    source: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    thumbnail: bytes | None = field(default=None, repr=False)


def valid_text(name: str) -> str:
    r"""A file's name as text that can be stored.

    Bytes that are not UTF-8 are written ``\xff``, and a backslash in such a name ``\\``, so that the name can be had
    back. Names that are valid text stay as they are.

    Example:
        >>> print(valid_text("caf\udce9.jpg"))
        caf\xe9.jpg
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return "".join(map(_escaped, name))
    return name


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python reads a byte of a file's name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return f"\\u{code:04x}"
    return "\\\\" if character == "\\" else character


@dataclass(frozen=True)
class StoredEntry:
    """An entry with its packed codes: for each code name, uint8 [row bytes]."""

    entry: Entry
    codes: dict[str, NDArray[np.uint8]]

    @property
    def thumbnail(self) -> bytes | None:
        """The small JPEG of the entry, if one was stored."""
        return self.entry.thumbnail


def check_entries(entries: Sequence[Entry]) -> None:
    """Check every entry and that no id comes twice.

    Raises:
        BadEntry: a field is missing or has a value that can't be stored; the entry and field are named.
        DuplicateIds: an id comes twice.
    """
    given: Sequence[object] = entries  # whatever the annotation says
    for index, entry in enumerate(given):
        if not isinstance(entry, Entry):
            raise BadEntry(
                f"entry {index} of the batch is a {type(entry).__name__}: pass swiftreid.gallery Entry objects"
            )
        problem = _problem(entry)
        if problem is not None:
            raise BadEntry(f"entry {index} of the batch, id {entry.id!r}: {problem}. Nothing of this batch was written")
    twice = [id_ for id_, count in Counter(entry.id for entry in entries).items() if count > 1]
    if twice:
        raise DuplicateIds(twice)


def _problem(entry: Entry) -> str | None:
    labels: object = entry.labels
    if not isinstance(labels, Mapping):
        return f"labels must map text to text, got {type(labels).__name__}"
    texts: list[tuple[str, object, bool]] = [
        ("id", entry.id, True),
        ("camera", entry.camera, True),
        ("person", entry.person, False),
        ("source", entry.source, False),
    ]
    texts += [(f"the name of label {key!r}", key, True) for key in labels]
    texts += [(f"label {key!r}", value, True) for key, value in labels.items()]
    for name, value, needed in texts:
        if value is None and not needed:
            continue
        problem = _text_problem(value)
        if problem is None and name in {"id", "camera"} and not str(value).strip():
            problem = "is empty: every entry needs one"
        if problem is not None:
            return f"{name} {problem}"
    return _time_problem(entry.time) or _thumbnail_problem(entry.thumbnail)


def _text_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be text, got {value!r} ({type(value).__name__})"
    if "\0" in value:
        return f"{value!r} holds a zero character"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return f"{value!r} is not valid Unicode (an undecoded file name?)"
    return None


def _time_problem(time: object) -> str | None:
    if time is None:
        return None
    if isinstance(time, bool) or not isinstance(time, int | float | np.integer | np.floating):
        return f"time must be seconds since 1970 UTC or None, got {time!r} ({type(time).__name__})"
    if not math.isfinite(float(time)):
        return f"time is {float(time)}: use None when it is unknown"
    if not _EARLIEST <= float(time) < _LATEST:
        return f"time is {float(time)} seconds since 1970 UTC, outside the years 1 to 9999: is it in other units?"
    return None


def _thumbnail_problem(thumbnail: object) -> str | None:
    if thumbnail is None or isinstance(thumbnail, bytes):
        return None
    return f"thumbnail must be bytes or None, got {type(thumbnail).__name__}"


_labels_text = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
ENTRY_COLUMNS = (
    "entry.seq, entry.id, camera.name, entry.time, entry.person, entry.source, entry.labels, "
    "entry.thumbnail_digest, entry.digest"
)
"""The columns that `from_row` reads, in a query that joins entry and camera."""


def to_row(seq: int, camera: int, entry: Entry) -> tuple[Any, ...]:
    """The row of table ``entry`` for an entry that passed `check_entries`."""
    labels = _labels_text(dict(entry.labels)) if entry.labels else None
    time = None if entry.time is None else float(entry.time) + 0.0  # SQLite has no -0.0
    picture = None if entry.thumbnail is None else digest_of(entry.thumbnail)
    text = entry_text((seq, entry.id, entry.camera, time, entry.person, entry.source, labels), picture)
    return (seq, str(entry.id), camera, time, entry.person, entry.source, labels, picture, digest_of(text))


def from_row(gallery: Path, row: Sequence[Any], thumbnail: bytes | None = None) -> Entry:
    """The entry of one row of `ENTRY_COLUMNS`, without its thumbnail unless that is given.

    Raises:
        GalleryDamaged: the row does not match its checksum.
    """
    *content, thumbnail_digest, digest = row
    if digest_of(entry_text(content, thumbnail_digest)) != digest:
        raise damaged(gallery, f"entry {row[1]!r} does not match its checksum")
    _, id_, camera, time, person, source, labels = content
    return Entry(id_, camera, time, person, source, json.loads(labels) if labels else {}, thumbnail)


def check_thumbnail(gallery: Path, id_: str, picture: bytes | None, digest: bytes | None) -> bytes | None:
    """The thumbnail itself, once it matches the checksum that its entry states.

    Raises:
        GalleryDamaged: it is altered, missing, or there without being stated.
    """
    if digest != (None if picture is None else digest_of(picture)):
        raise damaged(gallery, f"the thumbnail of entry {id_!r} does not match its checksum")
    return picture
