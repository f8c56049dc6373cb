"""Changing the codes of a gallery by other encoders than the active one, over catalogue and segment store."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.durable import PRIVATE_FILE
from swiftreid.errors import UsageError
from swiftreid.gallery.catalogue import (
    Catalogue,
    CodesVersion,
    LiveColumns,
    NewSegment,
    VersionSegment,
)
from swiftreid.gallery.columns import CAMERA, SEQ, TIME, Columns
from swiftreid.gallery.creation import EncoderLike, copy_encoder
from swiftreid.gallery.errors import UnfinishedReencoding
from swiftreid.gallery.meta import Embedding, Meta
from swiftreid.gallery.rights import rights_of
from swiftreid.gallery.segment_store import RemovedSegments, SegmentStore
from swiftreid.gallery.segments import map_segment, write_segment
from swiftreid.gallery.tail import read_tail
from swiftreid.gallery.versions import last_of_each, latest, listed
from swiftreid.gallery.view import Cache

_ENCODER = re.compile(r"encoder(-\d+)?\.safetensors(\.partial)?")


def begin(catalogue: Catalogue, gallery: Path, encoder: EncoderLike) -> Meta:
    """The version of an encoder's codes, a new one if there is none; call it under the writer lock.

    Raises:
        UsageError: the encoder does not give what the gallery keeps, or its codes are the active ones.
        UnfinishedReencoding: codes of a third encoder are half filled.
    """
    active = catalogue.meta
    if encoder.fingerprint == active.fingerprint:
        raise UsageError(f"gallery {gallery} holds codes of encoder {active.encoder_name!r} already")
    there = listed(catalogue)
    meta = next((one.meta for one in there if one.meta.fingerprint == encoder.fingerprint), None)
    if meta is None:
        for unfinished in (one.meta for one in there if one.state == "filling"):
            if _begun(catalogue, unfinished):
                raise UnfinishedReencoding(
                    f"gallery {gallery} is half encoded with {unfinished.encoder_name!r}: finish that, or discard it, "
                    "before another encoder"
                )
            catalogue.drop_versions([unfinished.codes_version])
            (gallery / unfinished.encoder_file).unlink(missing_ok=True)
        embedding = _embedding(gallery, active.embedding, encoder)
        if not len(encoder.spec) and embedding is None:
            raise UsageError(f"encoder {encoder.card.name!r} makes no codes, and gallery {gallery} keeps no embeddings")
        name, fingerprint, spec = encoder.card.name, encoder.fingerprint, encoder.spec
        meta = catalogue.new_version(
            replace(
                active, encoder_name=name, fingerprint=fingerprint, spec=spec, embedding=embedding, encoder_digest=""
            )
        )
    if not meta.encoder_digest:  # a new one, or a process was killed here
        digest = copy_encoder(encoder, None, gallery / meta.encoder_file)
        own = gallery / active.encoder_file
        (gallery / meta.encoder_file).chmod(rights_of(own) if own.exists() else PRIVATE_FILE)
        catalogue.set_encoder_digest(meta.codes_version, digest)
        meta = replace(meta, encoder_digest=digest)
    return meta


def _embedding(gallery: Path, kept: Embedding | None, encoder: EncoderLike) -> Embedding | None:
    if kept is None:
        return None
    if encoder.card.embedding is None:
        raise UsageError(
            f"gallery {gallery} keeps float embeddings, and encoder {encoder.card.name!r} gives none: take another"
        )
    return Embedding(encoder.card.embedding, kept.dtype)


def _begun(catalogue: Catalogue, meta: Meta) -> bool:
    """Whether a version has any codes."""
    view = catalogue.view("reading versions")
    try:
        return bool(view.version_segments(meta.codes_version))
    finally:
        view.close()


def groups_to_join(rows: Iterable[VersionSegment], size: int) -> list[list[VersionSegment]]:
    """Segments with overlapping ranges of sequence numbers, and neighbours that fit into one segment of ``size`` rows.

    Joining each group leaves segments in gallery order.
    """
    groups: list[list[VersionSegment]] = []
    last, filled = -1, 0
    for row in sorted(rows, key=lambda row: (row.first, row.number)):
        fits = filled + row.rows <= size and groups and groups[-1][0].statistics == row.statistics
        if groups and (row.first <= last or fits):
            groups[-1].append(row)
            last, filled = max(last, row.last), filled + row.rows
        else:
            groups.append([row])
            last, filled = row.last, row.rows
    return [sorted(group, key=lambda row: row.number) for group in groups if len(group) > 1]


def rewrite(
    catalogue: Catalogue,
    store: SegmentStore,
    gallery: Path,
    meta: Meta,
    *,
    group: Sequence[VersionSegment],
    removed: RemovedSegments,
) -> None:
    """Write segments of a version anew, in gallery order, without codes of deleted entries; under the writer lock.

    Of rows of one entry the one that was added last stays.

    Args:
        catalogue: of the gallery.
        store: of its segments.
        gallery: its folder, for messages.
        meta: of the version.
        group: its segments, in the order in which they were added.
        removed: takes the old files.
    """
    view = catalogue.view("rewriting codes")
    try:
        alive = view.columns().seqs
    finally:
        view.close()
    files = [map_segment(store, gallery, meta.layout, row) for row in group]
    for file in files:
        file.check(gallery)
    seqs = np.concatenate([file.seqs for file in files])
    cameras = np.concatenate([row.cameras for row in group])
    starts = np.cumsum([0, *(row.rows for row in group)])
    order = np.argsort(seqs, kind="stable")
    order = order[last_of_each(seqs[order]) & np.isin(seqs[order], alive)]
    added = []
    for start in range(0, len(order), meta.segment_size):
        some = order[start : start + meta.segment_size]
        codes: dict[str, NDArray[Any]] = {}
        for name, (dtype, width) in meta.layout.columns.items():
            codes[name] = np.empty((len(some), width), dtype)
            for file, first, end in zip(files, starts, starts[1:], strict=False):
                inside = (some >= first) & (some < end)
                codes[name][inside] = file.codes[name][some[inside] - first]
        rows = Columns(seqs[some], cameras[some], np.full(len(some), np.nan, TIME), codes)
        added.append(_written(store, meta, rows, group[0].statistics))
    del files
    catalogue.exchange(meta.codes_version, added, group)
    names = {row.name for row in added}
    store.remove([row.name for row in group if row.name not in names], removed)


def _written(store: SegmentStore, meta: Meta, rows: Columns, statistics: int) -> VersionSegment:
    written = write_segment(store, meta.layout, rows, encoder=meta.fingerprint, statistics=statistics)
    return VersionSegment(**vars(written), cameras=rows.cameras.astype(CAMERA))


def add_rows(catalogue: Catalogue, store: SegmentStore, meta: Meta, rows: Columns) -> None:
    """Add codes to a version, durably; under the writer lock."""
    catalogue.exchange(meta.codes_version, [_written(store, meta, rows, 0)])


def switch(catalogue: Catalogue, store: SegmentStore, gallery: Path, cache: Cache, meta: Meta) -> None:
    """Make a version, which is whole and in gallery order, the active one; under the writer lock.

    Every call of the catalogue after this one raises `GalleryReencoded`.
    """
    view = catalogue.view("switching to another encoder")
    try:
        entries = view.columns()
        segments = []
        for row in sorted(view.version_segments(meta.codes_version), key=lambda row: row.first):
            file = map_segment(store, gallery, meta.layout, row)
            file.check(gallery)
            segments.append((_plain(row), _filters(entries, file.seqs.copy())))
            del file
        kept = [
            VersionSegment(**vars(_plain(row)), cameras=cache.filters(view, row).cameras) for row in view.segments()
        ]
        tail = read_tail(view, gallery, catalogue.meta.layout)
        start = 0
        for statistics, chunks in groupby(tail.chunks, key=lambda chunk: chunk.statistics):
            end = start + sum(chunk.rows for chunk in chunks)
            kept.append(_written(store, catalogue.meta, tail.columns.take(slice(start, end)), statistics))
            start = end
        old = [v.meta for v in view.versions() if v.state == "kept" and v.meta.codes_version != meta.codes_version]
        gone = {row.name for one in old for row in view.version_segments(one.codes_version)}
    finally:
        view.close()
    catalogue.switch(meta.codes_version, segments, kept)
    store.remove(gone).close()
    for one in old:
        (gallery / one.encoder_file).unlink(missing_ok=True)


def _plain(row: NewSegment) -> NewSegment:
    return NewSegment(**{name: getattr(row, name) for name in NewSegment.__dataclass_fields__})


def _filters(entries: LiveColumns, seqs: NDArray[np.int64]) -> Columns:
    """Cameras and times of some entries now; camera 0 of those that are deleted."""
    places = np.minimum(np.searchsorted(entries.seqs, seqs), max(0, len(entries.seqs) - 1))
    there = entries.seqs[places] == seqs if len(entries.seqs) else np.zeros(len(seqs), bool)
    cameras, times = np.zeros(len(seqs), CAMERA), np.full(len(seqs), np.nan, TIME)
    cameras[there], times[there] = entries.cameras[places[there]], entries.times[places[there]]
    return Columns(seqs, cameras, times, {})


def discard(
    catalogue: Catalogue, store: SegmentStore, gallery: Path, chosen: Callable[[CodesVersion], bool]
) -> tuple[list[CodesVersion], RemovedSegments]:
    """Remove versions for good, under the writer lock; returns them and their segments, which readers may still map."""
    view = catalogue.view("discarding codes")
    try:
        going = [version for version in view.versions() if chosen(version)]
        names = {row.name for one in going for row in view.version_segments(one.meta.codes_version)}
    finally:
        view.close()
    catalogue.drop_versions([one.meta.codes_version for one in going])
    removed = store.remove(sorted(names))
    for one in going:
        (gallery / one.meta.encoder_file).unlink(missing_ok=True)
    return going, removed


def remove_stray_encoders(catalogue: Catalogue, gallery: Path) -> list[str]:
    """Remove copies of encoders that no version names, as a killed process leaves them; under the writer lock."""
    named = {catalogue.meta.encoder_file, *(one.meta.encoder_file for one in listed(catalogue))}
    strays = [file for file in gallery.iterdir() if _ENCODER.fullmatch(file.name) and file.name not in named]
    for file in strays:
        with suppress(FileNotFoundError):
            file.unlink()
    return [file.name for file in strays]


def compact_versions(catalogue: Catalogue, store: SegmentStore, gallery: Path, removed: RemovedSegments) -> int:
    """Erase the codes of deleted entries from all versions but the active one; returns how many there were."""
    erased = 0
    view = catalogue.view("compacting")
    try:
        versions = view.versions()
        alive = view.columns().seqs if versions else np.empty(0, SEQ)
        rows = [(one.meta, row) for one in versions for row in view.version_segments(one.meta.codes_version)]
    finally:
        view.close()
    for meta, row in rows:
        seqs = latest(store, gallery, meta, [row])[0]
        dead = len(seqs) - int(np.isin(seqs, alive, assume_unique=True).sum())
        if dead:
            rewrite(catalogue, store, gallery, meta, group=[row], removed=removed)
            removed.still_mapped()  # lets go of those that nobody maps
            erased += dead
    return erased
