"""Entries and codes that depend only on the id, so that any test or process can say what must be stored."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery import Entry, Gallery
from swiftreid.gallery.meta import SEGMENTS
from swiftreid.gallery.sqlite import DATABASE
from swiftreid.search.codes import CodeSpec

SPEC = CodeSpec.parse("id32 id96 attr30")
PRINT = "f00d" * 4
Codes = dict[str, NDArray[np.uint8]]


def codes_of(ids: list[str]) -> Codes:
    out: Codes = {name: np.empty((len(ids), width), np.uint8) for name, width in SPEC.row_bytes.items()}
    for row, id_ in enumerate(ids):
        for name, code in zip(SPEC, _codes_of_one(id_), strict=True):
            out[name][row] = code
    return out


@cache
def _codes_of_one(id_: str) -> tuple[NDArray[np.uint8], ...]:
    rng = np.random.default_rng(list(id_.encode()))
    return tuple(rng.integers(0, 256, width, np.uint8) for width in SPEC.row_bytes.values())


def entries_of(ids: list[str]) -> list[Entry]:
    return [_entry_of_one(id_) for id_ in ids]


@cache
def _entry_of_one(id_: str) -> Entry:
    rng = np.random.default_rng([1, *id_.encode()])
    camera, time = f"c{rng.integers(4)}", float(rng.integers(1000)) if rng.random() < 0.8 else None
    person = f"p{rng.integers(9)}" if rng.random() < 0.7 else None
    labels = {"bag": "yes"} if rng.random() < 0.3 else {}
    thumbnail = rng.bytes(int(rng.integers(1, 400))) if rng.random() < 0.8 else None
    return Entry(id_, camera, time, person, f"/pictures/{id_}", labels, thumbnail)


def segment(path: Path, number: int) -> Path:
    """The file of a segment, by its number."""
    db = apsw.Connection(str(path / DATABASE))
    name: str = db.execute("SELECT name FROM segment WHERE number = ?", (number,)).get
    db.close()
    return path / SEGMENTS / name


def add(gallery: Gallery, ids: list[str]) -> int:
    return gallery.add(entries_of(ids), codes_of(ids), fingerprint=PRINT)
