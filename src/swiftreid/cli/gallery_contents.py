"""`swiftreid gallery list`, `export` and `upgrade`: a gallery's entries for people and other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.filters import labels_of
from swiftreid.cli.sources import moment
from swiftreid.data.table_file import seconds
from swiftreid.errors import UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.export import export_faiss, export_npy, export_parquet
from swiftreid.gallery.store import Gallery

GalleryPath = Annotated[Path, typer.Argument(help="The gallery's folder.")]
CameraOption = Annotated[list[str] | None, typer.Option(help="Only of this camera; may be given several times.")]
PersonOption = Annotated[list[str] | None, typer.Option(help="Only of this person; may be given several times.")]
LabelOption = Annotated[
    list[str] | None, typer.Option(help="Only with this label, NAME=VALUE; several values of one name: any of them.")
]
TrackOption = Annotated[list[str] | None, typer.Option(help="Only of this track; may be given several times.")]
AfterOption = Annotated[str | None, typer.Option(help="Only from this time on: ISO 8601, or seconds since 1970 UTC.")]
BeforeOption = Annotated[str | None, typer.Option(help="Only before this time.")]


def list_entries(
    gallery: GalleryPath,
    label: LabelOption = None,
    camera: CameraOption = None,
    person: PersonOption = None,
    track: TrackOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    limit: Annotated[int | None, typer.Option(help="At most so many.", min=0)] = None,
    after_id: Annotated[str | None, typer.Option(help="Go on after this entry, the last one of a list before.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List entries in gallery order, with what is known of them."""
    report = Report(as_json=as_json, quiet=quiet)
    with Gallery.open(gallery, read_only=True) as opened:
        entries = opened.list(
            **_filters(opened, label, camera, person, track, after, before), limit=limit, after_id=after_id
        )
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
    label: LabelOption = None,
    camera: CameraOption = None,
    person: PersonOption = None,
    track: TrackOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write entries with their codes for other programs: NumPy, Parquet, FAISS."""
    report = Report(as_json=as_json, quiet=quiet)
    kind = {".parquet": "Parquet", ".faiss": "FAISS"}.get(target.suffix, "NumPy")
    if code is not None and kind != "FAISS":
        raise UsageError(f"--code is for .faiss, which holds one code; {kind} holds all of them")
    with Gallery.open(gallery, read_only=True) as opened:
        chosen = _filters(opened, label, camera, person, track, after, before)
        with opened.snapshot(**chosen) as snapshot:
            count = snapshot.live
            if kind == "FAISS":
                files = export_faiss(snapshot, target, code)
            elif kind == "Parquet":
                export_parquet(snapshot, target)
                files = [target]
            else:
                files = export_npy(snapshot, target)
    report.text(f"wrote {count:,} entries to {target} ({kind})")
    report.document(
        {"gallery": str(gallery), "format": kind.lower(), "entries": count, "files": [str(file) for file in files]}
    )


def upgrade(gallery: GalleryPath, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Bring a gallery of an older version up to date; opening it for writing does the same."""
    report = Report(as_json=as_json, quiet=quiet)
    with Gallery.open(gallery) as opened:
        info = opened.info()
    report.text(f"{gallery} has format {info.format}, with {info.entries:,} entries")
    report.document({"gallery": str(gallery), "format": info.format, "entries": info.entries})


def _filters(
    opened: Gallery,
    label: Sequence[str] | None,
    camera: Sequence[str] | None,
    person: Sequence[str] | None,
    track: Sequence[str] | None,
    after: str | None,
    before: str | None,
) -> dict[str, Any]:
    """The options as a gallery takes them."""
    known = opened.cameras()
    unknown = sorted(set(camera or ()) - set(known))
    if unknown:
        there = ", ".join(known[:20]) or "(none: the gallery is empty)"
        raise UsageError(f"--camera: gallery {opened.path} has no camera {unknown[0]!r}; its cameras are {there}")
    return {
        "labels": labels_of(label or ()),
        "cameras": camera or None,
        "persons": person or None,
        "tracks": track or None,
        "after": None if after is None else seconds(after, "--after"),
        "before": None if before is None else seconds(before, "--before"),
    }
