"""Codes by other encoders beside the active ones: in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace

import apsw

from swiftreid.gallery.catalogue import NewSegment, VersionSegment
from swiftreid.gallery.columns import CAMERA, Columns
from swiftreid.gallery.meta import Meta
from swiftreid.gallery.sqlite.connection import get_codes_version, get_state, next_token, set_state
from swiftreid.gallery.sqlite.registration import insert_segment

_KEPT = "kept"


def new_version(db: apsw.Connection, active: Meta, meta: Meta) -> Meta:
    """See `swiftreid.gallery.catalogue.Catalogue.new_version`."""
    number = get_state(db, "next_version")
    first = active.first_fingerprint or active.fingerprint
    made = replace(meta, codes_version=number, first_fingerprint=first)
    db.execute("INSERT INTO version VALUES (?, 'filling', ?)", (number, json.dumps(made.to_text())))
    set_state(db, "next_version", number + 1)
    return made


def set_encoder_digest(db: apsw.Connection, version: int, digest: str) -> None:
    """See `swiftreid.gallery.catalogue.Catalogue.set_encoder_digest`."""
    text = json.loads(db.execute("SELECT meta FROM version WHERE number = ?", (version,)).get)
    changed = json.dumps(text | {"encoder_digest": digest})
    db.execute("UPDATE version SET meta = ? WHERE number = ?", (changed, version))


def exchange(
    db: apsw.Connection, version: int, added: Sequence[VersionSegment], removed: Sequence[VersionSegment]
) -> None:
    """See `swiftreid.gallery.catalogue.Catalogue.exchange`."""
    db.executemany("DELETE FROM version_segment WHERE number = ?", [(row.number,) for row in removed])
    db.executemany(
        "INSERT INTO version_segment (name, first, last, rows, bytes, digest, encoder, statistics, checked, cameras, "
        "version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                row.name, row.first, row.last, row.rows, row.bytes, row.digest, row.encoder, row.statistics,
                row.checked, row.cameras.astype(CAMERA).tobytes(), version,
            )
            for row in added
        ],
    )  # fmt: skip


def drop_versions(db: apsw.Connection, numbers: Collection[int]) -> None:
    """See `swiftreid.gallery.catalogue.Catalogue.drop_versions`."""
    db.executemany("DELETE FROM version WHERE number = ?", [(number,) for number in numbers])


def switch(
    db: apsw.Connection,
    active: Meta,
    new: Meta,
    segments: Sequence[tuple[NewSegment, Columns]],
    kept: Sequence[VersionSegment],
) -> int:
    """See `swiftreid.gallery.catalogue.Catalogue.switch`."""
    token = next_token(db)
    db.execute("DELETE FROM version WHERE state = ? OR number = ?", (_KEPT, new.codes_version))
    db.execute("DELETE FROM segment")
    db.execute("DELETE FROM chunk")
    db.execute("DELETE FROM meta")
    db.execute("INSERT INTO version VALUES (?, ?, ?)", (get_codes_version(db), _KEPT, json.dumps(active.to_text())))
    exchange(db, active.codes_version, kept, ())
    db.executemany("INSERT INTO meta VALUES (?, ?)", new.to_text().items())
    for segment, rows in segments:
        insert_segment(db, segment, rows, token)
    set_state(db, "tail_rows", 0)
    set_state(db, "codes_version", new.codes_version)
    set_state(db, "unsettled", 1)
    return token
