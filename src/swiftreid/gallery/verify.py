"""Verification: every checksum and every relation between the gallery's files and tables."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import numpy as np

from swiftreid.errors import SwiftReIDError
from swiftreid.gallery.columns import Columns, join
from swiftreid.gallery.digests import digest_of, entry_text
from swiftreid.gallery.errors import GalleryDamaged
from swiftreid.gallery.schema import ENCODER, Meta, fetch, get_state
from swiftreid.gallery.segments import SegmentRow, unregistered_files
from swiftreid.gallery.tail import each_chunk
from swiftreid.gallery.view import Cache, read_filters, segment_file, segment_rows

_SHOWN = 20
_LOST_THUMBNAILS = """
SELECT count(*) FROM thumbnail
WHERE seq NOT IN (SELECT seq FROM entry) AND picture <> zeroblob(length(picture))
"""
# Text is read as bytes, so that an altered row with broken Unicode can still be named.
_CONTENTS = """
SELECT entry.seq, CAST(entry.id AS BLOB), CAST(camera.name AS BLOB), entry.time, CAST(entry.person AS BLOB),
    CAST(entry.source AS BLOB), CAST(entry.labels AS BLOB), entry.thumbnail_digest, entry.digest, thumbnail.picture
FROM entry LEFT JOIN camera ON camera.number = entry.camera LEFT JOIN thumbnail ON thumbnail.seq = entry.seq
ORDER BY entry.seq
"""


@dataclass
class VerifyReport:
    """The result of a verification.

    Attributes:
        problems: what is wrong, one sentence each; empty when the gallery is whole.
        notes: what is harmless, such as files of a killed process that the next writable open removes.
        entries: entries found in the database.
        segments: segment files checked.
        bytes_checked: bytes whose checksums were computed, in segment files and in the database.
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


def file_digest(path: Path) -> str:
    """BLAKE2b-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()


def verify_gallery(db: apsw.Connection, gallery: Path, meta: Meta, cache: Cache) -> VerifyReport:
    """Check everything in the caller's read transaction, with the files it opened; damage is listed, not raised."""
    report = VerifyReport()
    _check_database(db, report)
    _check_encoder(gallery, meta, report)
    try:
        rows = segment_rows(db)
        parts = [_check_segment(db, gallery, meta, row, cache, report=report) for row in rows]
        tail = _check_tail(db, gallery, meta, report)
        known = [part for part in [*parts, tail] if part is not None]
        whole = len(known) == len(parts) + 1
        _check_relations(db, join(meta.spec, known), whole, report)
        _check_contents(db, report)
        for path in unregistered_files(gallery, {row.name for row in rows}):
            report.notes.append(f"{path.name} belongs to no segment; the next writable open removes it")
    except Exception as error:  # whatever damage leads to belongs into the report
        report.problems.append(f"could not be checked to the end: {error}")
    return report


def _check_database(db: apsw.Connection, report: VerifyReport) -> None:
    try:
        found = [row[0] for row in db.execute(f"PRAGMA integrity_check({_SHOWN})")]
        report.problems += [f"gallery.db: {line}" for line in found if line != "ok"]
        for table, rowid, parent, _ in db.execute("PRAGMA foreign_key_check"):
            report.problems.append(f"gallery.db: row {rowid} of table {table} has no row in table {parent}")
    except (apsw.Error, UnicodeDecodeError) as error:
        report.problems.append(f"gallery.db: {error}")


def _check_encoder(gallery: Path, meta: Meta, report: VerifyReport) -> None:
    path = gallery / ENCODER
    if not meta.encoder_digest:
        return
    if not path.is_file():
        report.problems.append(f"{ENCODER} is missing")
    elif file_digest(path) != meta.encoder_digest:
        report.problems.append(f"{ENCODER} does not match its checksum")


def _check_segment(
    db: apsw.Connection, gallery: Path, meta: Meta, row: SegmentRow, cache: Cache, *, report: VerifyReport
) -> Columns | None:
    try:
        file = segment_file(gallery, meta.spec, row, cache, ())
        cameras, times = read_filters(db, gallery, row, cache)
    except FileNotFoundError:
        report.problems.append(f"segment file {row.name} is missing")
        return None
    except SwiftReIDError as error:
        report.problems.append(str(error))
        return None
    report.segments += 1
    report.bytes_checked += row.bytes + cameras.nbytes + times.nbytes
    broken = file.broken_columns()
    report.problems += [f"segment {row.name}: column {name} does not match its checksum" for name in broken]
    if "seq" in broken:
        return None
    if (int(file.seqs[0]), int(file.seqs[-1])) != (row.first, row.last):
        report.problems.append(f"segment {row.name}: its first and last entry are not the registered ones")
    deleted = int(np.count_nonzero(cameras == 0))
    if deleted != row.deleted:
        report.problems.append(f"segment {row.name}: {row.deleted} rows registered as deleted, {deleted} marked")
    return Columns(file.seqs, cameras, times, file.codes).take(cameras != 0)


def _check_tail(db: apsw.Connection, gallery: Path, meta: Meta, report: VerifyReport) -> Columns | None:
    parts: list[Columns] = []
    whole, damage = True, _Capped("unsealed chunks", report)
    for chunk in each_chunk(db, gallery, meta.spec):
        if isinstance(chunk, GalleryDamaged):
            whole = False
            damage.add(str(chunk))
        else:
            parts.append(chunk)
            report.bytes_checked += sum(len(blob) for blob in chunk.to_blobs())
    damage.close()
    if not whole:
        return None
    tail = join(meta.spec, parts)
    counted = get_state(db, "tail_rows")
    if counted != len(tail):
        report.problems.append(f"{counted} unsealed entries are counted, {len(tail)} are stored")
    for first, last, rows in db.execute("SELECT first, last, rows FROM chunk"):
        if np.count_nonzero((tail.seqs >= first) & (tail.seqs <= last)) != rows:
            report.problems.append(f"the unsealed rows from entry number {first} on are not those of their chunk")
    return tail


def _check_relations(db: apsw.Connection, codes: Columns, whole: bool, report: VerifyReport) -> None:
    """Compare the live rows of codes with the table of entries, both in gallery order."""
    stored = np.array(
        [(seq, camera, np.nan if time is None else time) for seq, camera, time in _entries(db)],
        dtype=[("seq", "<i8"), ("camera", "<i4"), ("time", "<f8")],
    )
    report.entries = len(stored)
    if len(codes) and bool((np.diff(codes.seqs) <= 0).any()):
        report.problems.append("codes are not in gallery order, or there twice")
        return
    common, here, there = np.intersect1d(stored["seq"], codes.seqs, assume_unique=True, return_indices=True)
    if whole and len(common) < len(stored):
        report.problems.append(f"{len(stored) - len(common)} entries have no codes")
    if len(common) < len(codes):
        report.problems.append(f"{len(codes) - len(common)} rows of codes have no entry")
    if not np.array_equal(stored["camera"][here], codes.cameras[there]):
        report.problems.append("cameras of entries differ from the columns that filters use")
    if not np.array_equal(stored["time"][here], codes.times[there], equal_nan=True):
        report.problems.append("times of entries differ from the columns that filters use")
    lost = fetch(db, _LOST_THUMBNAILS)[0][0]
    if lost:
        report.problems.append(f"{lost} thumbnails have no entry")
    numbers, counts = np.unique(stored["camera"], return_counts=True)
    counted: dict[int, int] = dict(fetch(db, "SELECT number, entries FROM camera"))
    if dict(zip(numbers.tolist(), counts.tolist(), strict=True)) != counted:
        report.problems.append("the counts of entries per camera are wrong, or a camera is missing")


def _check_contents(db: apsw.Connection, report: VerifyReport) -> None:
    """Recompute the checksum of every entry and thumbnail."""
    entries, thumbnails = _Capped("entries", report), _Capped("thumbnails", report)
    for *stored, stated, digest, picture in db.execute(_CONTENTS):
        content = [_text(value) if isinstance(value, bytes) else value for value in stored]
        name = f"entry {content[1]!r} (number {content[0]})"
        text = entry_text(content, stated)
        report.bytes_checked += len(text) + len(picture or b"")
        if digest_of(text) != digest:
            entries.add(f"{name} does not match its checksum")
        if stated != (None if picture is None else digest_of(picture)):
            thumbnails.add(f"the thumbnail of {name} does not match its checksum")
    entries.close()
    thumbnails.close()


def _text(stored: bytes) -> str:
    return stored.decode(errors="surrogateescape")


def _entries(db: apsw.Connection) -> apsw.Cursor:
    return db.execute("SELECT seq, camera, time FROM entry ORDER BY seq")
