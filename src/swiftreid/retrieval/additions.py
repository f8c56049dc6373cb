"""What a call of `add` gives: pictures, vectors or codes, and entries from columns, names of files and `Vectors`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.samples import NamedSample
from swiftreid.data.times import Moment, seconds
from swiftreid.durable import path_of
from swiftreid.encoding.crops import Colour
from swiftreid.encoding.vectors import Vectors
from swiftreid.errors import UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.retrieval.encoded import Codes
from swiftreid.retrieval.query import Picture, check_type, pictures_of
from swiftreid.retrieval.samples import samples_below, samples_in


class EntryColumns(TypedDict, total=False):
    """What is known of each picture or row, in lists of as many.

    Attributes:
        ids: of the entries.
        cameras: that took them.
        times: when: seconds since 1970 UTC, ISO 8601 (UTC unless it says otherwise), or datetimes with a time zone.
        persons: who it is.
        tracks: that they belong to.
        frames: numbers of their frames in a video.
        labels: further facts by name, or one mapping for all of them.
    """

    ids: Sequence[str]
    cameras: Sequence[str | None]
    times: Sequence[Moment | None]
    persons: Sequence[str | None]
    tracks: Sequence[str | None]
    frames: Sequence[int | None]
    labels: Sequence[Mapping[str, str]] | Mapping[str, str]


@dataclass(frozen=True)
class Samples:
    """Picture files whose names, folders or manifest say what is known of them."""

    samples: Sequence[NamedSample]


@dataclass(frozen=True)
class Pictures:
    """Pictures, files or pixels, with an entry each."""

    pictures: Sequence[Picture]
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Rows:
    """Rows of packed codes, uint8 [n, row bytes] by code, with an entry each."""

    codes: Codes
    entries: Sequence[Entry]


def addition_of(
    pictures: Path | str | Sequence[Picture] | None,
    *,
    entries: Sequence[Entry] | None,
    vectors: NDArray[np.floating[Any]] | Vectors | None,
    codes: Mapping[str, NDArray[np.uint8]] | None,
    manifest: Path | str | None,
    camera: str | None,
    colour: Colour,
    columns: EntryColumns,
    encode: Callable[[NDArray[np.floating[Any]]], Codes],
) -> Samples | Pictures | Rows:
    """What is to be added, from the arguments of `swiftreid.retrieval.local.LocalGallery.add`.

    ``encode`` gives the codes of vectors, float [n, d].

    Raises:
        UsageError: what was given does not go together.
    """
    if sum(given is not None for given in (pictures, vectors, codes, manifest)) != 1:
        raise UsageError("give one of these: pictures, vectors, codes, or a manifest")
    if entries is not None and (columns or camera is not None):
        named = ", ".join([*columns, *(["camera"] if camera is not None else [])])
        raise UsageError(f"entries hold all of this: leave out {named}")
    if entries is not None:
        check_type("entries", entries, Iterable, "[Entry(...)]")
        entries = list(entries)
    check_type("codes", codes, (Mapping, type(None)), "{'id128': codes}")
    if isinstance(vectors, Vectors):
        own: EntryColumns = {"ids": vectors.ids, "cameras": vectors.cameras, "persons": vectors.persons}
        columns, vectors = {**own, "times": vectors.times, **columns}, vectors.vectors
    if vectors is not None:
        codes = encode(vectors)
    if codes is not None:
        count = max((len(code) for code in codes.values() if isinstance(code, np.ndarray) and code.ndim), default=0)
        return Rows(dict(codes), entries_of_rows(count, columns, camera) if entries is None else entries)

    pixels: object = pictures  # whatever the annotation says
    if isinstance(pixels, np.ndarray) and pixels.ndim != 4:
        raise UsageError("give pixels in a list, one array [height, width, 3] for each picture: write [crop]")
    listed = pictures_of(() if pictures is None else pictures, colour)
    files = [Path(picture) for picture in listed if isinstance(picture, (str, Path))]
    of_files = len(files) == len(listed)
    if entries is None and not columns and of_files:
        table = None if manifest is None else path_of(manifest, "a manifest")
        return Samples(samples_in(files, manifest=table, camera=camera))
    if manifest is not None:
        raise UsageError(f"the manifest holds all of this: leave out {', '.join(columns) or 'entries'}")
    if entries is None and of_files:
        entries = entries_of_files(files, columns, camera)
    elif entries is None:
        entries = entries_of_rows(len(listed), columns, camera)
    return Pictures(listed, entries)


def entries_of_files(files: Sequence[Path], columns: EntryColumns, camera: str | None) -> list[Entry]:
    """Entries of picture files; what columns do not give comes from the files' names.

    Raises:
        UsageError: one is a folder, or columns have other lengths, or a camera is not known.
        SwiftReIDError: a file is not there.
    """
    folder = next((file for file in files if file.is_dir()), None)
    if folder is not None:
        raise UsageError(
            f"{folder} is a folder with an unknown number of pictures: list its files to give each an id, a time or "
            "an entry"
        )
    samples = samples_below(files, camera=camera)
    named: EntryColumns = {
        "ids": [sample.id or "" for sample in samples],
        "cameras": [sample.camera for sample in samples],
        "persons": [sample.person for sample in samples],
    }
    return entries_of_rows(len(files), {**named, **columns}, camera)


def entries_of_rows(count: int, columns: EntryColumns, camera: str | None) -> list[Entry]:
    """Entries of ``count`` arrays of pixels, vectors or codes.

    Args:
        count: of pictures or rows.
        columns: what is known of each; ids are needed.
        camera: for rows without one in ``cameras``.

    Raises:
        UsageError: a column is not known, or has another length; ids or a camera are missing; a time is none.
    """
    known = EntryColumns.__annotations__
    unknown = sorted(set(columns) - set(known))
    if unknown:
        raise UsageError(f"add has no column {unknown[0]!r}: the columns are {', '.join(known)}")
    rows = {name: _rows(name, values, count) for name, values in columns.items()}
    ids = rows.get("ids")
    if ids is None:
        raise UsageError("the entries need ids: give ids=[...], one for each picture or row, or entries=[...]")
    cameras: list[Any] = [camera if own is None or own == "" else own for own in rows.get("cameras", [None] * count)]
    if None in cameras:
        raise UsageError(
            f"no camera is known for {ids[cameras.index(None)]!r}: give camera='door' for all of them, or "
            "cameras=[...], one for each"
        )
    times = [None if time is None else seconds(time, "times") for time in rows.get("times", [None] * count)]
    persons, tracks, frames, labels = (
        rows.get(name, [None] * count) for name in ("persons", "tracks", "frames", "labels")
    )
    return [
        Entry(
            ids[i],
            cameras[i],
            times[i],
            persons[i],
            labels={} if labels[i] is None else labels[i],
            track=tracks[i],
            frame=frames[i],
        )
        for i in range(count)
    ]


def _rows(name: str, values: Any, count: int) -> list[Any]:
    if name == "labels" and isinstance(values, Mapping):
        return [values] * count
    if isinstance(values, str) and name == "labels":
        raise UsageError(f"labels must map names to values, as in {{'coat': 'red'}}, got the text {values!r}")
    if isinstance(values, str):
        raise UsageError(f"{name} must be a list, got the text {values!r}: pass [{values!r}]")
    try:
        rows = list(values)
    except TypeError:
        raise UsageError(f"{name} must be a list, one for each picture or row, got {values!r}") from None
    if len(rows) != count:
        raise UsageError(f"{len(rows)} {name} came with {count} pictures or rows: give one for each")
    return rows
