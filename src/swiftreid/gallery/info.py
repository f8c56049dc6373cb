"""What a gallery holds, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swiftreid.gallery.catalogue import CatalogueView
from swiftreid.gallery.meta import Meta
from swiftreid.gallery.versions import VersionInfo
from swiftreid.gallery.view import Cache, GalleryView


@dataclass(frozen=True)
class GalleryInfo:
    """A gallery in figures.

    Attributes:
        entries: live entries.
        deleted: deleted entries with codes that are still in segment files, until compaction.
        segments: sealed column files.
        unsealed: entries with codes that are still in the database.
        cameras: entries per camera name, sorted by name.
        first_time: earliest known time of an entry, in seconds since 1970 UTC; None when no time is known.
        last_time: latest known time.
        bytes_on_disk: size of all files of the gallery on disk.
        encoder_name: the encoder that the gallery is bound to.
        fingerprint: that encoder's fingerprint.
        spec: names of the codes, as text.
        embedding: type and size of the float embeddings it keeps, such as ``float16 512``; None without.
        held: entries that must not be deleted.
        format: version of the gallery's format.
        segment_size: entries to a sealed segment.
        created: when the gallery was created, ISO 8601, UTC.
        rendered: whether its people were declared not to exist.
        versions: codes by other encoders beside those that searches compare.
    """

    entries: int
    deleted: int
    segments: int
    unsealed: int
    cameras: dict[str, int]
    first_time: float | None
    last_time: float | None
    bytes_on_disk: int
    encoder_name: str
    fingerprint: str
    spec: str
    embedding: str | None
    held: int
    format: int
    segment_size: int
    created: str
    rendered: bool = False
    versions: tuple[VersionInfo, ...] = ()


def read_info(
    catalogue: CatalogueView,
    gallery: Path,
    meta: Meta,
    view: GalleryView,
    cache: Cache,
    *,
    versions: tuple[VersionInfo, ...] = (),
) -> GalleryInfo:
    """The figures of one view."""
    columns = [cache.filters(catalogue, row).times for row, _ in view.segments]
    columns += [part.columns.times for part in view.tail.parts]
    known = [times[~np.isnan(times)] for times in columns]
    known = [times for times in known if len(times)]
    return GalleryInfo(
        entries=view.live,
        deleted=view.rows - view.live,
        segments=len(view.segments),
        unsealed=len(view.tail),
        cameras={camera.name: camera.entries for camera in catalogue.cameras()},
        first_time=min((float(times.min()) for times in known), default=None),
        last_time=max((float(times.max()) for times in known), default=None),
        bytes_on_disk=sum(_size(path) for path in gallery.rglob("*")),
        encoder_name=meta.encoder_name,
        fingerprint=meta.fingerprint,
        spec=str(meta.spec),
        embedding=None if meta.embedding is None else str(meta.embedding),
        held=len(catalogue.held()),
        format=meta.version,
        segment_size=meta.segment_size,
        created=meta.created,
        rendered=meta.rendered,
        versions=versions,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0  # a log or partial file that a writer has just removed
