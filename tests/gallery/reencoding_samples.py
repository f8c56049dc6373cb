"""Encoders to move galleries between, whose codes depend on entry, camera and encoder only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import gallery_samples as samples
import numpy as np

from swiftreid.gallery import Gallery, Waiting
from swiftreid.search.codes import CodeSpec

SPEC = CodeSpec.parse("id64 id160")


@dataclass(frozen=True)
class Other:
    """As much of an encoder as a gallery needs."""

    name: str = "other"
    spec: CodeSpec = SPEC
    by_camera: bool = False
    embedding: int | None = None

    @property
    def card(self) -> SimpleNamespace:
        return SimpleNamespace(name=self.name, embedding=self.embedding)

    @property
    def fingerprint(self) -> str:
        return self.name.ljust(16, "0")

    def save(self, path: Path) -> None:
        path.write_bytes(f"weights of {self.name}".encode())

    def codes_of(self, entries: Sequence[tuple[str, str]]) -> samples.Codes:
        """Codes of entries, given by id and camera."""
        rows = [
            np.random.default_rng([*f"{self.name} {id_} {camera if self.by_camera else ''}".encode()])
            for id_, camera in entries
        ]
        return {
            name: np.stack([rng.integers(0, 256, width, np.uint8) for rng in rows]).reshape(len(rows), width)
            for name, width in self.spec.row_bytes.items()
        }


def encode(work, encoder: Other, waiting: Sequence[Waiting]) -> None:
    if waiting:
        work.stage(waiting, encoder.codes_of([(one.entry.id, one.entry.camera) for one in waiting]))


def move(
    gallery: Gallery,
    encoder: Other | None,
    *,
    by: Other | None = None,
    between: Callable[[int], object] = lambda step: None,
    batch: int = 7,
    drop: Collection[int] = (),
) -> None:
    """Re-encode a gallery, ``batch`` entries at a time, with something done between batches.

    Without ``encoder`` go back, and encode what was added since ``by`` the encoder of before.
    """
    used = by or encoder
    with gallery.reencoding(encoder, by_camera=bool(used and used.by_camera)) as work:
        step = 0
        while True:
            for start in range(0, len(todo := work.pending()), batch):
                encode(work, used, work.waiting(todo[start : start + batch].tolist()))
                work.flush()
                between(step)
                step += 1
            if work.switch(lambda waiting: encode(work, used, waiting), drop=drop):
                return


def assert_codes(path: Path, encoder: Other) -> None:
    """Every entry has the codes that the encoder makes of it, in each way in which they can be had."""
    with Gallery.open(path) as gallery:
        report = gallery.verify()
        assert report.problems == []
        assert (gallery.encoder_name, gallery.fingerprint, gallery.spec) == (
            encoder.name,
            encoder.fingerprint,
            encoder.spec,
        )
        assert gallery.encoder_file is not None
        assert gallery.encoder_file.read_bytes() == f"weights of {encoder.name}".encode()
        entries = list(gallery)
        expected = encoder.codes_of([(entry.id, entry.camera) for entry in entries]) if entries else {}
        with gallery.snapshot() as view:
            live = np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask)
            assert view.ids(live) == [entry.id for entry in entries]
            for name, rows in expected.items():
                np.testing.assert_array_equal(view.table.rows(name, live), rows)
