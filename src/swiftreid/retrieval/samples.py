"""Pictures for a gallery or a query, with ids, persons and cameras from names, folders and manifests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from swiftreid.data.market import parse_name
from swiftreid.data.pictures import find_pictures
from swiftreid.data.samples import NamedSample, Sample
from swiftreid.data.table_file import read_table
from swiftreid.data.times import seconds
from swiftreid.errors import UsageError
from swiftreid.gallery.entries import Entry, valid_text
from swiftreid.gallery.store import Gallery

MANIFEST_COLUMNS = ("path", "id", "camera", "time", "person", "track", "frame")
"""Columns of a manifest with a meaning; all others are attributes."""


_ESCAPE = re.compile(r"\\\\|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}")


class SameIds(UsageError):
    """Two pictures would have the same id."""


class NoCamera(UsageError):
    """Pictures without a known camera."""


def samples_in(
    roots: Iterable[Path] = (), *, manifest: Path | None = None, camera: str | None = None, id_prefix: str = ""
) -> list[NamedSample]:
    """Pictures below files and folders, or listed in a manifest, as a gallery takes them: with an id and a camera each.

    Person and camera come from names in Market-1501's way; ``camera`` serves where the name says none. Ids are paths
    relative to the folder that was given, after ``camera`` where that one served (two cameras' folders often hold the
    same names), and after ``id_prefix``.

    Raises:
        NoCamera: a picture has no camera.
        SameIds: two pictures would have the same id.
        UsageError: nothing was given, or the manifest cannot be understood.
        SwiftReIDError: a path does not exist or holds no picture.
    """
    folders = list(roots)
    if manifest is not None:
        if folders:
            raise UsageError("give pictures or a manifest, not both: the manifest lists its own pictures")
        found = samples_listed(manifest, camera=camera)
    else:
        if not folders:
            raise UsageError("give pictures: files, folders, a manifest or a file of encodings")
        found = samples_below(folders, camera=camera)
    found = [replace(sample, id=id_prefix + sample.id) for sample in found]
    nameless = [sample for sample in found if not sample.camera]
    if nameless:
        raise NoCamera(
            f"{len(nameless)} of {len(found)} pictures have no camera, the first is {nameless[0].path}: give the "
            "camera that took them, or give them names like 0844_c3s2_107328_01.jpg, or list them in a manifest with "
            "a column camera"
        )
    refuse_same_ids(found, "add them one after the other with different prefixes of ids, or give ids in a manifest")
    return found


def samples_below(roots: Iterable[Path], *, camera: str | None = None) -> list[NamedSample]:
    """Pictures that are or lie below ``roots``, and what their names say; without a camera where nothing says it."""
    return [_named(path, root, camera) for root in roots for path in find_pictures(root)]


def samples_listed(manifest: Path, *, camera: str | None = None) -> list[NamedSample]:
    """Pictures that a manifest lists: a CSV or Parquet table with a column ``path``, and any of `MANIFEST_COLUMNS`.

    Raises:
        UsageError: there is no column ``path``, a row has none, or a time or frame is none; the message names the line.
    """
    columns, rows = read_table(manifest)
    if "path" not in columns:
        raise UsageError(f"{manifest} needs a header line with a column 'path'; it has {columns or 'nothing'}")
    if not rows:
        raise UsageError(f"{manifest} lists no picture")
    return [_listed(row, manifest, line, camera) for line, row in rows]


def person_and_camera(path: Path) -> tuple[str | None, str | None]:
    """What a file's name says, as in ``0844_c3s2_107328_01.jpg``."""
    parsed = parse_name(path.stem)
    return (str(parsed[0]), str(parsed[1])) if parsed else (None, None)


def refuse_same_ids(samples: Sequence[NamedSample], advice: str) -> None:
    """Raise a `SameIds` that ends in ``advice`` if two samples would have the same id."""
    first: dict[str, Path] = {}
    for sample in samples:
        if sample.id in first:
            raise SameIds(f"{first[sample.id]} and {sample.path} would both have the id {sample.id!r}: {advice}")
        first[sample.id] = sample.path


def entry_of(sample: NamedSample, thumbnail: bytes | None) -> Entry:
    """The entry that a gallery keeps of a sample."""
    return Entry(
        id=sample.id,
        camera=sample.camera or "",
        time=sample.time,
        person=sample.person,
        source=source_of(sample.path),
        labels=dict(sample.attributes or {}),
        thumbnail=thumbnail,
        track=sample.tracklet,
        frame=sample.frame,
        picture_sha256=digest_of_file(sample.path),
    )


def _named(path: Path, root: Path, default: str | None) -> NamedSample:
    person, camera = person_and_camera(path)
    relative = valid_text(path.relative_to(root).as_posix() if root.is_dir() else path.name)
    own = relative if camera or not default else f"{default}/{relative}"
    return Sample(path, person, camera or default, id=own)


def _listed(row: dict[str, str], manifest: Path, line: int, default: str | None) -> NamedSample:
    if not row["path"]:
        raise UsageError(f"{manifest} line {line} has no path")
    path = manifest.parent / row["path"]
    person, camera = person_and_camera(path)
    return Sample(
        path=path,
        person=row.get("person") or person,
        camera=row.get("camera") or camera or default,
        time=seconds(row["time"], f"{manifest} line {line}") if row.get("time") else None,
        attributes={k: v for k, v in row.items() if k not in MANIFEST_COLUMNS and v},
        id=row.get("id") or row["path"],
        tracklet=row.get("track") or None,
        frame=_frame(row["frame"], f"{manifest} line {line}") if row.get("frame") else None,
    )


def _frame(text: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise UsageError(f"{where}: {text!r} is not a frame number: write a whole number from 0 on")
    return int(text)


def source_of(file: Path) -> str:
    """A picture's file as an entry keeps it."""
    return valid_text(str(file.resolve()))


def file_of_source(source: str) -> Path:
    """The file that `source_of` named; its bytes that are not UTF-8 are restored."""
    file = Path(source)
    with suppress(OSError):  # too long a name, or a folder that may not be entered: whoever opens it sees
        if "\\" in source and not file.exists():
            return Path(_ESCAPE.sub(lambda found: _unescaped(found.group()), source))
    return file


def _unescaped(escape: str) -> str:
    if escape == "\\\\":
        return "\\"
    code = int(escape[2:], 16)
    return chr(code if escape[1] == "u" else 0xDC00 + code)


def samples_of_gallery(store: Gallery) -> tuple[list[NamedSample], int]:
    """The source pictures of a gallery's entries, with what the gallery knows of them.

    Args:
        store: open, for reading at least.

    Returns:
        Samples whose ids are those of the entries; and the number of entries left out because their source is no file,
        or is gone.
    """
    found: list[NamedSample] = []
    for entry in store:
        path = None if entry.source is None else file_of_source(entry.source)
        if path is not None and _is_file(path):
            found.append(Sample(path, entry.person, entry.camera, entry.time, None, entry.id, entry.track, entry.frame))
    return found, len(store) - len(found)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # such as a long address


def digest_of_file(file: Path) -> str:
    """SHA-256 of a picture's file, 64 hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
