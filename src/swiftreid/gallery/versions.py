"""Codes by other encoders beside the active ones: those that are being filled, and those of before, kept to go back to.

All versions share the entries, so that metadata, thumbnails, labels and holds are there once, and an entry that is
deleted is deleted for all. A version is a list of segments; which of its rows are of entries that are still there, and
which entries have no row, follows from sequence numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.catalogue import (
    Catalogue,
    CatalogueView,
    CodesVersion,
    LiveColumns,
    VersionSegment,
    VersionState,
)
from swiftreid.gallery.columns import CAMERA, SEQ
from swiftreid.gallery.meta import Meta
from swiftreid.gallery.segment_store import SegmentStore
from swiftreid.gallery.segments import map_segment


@dataclass(frozen=True)
class VersionInfo:
    """Codes by another encoder than the active one, in figures.

    Attributes:
        state: ``filling`` where not all entries have codes yet, ``kept`` where they can be gone back to.
        encoder_name: the encoder that made them.
        fingerprint: that encoder's.
        entries: entries of the gallery that have such codes.
        deleted: codes of deleted entries, until compaction.
        bytes: of its segment files.
    """

    state: VersionState
    encoder_name: str
    fingerprint: str
    entries: int
    deleted: int
    bytes: int


def version_infos(view: CatalogueView, store: SegmentStore, gallery: Path) -> tuple[VersionInfo, ...]:
    """The figures of all versions but the active one."""
    found = []
    entries = view.columns().seqs if view.versions() else np.empty(0, SEQ)
    for version in view.versions():
        rows = view.version_segments(version.meta.codes_version)
        seqs = latest(store, gallery, version.meta, rows)[0]
        live = int(np.isin(seqs, entries, assume_unique=True).sum())
        meta = version.meta
        size = sum(row.bytes for row in rows)
        info = VersionInfo(version.state, meta.encoder_name, meta.fingerprint, live, len(seqs) - live, size)
        found.append(info)
    return tuple(found)


def used_names(view: CatalogueView) -> set[str]:
    """Names of the segments of all versions."""
    names = {row.name for row in view.segments()}
    return names.union(*({row.name for row in segments} for segments in _other_segments(view)))


def _other_segments(view: CatalogueView) -> list[list[VersionSegment]]:
    return [view.version_segments(version.meta.codes_version) for version in view.versions()]


def listed(catalogue: Catalogue) -> list[CodesVersion]:
    """All versions but the active one."""
    view = catalogue.view("reading versions")
    try:
        return view.versions()
    finally:
        view.close()


def latest(
    store: SegmentStore, gallery: Path, meta: Meta, rows: Sequence[VersionSegment]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Sequence numbers that have codes in some segments, ascending, and the cameras that they were last encoded for."""
    parts = []
    for row in rows:
        file = map_segment(store, gallery, meta.layout, row)
        file.check(gallery, ["seq"])
        parts.append(file.seqs.copy())  # lets go of the mapping
    seqs = np.concatenate([np.empty(0, SEQ), *parts])
    cameras = np.concatenate([np.empty(0, CAMERA), *(row.cameras for row in rows)])
    order = np.argsort(seqs, kind="stable")
    last = last_of_each(seqs[order])
    return seqs[order][last], cameras[order][last]


def last_of_each(ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of ascending numbers are the last of their equals."""
    return np.append(ascending[1:] != ascending[:-1], True)[: len(ascending)]


def without_codes(
    entries: LiveColumns, seqs: NDArray[np.int64], cameras: NDArray[np.int32], *, by_camera: bool
) -> NDArray[np.int64]:
    """Sequence numbers of entries that have no codes, or, with ``by_camera``, codes that were made for another camera.

    Args:
        entries: all entries.
        seqs: those that have codes, ascending.
        cameras: for which camera each was encoded.
        by_camera: whether codes depend on the camera.
    """
    if not len(seqs):
        return entries.seqs
    places = np.minimum(np.searchsorted(seqs, entries.seqs), len(seqs) - 1)
    there = seqs[places] == entries.seqs
    done = there & (cameras[places] == entries.cameras) if by_camera else there
    left: NDArray[np.int64] = entries.seqs[~done]
    return left
