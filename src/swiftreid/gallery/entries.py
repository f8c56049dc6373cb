"""What a gallery stores about one picture, and the checks an entry must pass before it is stored."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.digests import digest_of, entry_text
from swiftreid.gallery.errors import BadEntry, DuplicateIds, damaged

_SHA256 = re.compile("[0-9a-f]{64}")
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
        track: the track (tracklet) that it belongs to.
        frame: number of its frame in the video.
        start: when what it stands for began, in seconds since 1970 UTC, where it stands for a stretch of time.
        end: when that ended.
        arrival: when the gallery got it, which the gallery sets where it is None; no part of comparisons with ``==``.
        picture_sha256: SHA-256 of the picture's file, 64 hexadecimal digits.
    """

    id: str
    camera: str
    time: float | None = None
    person: str | None = None
    source: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    thumbnail: bytes | None = field(default=None, repr=False)
    track: str | None = None
    frame: int | None = None
    start: float | None = None
    end: float | None = None
    arrival: float | None = field(default=None, compare=False)
    picture_sha256: str | None = None


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
    """An entry with its codes.

    Attributes:
        entry: what is known of the picture.
        codes: packed codes: for each code name, uint8 [row bytes].
        embedding: float16 or float32 [size]; None where the gallery keeps none.
    """

    entry: Entry
    codes: dict[str, NDArray[np.uint8]]
    embedding: NDArray[Any] | None = None

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
            raise BadEntry(f"nothing was written: entry {index} of the batch, id {entry.id!r}: {problem}")
    twice = [id_ for id_, count in Counter(entry.id for entry in entries).items() if count > 1]
    if twice:
        raise DuplicateIds(twice)


_TEXTS = ("person", "source", "track", "picture_sha256")


def _problem(entry: Entry) -> str | None:
    labels: object = entry.labels
    if not isinstance(labels, Mapping):
        return f"labels must map text to text, got {type(labels).__name__}"
    for name, needed in (("id", entry.id), ("camera", entry.camera)):
        problem = text_problem(needed)
        if problem is None and not needed.strip():
            problem = "is empty: every entry needs one"
        if problem is not None:
            return f"{name} {problem}"
    texts: list[tuple[str, object]] = [(name, getattr(entry, name)) for name in _TEXTS]
    texts = [(name, value) for name, value in texts if value is not None]
    if labels:
        texts += [(f"the name of label {key!r}", key) for key in labels]
        texts += [(f"label {key!r}", value) for key, value in labels.items()]
    for name, value in texts:
        problem = text_problem(value)
        if problem is not None:
            return f"{name} {problem}"
    for name, time in (("time", entry.time), ("start", entry.start), ("end", entry.end), ("arrival", entry.arrival)):
        problem = None if time is None else _time_problem(name, time)
        if problem is not None:
            return problem
    return _thumbnail_problem(entry.thumbnail) or _video_problem(entry)


def text_problem(value: object) -> str | None:
    """Why something cannot be stored as text, as the rest of a sentence; None if it can."""
    if not isinstance(value, str):
        return f"must be text, got {value!r} ({type(value).__name__})"
    if "\0" in value:
        return f"{value!r} holds a zero character"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return f"{value!r} is not valid Unicode (an undecoded file name?)"
    return None


def _time_problem(name: str, time: object) -> str | None:
    if isinstance(time, bool) or not isinstance(time, int | float | np.integer | np.floating):
        return (
            f"{name} must be seconds since 1970 UTC or None, got {time!r} ({type(time).__name__}): "
            "datetime.fromisoformat(text).timestamp() makes them of text"
        )
    if not math.isfinite(float(time)):
        return f"{name} is {float(time)}: use None when it is unknown"
    if not _EARLIEST <= float(time) < _LATEST:
        return f"{name} is {float(time)} seconds since 1970 UTC, outside the years 1 to 9999: is it in other units?"
    return None


def _video_problem(entry: Entry) -> str | None:
    frame: object = entry.frame
    if frame is not None and (isinstance(frame, bool) or not isinstance(frame, int | np.integer)):
        return f"frame must be a whole number or None, got {frame!r} ({type(frame).__name__})"
    if isinstance(frame, int | np.integer) and not 0 <= int(frame) < 1 << 63:
        return f"frame is {frame}: frames are numbered from 0 on"
    if entry.start is not None and entry.end is not None and entry.end < entry.start:
        return f"end is {entry.end}, before its start {entry.start}"
    if entry.picture_sha256 is not None and not _SHA256.fullmatch(entry.picture_sha256):
        return f"picture_sha256 must be 64 hexadecimal digits in lower case, got {entry.picture_sha256!r}"
    return None


def _thumbnail_problem(thumbnail: object) -> str | None:
    if thumbnail is None or isinstance(thumbnail, bytes):
        return None
    return f"thumbnail must be bytes or None, got {type(thumbnail).__name__}"


_labels_text = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
ROW = (
    "seq", "id", "camera", "time", "person", "source", "labels", "track", "frame", "start", "end", "arrival",
    "picture_sha256", "thumbnail_digest", "digest",
)  # fmt: skip
"""The values of an entry as a catalogue stores and returns it, in this order; the camera by name."""


def to_row(seq: int, entry: Entry, arrival: float) -> tuple[Any, ...]:
    """The values of `ROW` for an entry that passed `check_entries`; ``arrival`` is for those that have none."""
    picture = None if entry.thumbnail is None else digest_of(entry.thumbnail)
    return _with_digest(seq, entry, arrival if entry.arrival is None else entry.arrival, picture)


def changed_row(seq: int, entry: Entry, thumbnail_digest: bytes | None) -> tuple[Any, ...]:
    """The values of `ROW` for an entry that keeps its thumbnail."""
    return _with_digest(seq, entry, entry.arrival, thumbnail_digest)


def _with_digest(seq: int, entry: Entry, arrival: float | None, picture: bytes | None) -> tuple[Any, ...]:
    labels = _labels_text(dict(entry.labels)) if entry.labels else None
    times = [
        None if time is None else float(time) + 0.0  # SQLite has no -0.0
        for time in (entry.time, entry.start, entry.end, arrival)
    ]
    frame = None if entry.frame is None else int(entry.frame)
    content = (
        seq, str(entry.id), str(entry.camera), times[0], entry.person, entry.source, labels, entry.track, frame,
        *times[1:], entry.picture_sha256,
    )  # fmt: skip
    return (*content, picture, digest_of(entry_text(content, picture)))


def from_row(gallery: Path, row: Sequence[Any], thumbnail: bytes | None = None) -> Entry:
    """The entry of the values of `ROW`, without its thumbnail unless that is given.

    Raises:
        GalleryDamaged: the row does not match its checksum.
    """
    *content, thumbnail_digest, digest = row
    if digest_of(entry_text(content, thumbnail_digest)) != digest:
        raise damaged(gallery, f"entry {row[1]!r} does not match its checksum")
    _, id_, camera, time, person, source, labels, *more = content
    return Entry(id_, camera, time, person, source, json.loads(labels) if labels else {}, thumbnail, *more)


def check_thumbnail(gallery: Path, id_: str, picture: bytes | None, digest: bytes | None) -> bytes | None:
    """The thumbnail itself, once it matches the checksum that its entry states.

    Raises:
        GalleryDamaged: it is altered, missing, or there without being stated.
    """
    if digest != (None if picture is None else digest_of(picture)):
        raise damaged(gallery, f"the thumbnail of entry {id_!r} does not match its checksum")
    return picture
