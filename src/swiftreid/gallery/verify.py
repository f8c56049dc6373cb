"""Verification: every checksum and every relation between the catalogue's tables and the segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from swiftreid.errors import SwiftReIDError
from swiftreid.gallery.catalogue import Catalogue, CatalogueView, NewSegment, SegmentRow
from swiftreid.gallery.chunks import decode_chunk
from swiftreid.gallery.columns import CAMERA, SEQ, TIME, Columns
from swiftreid.gallery.digests import digest_of, entry_text, file_digest
from swiftreid.gallery.errors import GalleryDamaged
from swiftreid.gallery.filter_columns import decode_filters
from swiftreid.gallery.meta import Meta
from swiftreid.gallery.segment_store import SegmentStore
from swiftreid.gallery.segments import SegmentFile, map_segment
from swiftreid.gallery.versions import used_names

_SHOWN = 20
_ATTEMPTS = 5

Opened = dict[str, SegmentFile | str]
"""By name the mapped segment, or what is wrong with it."""


@dataclass
class VerifyReport:
    """The result of a verification.

    Attributes:
        problems: what is wrong, one sentence each; empty when the gallery is whole.
        notes: what is harmless, such as files of a killed process that the next writable open removes, and codes by
            other encoders.
        entries: entries found in the database.
        segments: segment files checked.
        bytes_checked: bytes with computed checksums, in segment files and in the database.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    entries: int = 0
    segments: int = 0
    bytes_checked: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass
class _Capped:
    """Problems of one kind, of which only the first are listed and the rest counted."""

    kind: str
    report: VerifyReport
    count: int = 0

    def add(self, problem: str) -> None:
        self.count += 1
        if self.count <= _SHOWN:
            self.report.problems.append(problem)

    def close(self) -> None:
        if self.count > _SHOWN:
            self.report.problems.append(f"{self.count - _SHOWN} more {self.kind} do not match their checksums")


def verify_gallery(catalogue: Catalogue, store: SegmentStore, gallery: Path) -> tuple[VerifyReport, dict[int, str]]:
    """Check everything in one view of the catalogue; damage is listed, not raised.

    Returns:
        The report, and by number what is to be noted of segments: the state in which all columns match their
        checksums, or nothing where one does not.
    """
    view, opened = _open_all(catalogue, store, gallery)
    report = VerifyReport()
    meta = catalogue.meta
    states: dict[int, str] = {}
    try:
        report.problems += view.problems()
        _check_encoder(gallery, meta, report)
        whole, parts = True, []
        for row in view.segments():
            columns = _check_segment(view, gallery, row, opened[row.name], report=report, states=states)
            whole &= columns is not None
            parts += [] if columns is None else [columns]
        tail = _check_tail(view, gallery, meta, report)
        whole &= tail is not None
        parts += [] if tail is None else [tail]
        stored = _check_contents(view, report)
        _check_relations(view, _join(parts), stored, whole=whole, report=report)
        _check_versions(view, gallery, opened, report)
        registered = used_names(view)
        strays = [name for name in store.names() if name not in registered]
        report.notes += [f"{name} belongs to no segment; the next writable open removes it" for name in strays]
    except Exception as error:  # whatever damage leads to belongs into the report
        report.problems.append(f"could not be checked to the end: {error}")
    finally:
        view.close()
    return report, states


def _open_all(catalogue: Catalogue, store: SegmentStore, gallery: Path) -> tuple[CatalogueView, Opened]:
    """A view with all its segments mapped: a compaction that goes on meanwhile must not look like damage."""
    for attempt in range(_ATTEMPTS):
        view = catalogue.view("verifying")
        opened: Opened = {}
        missing = 0
        try:
            meta = catalogue.meta
            rows: list[tuple[Meta, NewSegment]] = [(meta, row) for row in view.segments()]
            for version in view.versions():
                rows += [(version.meta, row) for row in view.version_segments(version.meta.codes_version)]
        except SwiftReIDError:  # the check finds it again, and reports it
            return view, opened
        for meta, row in rows:
            try:
                opened[row.name] = map_segment(store, gallery, meta.layout, row)
            except FileNotFoundError:
                missing += 1
                opened[row.name] = f"segment file {row.name} is missing"
            except SwiftReIDError as error:
                opened[row.name] = str(error)
        if not missing or attempt == _ATTEMPTS - 1:
            return view, opened
        view.close()
    raise AssertionError("unreachable: the last attempt returns")


def _check_versions(view: CatalogueView, gallery: Path, opened: Opened, report: VerifyReport) -> None:
    """Check the segments of versions that searches do not compare, and say that they are there."""
    for version in view.versions():
        meta = version.meta
        _check_encoder(gallery, meta, report)
        rows = 0
        for row in view.version_segments(meta.codes_version):
            rows += row.rows
            file = opened[row.name]
            if isinstance(file, str):
                report.problems.append(file)
                continue
            report.segments += 1
            report.bytes_checked += row.bytes
            broken = file.broken_columns()
            report.problems += [f"segment {row.name}: column {name} does not match its checksum" for name in broken]
        what = "kept to go back to" if version.state == "kept" else "of a re-encoding that is not finished"
        report.notes.append(f"{rows} rows of codes by encoder {meta.encoder_name!r} are {what}")


def _check_encoder(gallery: Path, meta: Meta, report: VerifyReport) -> None:
    path = gallery / meta.encoder_file
    if not meta.encoder_digest:
        return
    if not path.is_file():
        report.problems.append(f"{path.name} is missing")
    elif file_digest(path) != meta.encoder_digest:
        report.problems.append(f"{path.name} does not match its checksum")


def _check_segment(
    view: CatalogueView,
    gallery: Path,
    row: SegmentRow,
    file: SegmentFile | str,
    *,
    report: VerifyReport,
    states: dict[int, str],
) -> Columns | None:
    if isinstance(file, str):
        report.problems.append(file)
        return None
    try:
        filters = decode_filters(gallery, row, view.filters(row))
    except SwiftReIDError as error:
        report.problems.append(str(error))
        return None
    report.segments += 1
    report.bytes_checked += row.bytes + filters.cameras.nbytes + filters.times.nbytes
    broken = file.broken_columns()
    report.problems += [f"segment {row.name}: column {name} does not match its checksum" for name in broken]
    if (file.state if not broken else "") != (row.checked or ""):
        states[row.number] = file.state if not broken else ""
    if "seq" in broken:
        return None
    if (int(file.seqs[0]), int(file.seqs[-1])) != (row.first, row.last):
        report.problems.append(f"segment {row.name}: its first and last entry are not the registered ones")
    deleted = int(np.count_nonzero(filters.cameras == 0))
    if deleted != row.deleted:
        report.problems.append(f"segment {row.name}: {row.deleted} rows registered as deleted, {deleted} marked")
    live = filters.cameras != 0
    return Columns(file.seqs[live], filters.cameras[live], filters.times[live], {})


def _check_tail(view: CatalogueView, gallery: Path, meta: Meta, report: VerifyReport) -> Columns | None:
    parts: list[Columns] = []
    whole, damage = True, _Capped("unsealed chunks", report)
    chunks = view.chunks()
    for chunk in chunks:
        for stored in view.read_chunks(chunk.first, chunk.first):
            try:
                rows = decode_chunk(gallery, meta.layout, stored)
            except GalleryDamaged as error:
                whole = False
                damage.add(str(error))
                continue
            parts.append(Columns(rows.seqs, rows.cameras, rows.times, {}))
            report.bytes_checked += sum(len(blob) for blob in stored.blobs)
    damage.close()
    if not whole:
        return None
    tail = _join(parts)
    counted = view.tail_rows()
    if counted != len(tail):
        report.problems.append(f"{counted} unsealed entries are counted, {len(tail)} are stored")
    for first, last, rows_stated, *_ in chunks:
        if np.count_nonzero((tail.seqs >= first) & (tail.seqs <= last)) != rows_stated:
            report.problems.append(f"the unsealed rows from entry number {first} on are not those of their chunk")
    return tail


def _join(parts: list[Columns]) -> Columns:
    """Parts without their codes, joined."""
    none = Columns(np.empty(0, SEQ), np.empty(0, CAMERA), np.empty(0, TIME), {})
    return Columns(
        np.concatenate([none.seqs, *(part.seqs for part in parts)]),
        np.concatenate([none.cameras, *(part.cameras for part in parts)]),
        np.concatenate([none.times, *(part.times for part in parts)]),
        {},
    )


@dataclass
class _StatedEntries:
    """What the entries themselves say, in gallery order: sequence number, camera by name, time."""

    seqs: list[int] = field(default_factory=list)
    cameras: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


def _check_contents(view: CatalogueView, report: VerifyReport) -> _StatedEntries:
    """Recompute the checksum of every entry and thumbnail."""
    found = _StatedEntries()
    entries, thumbnails = _Capped("entries", report), _Capped("thumbnails", report)
    for (*stored, stated, digest), picture in view.contents():
        content: list[Any] = [_text(value) if isinstance(value, bytes) else value for value in stored]
        found.seqs.append(content[0])
        found.cameras.append(content[2])
        found.times.append(np.nan if content[3] is None else content[3])
        name = f"entry {content[1]!r} (number {content[0]})"
        text = entry_text(content, stated)
        report.bytes_checked += len(text) + len(picture or b"")
        if digest_of(text) != digest:
            entries.add(f"{name} does not match its checksum")
        if stated != (None if picture is None else digest_of(picture)):
            thumbnails.add(f"the thumbnail of {name} does not match its checksum")
    entries.close()
    thumbnails.close()
    return found


def _check_relations(
    view: CatalogueView, codes: Columns, stored: _StatedEntries, *, whole: bool, report: VerifyReport
) -> None:
    """Compare the live rows of codes with the entries, both in gallery order."""
    cameras = {camera.name: camera for camera in view.cameras()}
    seqs = np.array(stored.seqs, SEQ)
    numbers = np.array([cameras[name].number if name in cameras else -1 for name in stored.cameras], CAMERA)
    report.entries = len(seqs)
    if len(codes) and bool((np.diff(codes.seqs) <= 0).any()):
        report.problems.append("codes are not in gallery order, or there twice")
        return
    common, here, there = np.intersect1d(seqs, codes.seqs, assume_unique=True, return_indices=True)
    if whole and len(common) < len(seqs):
        report.problems.append(f"{len(seqs) - len(common)} entries have no codes")
    if len(common) < len(codes):
        report.problems.append(f"{len(codes) - len(common)} rows of codes have no entry")
    if not np.array_equal(numbers[here], codes.cameras[there]):
        report.problems.append("cameras of entries differ from the columns that filters use")
    if not np.array_equal(np.array(stored.times, TIME)[here], codes.times[there], equal_nan=True):
        report.problems.append("times of entries differ from the columns that filters use")
    found, counts = np.unique(numbers, return_counts=True)
    if dict(zip(found.tolist(), counts.tolist(), strict=True)) != {c.number: c.entries for c in cameras.values()}:
        report.problems.append("the counts of entries per camera are wrong, or a camera is missing")


def _text(stored: bytes) -> str:
    return stored.decode(errors="surrogateescape")
