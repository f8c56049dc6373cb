"""`swiftreid gallery list`, `export` and `upgrade`: a gallery's entries for people and other programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.filters import (
    AfterOption,
    BeforeOption,
    CameraOption,
    FilterOptions,
    LabelOption,
    NotCameraOption,
    PersonOption,
    TrackOption,
)
from swiftreid.cli.sources import moment
from swiftreid.errors import UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.export import export as export_entries
from swiftreid.gallery.store import Gallery

GalleryPath = Annotated[Path, typer.Argument(help="The gallery's folder.")]


def list_entries(
    gallery: GalleryPath,
    camera: CameraOption = None,
    not_camera: NotCameraOption = None,
    person: PersonOption = None,
    track: TrackOption = None,
    label: LabelOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    limit: Annotated[int | None, typer.Option(help="How many entries at most.", min=0)] = None,
    after_id: Annotated[
        str | None, typer.Option(help="Continue after this entry, the last one of the list before.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List entries in gallery order, with their metadata."""
    report = Report(as_json=as_json, quiet=quiet)
    with Gallery.open(gallery, read_only=True) as opened:
        filters = FilterOptions(camera, not_camera, person, track, label, after, before).filters(opened)
        entries = opened.list(filters, limit=limit, after_id=after_id)
    columns = ["id", "camera", "time", "person", "track", "frame", "labels"]
    report.table(f"{len(entries):,} entries of {gallery}", columns, [_row(entry) for entry in entries])
    report.document({"gallery": str(gallery), "entries": [_document(entry) for entry in entries]})


def _row(entry: Entry) -> list[Any]:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(entry.labels.items()))
    return [entry.id, entry.camera, moment(entry.time), entry.person, entry.track, entry.frame, labels or None]


def _document(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name != "thumbnail"}


def export(
    gallery: GalleryPath,
    target: Annotated[
        Path,
        typer.Argument(help="A file ending in .parquet or .faiss; anything else is a new folder of NumPy arrays."),
    ],
    code: Annotated[str | None, typer.Option(help="For .faiss: which code; by default the longest.")] = None,
    camera: CameraOption = None,
    not_camera: NotCameraOption = None,
    person: PersonOption = None,
    track: TrackOption = None,
    label: LabelOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write entries with their codes for other programs: NumPy, Parquet, FAISS."""
    report = Report(as_json=as_json, quiet=quiet)
    if code is not None and target.suffix != ".faiss":
        raise UsageError("--code is for .faiss, which holds one code; other formats hold all of them")
    with Gallery.open(gallery, read_only=True) as opened:
        filters = FilterOptions(camera, not_camera, person, track, label, after, before).filters(opened)
        with opened.snapshot(filters) as snapshot:
            done = export_entries(snapshot, target, code=code)
    name = {"numpy": "NumPy", "parquet": "Parquet", "faiss": "FAISS"}[done.format]
    report.text(f"wrote {done.entries:,} entries to {target} ({name})")
    files = [str(file) for file in done.files]
    report.document({"gallery": str(gallery), "format": done.format, "entries": done.entries, "files": files})


def upgrade(gallery: GalleryPath, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Migrate a gallery of an older version to this format. Opening it for writing does the same."""
    report = Report(as_json=as_json, quiet=quiet)
    with Gallery.open(gallery) as opened:
        info = opened.info()
    report.text(f"{gallery} has format {info.format}, with {info.entries:,} entries")
    report.document({"gallery": str(gallery), "format": info.format, "entries": info.entries})
