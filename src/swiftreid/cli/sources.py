"""Which pictures a command works on, and what is known of each: from folders, names or a manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from swiftreid.cli.console import Report
from swiftreid.data.market import parse_name
from swiftreid.data.pictures import BadPicture, find_pictures
from swiftreid.data.table_file import read_table, seconds
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.entries import valid_text
from swiftreid.gallery.store import Gallery

_SHOWN_BAD = 10


@dataclass(frozen=True)
class Picture:
    """A picture file and what is known of it."""

    path: Path
    id: str
    camera: str
    time: float | None = None
    person: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


def pictures_from(
    roots: Iterable[Path], *, manifest: Path | None = None, camera: str | None = None, id_prefix: str = ""
) -> list[Picture]:
    """Pictures below files and folders, or listed in a manifest.

    Person and camera come from names in Market-1501 style; ``camera`` serves where the name says none. Ids are paths
    relative to the folder that was given, after ``camera`` where that one served (two cameras' folders often hold the
    same names), and after ``id_prefix``.

    Raises:
        UsageError: nothing was given, a picture has no camera, two have the same id, or the manifest cannot be
            understood.
        SwiftReIDError: a path does not exist or holds no picture.
    """
    folders = list(roots)
    if manifest is not None:
        if folders:
            raise UsageError("give pictures or --manifest, not both: the manifest lists its own pictures")
        found = _from_manifest(manifest, camera)
    else:
        if not folders:
            raise UsageError("say which pictures: files, folders, --manifest or --codes")
        found = pictures_below(folders, camera=camera)
    found = [replace(picture, id=id_prefix + picture.id) for picture in found]
    nameless = [picture for picture in found if not picture.camera]
    if nameless:
        raise UsageError(
            f"{len(nameless)} of {len(found)} pictures have no camera, the first is {nameless[0].path}: "
            "give --camera NAME, or names like 0844_c3s2_107328_01.jpg, or a --manifest with a camera column"
        )
    refuse_same_ids(found, "add them one after the other with different --id-prefix, or give ids in a --manifest")
    return found


def pictures_below(roots: Iterable[Path], *, camera: str | None = None) -> list[Picture]:
    """Pictures that are or lie below ``roots``, and what their names tell; without a camera where nothing tells it."""
    return [_named(path, root, camera) for root in roots for path in find_pictures(root)]


def refuse_same_ids(pictures: Iterable[Picture], advice: str) -> None:
    """Raise a `UsageError` that ends in ``advice`` if two pictures would have the same id."""
    first: dict[str, Path] = {}
    for picture in pictures:
        if picture.id in first:
            raise UsageError(f"{first[picture.id]} and {picture.path} would both have the id {picture.id!r}: {advice}")
        first[picture.id] = picture.path


def _named(path: Path, root: Path, camera: str | None) -> Picture:
    parsed = parse_name(path.stem)
    relative = valid_text(path.relative_to(root).as_posix() if root.is_dir() else path.name)
    return Picture(
        path=path,
        id=relative if parsed or not camera else f"{camera}/{relative}",
        camera=str(parsed[1]) if parsed else camera or "",
        person=str(parsed[0]) if parsed else None,
    )


def _from_manifest(manifest: Path, camera: str | None) -> list[Picture]:
    columns, rows = read_table(manifest)
    if "path" not in columns:
        raise UsageError(f"{manifest} needs a header line with a column 'path'; it has {columns or 'nothing'}")
    if not rows:
        raise UsageError(f"{manifest} lists no picture")
    return [_listed(row, manifest, line, camera) for line, row in rows]


def _listed(row: dict[str, str], manifest: Path, line: int, camera: str | None) -> Picture:
    if not row["path"]:
        raise UsageError(f"{manifest} line {line} has no path")
    path = manifest.parent / row["path"]
    parsed = parse_name(path.stem)
    labels = {k: v for k, v in row.items() if k not in {"path", "id", "camera", "time", "person"} and v}
    return Picture(
        path=path,
        id=row.get("id") or row["path"],
        camera=row.get("camera") or (str(parsed[1]) if parsed else camera or ""),
        time=seconds(row["time"], f"{manifest} line {line}") if row.get("time") else None,
        person=row.get("person") or (str(parsed[0]) if parsed else None),
        labels=labels,
    )


def moment(time: float | None) -> str | None:
    """Unix seconds as people read them, in UTC."""
    return None if time is None else datetime.fromtimestamp(time, UTC).isoformat(sep=" ", timespec="seconds")


def encoder_of(gallery: Gallery) -> Path:
    """The encoder file that a gallery carries.

    Raises:
        SwiftReIDError: the gallery was made without one.
    """
    if gallery.encoder_file is None or not gallery.encoder_file.is_file():
        raise SwiftReIDError(
            f"{gallery.path} carries no encoder file, only codes of {gallery.encoder_name}: encode elsewhere, and add "
            "with --codes or search with --encoder"
        )
    return gallery.encoder_file


class BadPictures:
    """Collects unreadable pictures and warns of the first few by name."""

    def __init__(self, report: Report) -> None:
        self.found: list[BadPicture] = []
        self._known: set[str] = set()
        self._report = report

    def __call__(self, error: BadPicture) -> None:
        """Note one unreadable picture; one that is met again is still one."""
        if error.name in self._known:
            return
        self._known.add(error.name)
        self.found.append(error)
        if len(self.found) <= _SHOWN_BAD:
            self._report.warn(f"skipped {error.name}: {error.reason}")
        elif len(self.found) == _SHOWN_BAD + 1:
            self._report.warn("more pictures could not be read; --json lists them all")

    def as_dict(self) -> dict[str, Any]:
        """How many and which, for the JSON document."""
        return {
            "unreadable": len(self.found),
            "unreadable_files": [{"file": error.name, "reason": error.reason} for error in self.found],
        }
