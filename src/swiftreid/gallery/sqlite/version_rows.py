"""Codes by other encoders beside the active ones, as the database lists them."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import numpy as np

from swiftreid.gallery.catalogue import CodesVersion, LiveColumns, NewSegment, VersionSegment
from swiftreid.gallery.columns import CAMERA, SEQ, TIME
from swiftreid.gallery.errors import damaged
from swiftreid.gallery.meta import FORMAT, Meta
from swiftreid.gallery.sqlite.connection import fetch

_SEGMENT = "name, first, last, rows, bytes, digest, encoder, statistics, checked, cameras, number"


def versions(db: apsw.Connection, gallery: Path) -> list[CodesVersion]:
    """See `swiftreid.gallery.catalogue.CatalogueView.versions`."""
    rows = fetch(db, "SELECT number, state, meta FROM version ORDER BY number")
    try:
        return [CodesVersion(state, Meta.from_text(json.loads(text), FORMAT, number)) for number, state, text in rows]
    except (KeyError, ValueError, TypeError) as error:
        raise damaged(gallery, f"its list of versions makes no sense ({error!r})") from error


def version_segments(db: apsw.Connection, gallery: Path, version: int) -> list[VersionSegment]:
    """See `swiftreid.gallery.catalogue.CatalogueView.version_segments`."""
    query = f"SELECT {_SEGMENT} FROM version_segment WHERE version = ? ORDER BY number"
    found = []
    for row in fetch(db, query, (version,)):
        segment, cameras, number = NewSegment(*row[:-2]), row[-2], row[-1]
        # No checksum: a wrong camera has its entry encoded again, no more.
        if len(cameras) != segment.rows * CAMERA.itemsize:
            raise damaged(gallery, f"the cameras of segment {segment.name} are too short")
        found.append(VersionSegment(**vars(segment), cameras=np.frombuffer(cameras, CAMERA), number=number))
    return found


def columns(db: apsw.Connection) -> LiveColumns:
    """See `swiftreid.gallery.catalogue.CatalogueView.columns`."""
    rows = fetch(db, "SELECT seq, camera, time FROM entry ORDER BY seq")
    return LiveColumns(
        np.fromiter((row[0] for row in rows), SEQ, len(rows)),
        np.fromiter((row[1] for row in rows), CAMERA, len(rows)),
        np.fromiter((np.nan if row[2] is None else row[2] for row in rows), TIME, len(rows)),
    )
