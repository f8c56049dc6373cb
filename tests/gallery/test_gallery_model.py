"""Random sequences of calls, compared with a dictionary after every step."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swiftreid.errors import UsageError
from swiftreid.gallery import DuplicateIds, Entry, Gallery
from swiftreid.search.codes import CodeSpec

SPEC = CodeSpec.parse("id32 id64")
IDS = st.integers(0, 60).map(lambda i: f"e{i}")
_MEMORY = Path("/dev/shm")  # thousands of flushes; whether they are made is tested elsewhere
TIMES = st.none() | st.integers(0, 20).map(float)


class GalleryMachine(RuleBasedStateMachine):
    @initialize(size=st.integers(1, 9))
    def begin(self, size):
        self.folder = Path(tempfile.mkdtemp(prefix="gallery-", dir=_MEMORY if _MEMORY.is_dir() else None))
        self.gallery = Gallery.create(
            self.folder / "g", encoder_name="e", fingerprint="f", spec=SPEC, segment_size=size
        )
        self.rng = np.random.default_rng(size)
        self.model: dict[str, tuple[Entry, dict[str, np.ndarray]]] = {}
        self.old = None

    def teardown(self):
        if hasattr(self, "gallery"):
            if self.old:
                self.old[0].close()
            self.gallery.close()
            shutil.rmtree(self.folder)

    @rule(
        ids=st.lists(IDS, max_size=12), camera=st.integers(0, 3), time=TIMES, picture=st.none() | st.binary(max_size=9)
    )
    def add(self, ids, camera, time, picture):
        entries = [Entry(id_, f"c{(camera + i) % 4}", time, None, None, {}, picture) for i, id_ in enumerate(ids)]
        codes = {n: self.rng.integers(0, 256, (len(ids), b), np.uint8) for n, b in SPEC.row_bytes.items()}
        wrong = len(set(ids)) < len(ids) or any(id_ in self.model for id_ in ids)
        if wrong:
            with pytest.raises(DuplicateIds):
                self.gallery.add(entries, codes, fingerprint="f")
        else:
            assert self.gallery.add(entries, codes, fingerprint="f") == len(ids)
            for i, entry in enumerate(entries):
                self.model[entry.id] = (entry, {n: codes[n][i] for n in SPEC})

    @rule(ids=st.lists(IDS, max_size=20))
    def delete(self, ids):
        assert self.gallery.delete(ids) == len(set(ids) & set(self.model))
        for id_ in set(ids):
            self.model.pop(id_, None)

    @rule()
    def compact(self):
        self.gallery.compact()
        assert self.gallery.info().deleted == 0

    @rule(read_only=st.booleans())
    def reopen(self, read_only):
        self.gallery.close()
        Gallery.open(self.folder / "g", read_only=read_only).close()
        self.gallery = Gallery.open(self.folder / "g")

    @rule()
    def keep_snapshot(self):
        if self.old:
            self.old[0].close()
        self.old = (self.gallery.snapshot(), dict(self.model))

    @precondition(lambda self: getattr(self, "old", None))
    @rule()
    def old_snapshot_is_unchanged(self):
        self.compare(*self.old)

    @rule(
        cameras=st.none() | st.sets(st.integers(0, 3)),
        without=st.none() | st.sets(st.integers(0, 5)),
        after=TIMES,
        before=TIMES,
        exclude=st.none() | st.lists(IDS, max_size=5),
    )
    def filtered(self, cameras, without, after, before, exclude):
        if after is not None and before is not None and after >= before:
            with pytest.raises(UsageError, match="no time is both"):
                self.gallery.snapshot(after=after, before=before)
            return
        names = None if cameras is None else {f"c{c}" for c in cameras}
        others = None if without is None else {f"c{c}" for c in without}
        wanted = [
            id_
            for id_, (entry, _) in self.model.items()
            if (names is None or entry.camera in names)
            and (others is None or entry.camera not in others)
            and (after is None or (entry.time is not None and entry.time >= after))
            and (before is None or (entry.time is not None and entry.time < before))
            and id_ not in (exclude or [])
        ]
        with self.gallery.snapshot(
            cameras=names, not_cameras=others or (), after=after, before=before, exclude_ids=exclude or ()
        ) as view:
            mask = np.ones(len(view), bool) if view.mask is None else view.mask
            assert view.ids(np.flatnonzero(mask)) == wanted
            assert view.live == len(wanted)

    def compare(self, view, model):
        positions = np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask)
        assert view.ids(positions) == list(model)
        for name in SPEC:
            rows = view.table.rows(name, positions)
            assert rows.tolist() == [codes[name].tolist() for _, codes in model.values()]
        for position, (entry, _) in zip(positions, model.values(), strict=True):
            assert view.thumbnail(position) == entry.thumbnail

    @invariant()
    def holds_what_the_model_holds(self):
        if hasattr(self, "gallery"):
            with self.gallery.snapshot() as view:
                self.compare(view, self.model)
            report = self.gallery.verify()
            assert (report.problems, report.notes, report.entries) == ([], [], len(self.model))
            for id_ in list(self.model)[:3]:
                stored = self.gallery.get(id_)
                assert stored.entry == self.model[id_][0]
                assert all(np.array_equal(stored.codes[n], self.model[id_][1][n]) for n in SPEC)


TestGalleryMachine = GalleryMachine.TestCase
TestGalleryMachine.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
