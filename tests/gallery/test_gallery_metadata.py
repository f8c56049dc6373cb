"""Labels, people and tracks to filter by; listing, updating, replacing and holding entries; embeddings."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import gallery_samples as samples
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from swiftreid.errors import UsageError
from swiftreid.gallery import BadEntry, DuplicateIds, Embedding, EntriesHeld, Entry, EntryNotFound, Gallery
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import CodeSpec

IDS = [f"e{i}" for i in range(34)]


def entry(id_: str) -> Entry:
    number = int(id_[1:])
    return Entry(
        id_,
        f"c{number % 3}",
        float(number) if number % 4 else None,
        f"p{number % 5}" if number % 6 else None,
        f"/video/{number}",
        {"bag": "yes" if number % 2 else "no", "hat": f"h{number % 3}"} if number % 7 else {},
        f"jpeg {id_}".encode(),
        track=f"t{number // 4}" if number % 8 else None,
        frame=number * 5,
        start=float(number),
        end=number + 0.5,
        picture_sha256=f"{number:064x}",
    )


@pytest.fixture
def filled(gallery):
    gallery.add([entry(id_) for id_ in IDS], samples.codes_of(IDS), fingerprint=samples.PRINT)
    gallery.delete(["e5", "e17", "e33"])
    return gallery


def found(gallery, **filters):
    with gallery.snapshot(**filters) as view:
        mask = np.ones(len(view), bool) if view.mask is None else view.mask
        assert view.live == mask.sum()
        return view.ids(np.flatnonzero(mask))


LABELS = [None, {}, {"bag": "yes"}, {"bag": ["yes", "no"]}, {"bag": "no", "hat": ["h0", "h2"]}, {"x": "y"}, {"bag": []}]
PERSONS = [None, ["p1"], ["p0", "p3", "nobody"], []]
TRACKS = [None, ["t1", "t5"], ["t99"]]
TIMES = [(None, None), (8.0, 25.0)]
CAMERAS = [(None, None), (["c0", "c2"], None), (None, ["c1"])]


def test_snapshots_and_lists_filter_alike_and_as_is_said(filled):
    there = [entry(id_) for id_ in IDS if id_ not in {"e5", "e17", "e33"}]
    for labels, persons, tracks, (after, before), (cameras, without) in product(
        LABELS, PERSONS, TRACKS, TIMES, CAMERAS
    ):
        expected = [
            one
            for one in there
            if all(one.labels.get(n) in ([v] if isinstance(v, str) else v) for n, v in (labels or {}).items())
            and (persons is None or one.person in persons)
            and (tracks is None or one.track in tracks)
            and (after is None or (one.time is not None and after <= one.time < before))
            and (cameras is None or one.camera in cameras)
            and one.camera not in (without or [])
        ]
        filters = {"labels": labels, "persons": persons, "tracks": tracks, "after": after, "before": before}
        filters |= {"cameras": cameras, "not_cameras": without or ()}
        assert found(filled, **filters) == [one.id for one in expected]
        assert filled.list(**filters) == [replace(one, thumbnail=None) for one in expected]


def test_length_iteration_membership_and_pages(filled):
    there = [id_ for id_ in IDS if id_ not in {"e5", "e17", "e33"}]
    assert len(filled) == len(there) == filled.info().entries
    assert [one.id for one in filled] == there
    assert "e3" in filled
    assert "e5" not in filled
    assert bool(filled)
    assert [one.id for one in filled.list(limit=4)] == there[:4]
    assert [one.id for one in filled.list(limit=4, offset=30)] == there[30:]
    pages, last = [], None
    while page := filled.list(limit=7, after_id=last):
        pages += page
        last = page[-1].id
    assert [one.id for one in pages] == there
    with pytest.raises(EntryNotFound, match="'e5' to continue after"):
        filled.list(after_id="e5")
    for wrong in (
        {"limit": -1},
        {"offset": -1},
        {"persons": "p1"},
        {"labels": ["bag"]},
        {"tracks": "t"},
        {"persons": [7]},
        {"camera": ["c1"]},
    ):
        with pytest.raises(UsageError):
            filled.list(**wrong)


def test_iteration_goes_on_page_by_page(gallery, monkeypatch):
    monkeypatch.setattr("swiftreid.gallery.reader._PAGE", 4)
    samples.add(gallery, IDS[:12])
    seen = []
    for one in gallery:
        seen.append(one.id)
        if one.id == "e2":
            gallery.delete(["e3", "e9"])  # one of this page, one of a later one
            samples.add(gallery, ["late"])
    assert seen == [*IDS[:9], "e10", "e11", "late"]


def test_every_field_comes_back_and_arrival_is_set(filled, monkeypatch):
    monkeypatch.setattr("swiftreid.gallery.writer.time.time", lambda: 1234.5)
    filled.add([Entry("new", "c1")], samples.codes_of(["new"]), fingerprint=samples.PRINT)
    assert filled.get("new").entry.arrival == 1234.5
    given = Entry("given", "c1", arrival=7.0)
    filled.add([given], samples.codes_of(["given"]), fingerprint=samples.PRINT)
    assert filled.get("given").entry.arrival == 7.0
    for id_ in ("e3", "e32"):
        assert filled.get(id_).entry == entry(id_)
        assert filled.get(id_).entry.arrival is not None
    filled.close()
    with Gallery.open(filled.path, read_only=True) as again:
        assert again.get("e3").entry == entry("e3")
        assert again.verify().problems == []


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"track": 7}, "track must be text"),
        ({"frame": -1}, "frames are numbered from 0 on"),
        ({"frame": 1.5}, "frame must be a whole number"),
        ({"frame": True}, "frame must be a whole number"),
        ({"start": float("nan")}, "start is nan"),
        ({"start": 2.0, "end": 1.0}, "end is 1.0, before its start 2.0"),
        ({"arrival": 1e20}, "arrival is"),
        ({"picture_sha256": "ABC"}, "64 hexadecimal digits"),
    ],
)
def test_bad_fields_are_refused(gallery, bad, says):
    with pytest.raises(BadEntry, match=says):
        gallery.add([Entry("a", "c", **bad)], samples.codes_of(["a"]), fingerprint=samples.PRINT)
    samples.add(gallery, ["e1"])
    if "arrival" not in bad:
        with pytest.raises(BadEntry, match=says):
            gallery.update("e1", **bad)
    assert gallery.get("e1").entry == samples.entries_of(["e1"])[0]


def test_update_of_one_and_of_several(filled):
    before = filled.get("e2")
    assert filled.update("e2", person="someone", labels={"bag": "new", "é": "ü"}) == 1
    after = filled.get("e2")
    assert before.entry.labels == {"bag": "no", "hat": "h2"}
    assert after.entry == replace(before.entry, person="someone", labels={"bag": "new", "hat": "h2", "é": "ü"})
    assert after.thumbnail == before.thumbnail
    assert found(filled, labels={"é": "ü"}) == ["e2"]
    assert found(filled, labels={"bag": "no", "hat": "h2"}, persons=["p2"]) == ["e32"]
    assert filled.update(["e1", "e31"], camera="hall", time=99.0) == 2  # one sealed, one not
    assert found(filled, cameras=["hall"]) == ["e1", "e31"]
    assert found(filled, after=98.0) == ["e1", "e31"]
    assert filled.update("e1", time=None, track=None) == 1
    assert found(filled, after=98.0) == ["e31"]
    assert filled.cameras() == ["c0", "c1", "c2", "hall"]
    assert filled.verify().problems == []
    filled.compact()
    assert filled.get("e31").entry.camera == "hall"
    assert filled.verify().problems == []
    with pytest.raises(EntryNotFound, match="'nobody'"):
        filled.update(["e1", "nobody"], person="x")
    for wrong in ({}, {"id": "x"}, {"thumbnail": b""}):
        with pytest.raises(UsageError):
            filled.update("e1", **wrong)


def test_update_each_is_one_write(filled):
    before = [filled.get(id_).entry for id_ in ("e1", "e2", "e31")]
    changes = {
        "e1": {"person": "a", "labels": {"bag": None, "x": "1"}},
        "e31": {"camera": "hall", "time": "1970-01-02"},
    }
    written = filled.update_each(changes)
    assert written == 2
    assert written.token == filled.update("e2", person="p2").token - 1
    one, _, last = (filled.get(id_).entry for id_ in ("e1", "e2", "e31"))
    labels = {name: value for name, value in before[0].labels.items() if name != "bag"} | {"x": "1"}
    assert one == replace(before[0], person="a", labels=labels)
    assert last == replace(before[2], camera="hall", time=86400.0)
    assert "e31" in found(filled, cameras=["hall"])
    assert "e1" in found(filled, labels={"x": "1"})
    for wrong in ({"e1": {"person": "b"}, "nobody": {"person": "b"}}, {"e1": {"person": "b"}, "e2": {"persons": "b"}}):
        with pytest.raises((EntryNotFound, UsageError)):
            filled.update_each(wrong)
    assert filled.get("e1").entry == one
    assert filled.update_each({}) == 0


def test_a_snapshot_taken_before_an_update_shows_the_old_state(filled):
    with filled.snapshot(cameras=["c1"]) as old:
        filled.update(["e1", "e31"], camera="hall")
        assert "e1" in old.ids(np.flatnonzero(old.mask))
        assert old.entries([1])[0].camera == "c1"
        with filled.snapshot(cameras=["c1"]) as new:
            assert "e1" not in new.ids(np.flatnonzero(new.mask))


def test_what_an_update_overwrites_is_erased_by_compaction(gallery):
    secret = Entry("e1", "camera-secret", 5.0, "person-secret", "source-secret", {"label-secret": "value-secret"})
    others = samples.entries_of(IDS[2:])
    gallery.add([secret, *others], samples.codes_of(IDS[1:]), fingerprint=samples.PRINT)
    gallery.update("e1", person="known", source="s", labels=None, camera="c0")
    gallery.compact()
    for file in gallery.path.rglob("*"):
        assert file.is_dir() or b"-secret" not in file.read_bytes(), file
    assert gallery.verify().problems == []


def test_replacing_is_one_write(filled):
    with pytest.raises(DuplicateIds):
        filled.add([entry("e3")], samples.codes_of(["e3"]), fingerprint=samples.PRINT)
    batch = [Entry("e3", "new", thumbnail=b"n"), Entry("e40", "new"), Entry("e30", "new")]
    codes = samples.codes_of(["x", "y", "z"])
    count = len(filled)
    token = filled.add(batch, codes, fingerprint=samples.PRINT, replace=True).token
    assert len(filled) == count + 1
    assert [one.id for one in filled][-3:] == ["e3", "e40", "e30"]
    assert found(filled, cameras=["new"]) == ["e3", "e40", "e30"]
    with filled.snapshot(after_token=token) as view:
        assert view.token == token
    assert filled.get("e3").thumbnail == b"n"
    assert np.array_equal(filled.get("e3").codes["id96"], codes["id96"][0])
    with pytest.raises(DuplicateIds, match="more than once"):
        filled.add([batch[0]] * 2, samples.codes_of(["x", "y"]), fingerprint=samples.PRINT, replace=True)
    filled.compact()
    assert filled.verify().problems == []


def test_held_entries_stay_until_they_are_released(filled):
    filled.hold(["e3", "e4"], "case 12")
    assert filled.held() == {"e3": "case 12", "e4": "case 12"}
    assert filled.info().held == 2
    for change in (
        lambda: filled.delete(["e1", "e4"]),
        lambda: filled.add([entry("e3")], samples.codes_of(["e3"]), fingerprint=samples.PRINT, replace=True),
    ):
        with pytest.raises(EntriesHeld, match=r"case 12.*Nothing was done"):
            change()
    assert filled.existing(["e1", "e3", "e4"]) == {"e1", "e3", "e4"}
    filled.compact()
    filled.release(["e4"])
    assert filled.delete(["e1", "e4"]) == 2
    assert filled.held() == {"e3": "case 12"}
    with pytest.raises(EntryNotFound):
        filled.hold(["nobody"], "x")
    with pytest.raises(UsageError):
        filled.hold(["e3"], " ")
    assert filled.verify().problems == []


def test_a_label_index_that_was_altered_is_named(filled):
    import apsw

    from swiftreid.gallery.sqlite import DATABASE

    db = apsw.Connection(str(filled.path / DATABASE))
    db.execute("DELETE FROM entry_label WHERE seq = 5")
    db.execute("UPDATE label SET value = 'h9' WHERE value = 'h1'")
    db.close()
    assert any(
        "labels of entries differ from those that filters use" in problem for problem in filled.verify().problems
    )


def test_segments_keep_codes_of_different_statistics_apart(gallery):
    for first, statistics in ((0, 1), (6, 1), (12, 2), (18, 2), (24, 2)):
        some = [f"e{i}" for i in range(first, first + 6)]
        gallery.add(samples.entries_of(some), samples.codes_of(some), fingerprint=samples.PRINT, statistics=statistics)
    view = gallery._catalogue.view("looking")
    rows = view.segments()
    view.close()
    assert [(row.rows, row.statistics, row.encoder) for row in rows] == [
        (10, 1, samples.PRINT),
        (2, 1, samples.PRINT),
        (10, 2, samples.PRINT),
    ]
    gallery.delete([f"e{i}" for i in range(9)])
    gallery.compact()
    view = gallery._catalogue.view("looking")
    assert [(row.rows, row.statistics) for row in view.segments()] == [(3, 1), (10, 2)]
    view.close()
    assert gallery.verify().problems == []
    assert [one.id for one in gallery] == [f"e{i}" for i in range(9, 30)]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("spec", ["id32 id96", ""])
def test_embeddings_are_kept_searched_and_compacted(path, dtype, spec):
    rng = np.random.default_rng(3)
    spec = CodeSpec.parse(spec)
    vectors = rng.standard_normal((25, 8)).astype(np.float32)
    codes = {name: rng.integers(0, 256, (25, width), np.uint8) for name, width in spec.row_bytes.items()}
    kept = vectors.astype(dtype)
    with Gallery.create(
        path, encoder_name="e", fingerprint="f", spec=spec, embedding=Embedding(8, dtype), segment_size=10
    ) as gallery:
        entries = [Entry(f"e{i}", "c1") for i in range(25)]
        gallery.add(entries, codes, embeddings=vectors, fingerprint="f")
        gallery.delete(["e3", "e21"])
        gallery.compact()
        assert gallery.verify().problems == []
        assert gallery.info().embedding == f"{dtype} 8"
    with Gallery.open(path, read_only=True) as gallery, gallery.snapshot() as view:
        assert gallery.embedding == Embedding(8, dtype)
        left = [i for i in range(25) if i not in {3, 21}]
        for i in left:
            stored = gallery.get(f"e{i}")
            assert np.array_equal(stored.embedding, kept[i])
            assert set(stored.codes) == set(spec)
        cascade = Cascade.parse("id32<=32 > embedding" if len(spec) else "embedding")
        query = {"embedding": vectors[7:8]} | {name: code[7:8] for name, code in codes.items()}
        result = cascade.search(view.table, query, k=4, mask=view.mask, min_candidates=0)
        apart = ((kept[left].astype(float) - vectors[7]) ** 2).sum(axis=1)
        nearest = np.argsort(apart)[:4]
        assert view.ids(result.indices[0, : result.counts[0]]) == [f"e{left[i]}" for i in nearest]


def test_embeddings_that_do_not_fit_are_refused(path, gallery):
    with pytest.raises(UsageError, match="keeps no embeddings, and some were given"):
        gallery.add(
            samples.entries_of(["a"]),
            samples.codes_of(["a"]),
            embeddings=np.zeros((1, 8), np.float32),
            fingerprint=samples.PRINT,
        )
    with Gallery.create(
        path.with_name("g"), encoder_name="e", fingerprint="f", spec=CodeSpec.parse("id32"), embedding=Embedding(8)
    ) as made:
        codes = {"id32": np.zeros((1, 4), np.uint8)}
        for wrong, says in (
            (None, "keeps embeddings float16 8, and none were given"),
            (np.zeros((1, 6), np.float32), "8 dimensions, got 6"),
            (np.zeros((2, 8), np.float32), "2 rows of embeddings"),
            (np.zeros((1, 8)), "float16 or float32"),
            (np.full((1, 8), np.nan, np.float32), "NaN"),
            (np.full((1, 8), 1e6, np.float32), "infinity"),  # too large for float16
        ):
            with pytest.raises(UsageError, match=says):
                made.add([Entry("a", "c")], codes, embeddings=wrong, fingerprint="f")
        assert len(made) == 0
    for size, dtype in ((7, "float16"), (0, "float16"), (8, "float64"), (20_000, "float32")):
        with pytest.raises(UsageError):
            Embedding(size, dtype)


class Card:
    name = "duck"
    embedding = 8


class Duck:
    """Like an encoder, as far as a gallery cares."""

    card = Card()
    fingerprint = "beef"
    spec = CodeSpec.parse("id32")

    def save(self, path):
        path.write_bytes(b"weights of a duck")


def test_a_gallery_is_made_from_an_encoder_in_one_argument(path):
    with Gallery.create(path, Duck(), embedding="float32") as made:
        assert (made.encoder_name, made.fingerprint, str(made.spec)) == ("duck", "beef", "id32")
        assert made.embedding == Embedding(8, "float32")
        assert made.encoder_file.read_bytes() == b"weights of a duck"
        assert made.encoder_file.stat().st_mode & 0o777 == 0o600
        assert made.verify().ok
    with pytest.raises(UsageError, match="not both"):
        Gallery.create(path.with_name("h"), Duck(), encoder_name="x")
    with pytest.raises(UsageError, match="lacks its size"):
        Gallery.create(path.with_name("h"), encoder_name="e", fingerprint="f", spec=Duck.spec, embedding="float16")


ID = st.integers(0, 12).map(lambda i: f"e{i}")
FIELDS = st.fixed_dictionaries(
    {
        "camera": st.sampled_from(["c0", "c1", "c2"]),
        "time": st.none() | st.integers(0, 9).map(float),
        "person": st.none() | st.sampled_from(["p0", "p1"]),
        "labels": st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y", "ü"])),
        "track": st.none() | st.sampled_from(["t0", "t1"]),
    }
)
CHANGES = st.tuples(FIELDS, st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y", None]))).map(
    lambda both: {**both[0], "labels": both[1]}
)


class MetadataMachine(RuleBasedStateMachine):
    """Updates, replacements, deletions, holds and compactions against a dictionary in gallery order."""

    @initialize(size=st.integers(1, 7))
    def begin(self, size):
        import tempfile
        from pathlib import Path

        memory = Path("/dev/shm")
        self.folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.gallery = Gallery.create(
            Path(self.folder.name) / "g", encoder_name="e", fingerprint="f", spec=CodeSpec.parse("id32"),
            segment_size=size,
        )  # fmt: skip
        self.model: dict[str, Entry] = {}
        self.held: set[str] = set()

    def teardown(self):
        if hasattr(self, "gallery"):
            self.gallery.close()
            self.folder.cleanup()

    @rule(ids=st.lists(ID, unique=True, max_size=6), fields=FIELDS)
    def put(self, ids, fields):
        entries = [Entry(id_, **fields) for id_ in ids]
        codes = {"id32": np.zeros((len(ids), 4), np.uint8)}
        if self.held & set(ids):
            with pytest.raises(EntriesHeld):
                self.gallery.add(entries, codes, fingerprint="f", replace=True)
            return
        assert self.gallery.add(entries, codes, fingerprint="f", replace=True) == len(ids)
        for one in entries:
            self.model.pop(one.id, None)
            self.model[one.id] = one

    @rule(
        ids=st.lists(ID, unique=True, max_size=6), fields=CHANGES, some=st.sets(st.sampled_from(["camera", "labels"]))
    )
    def update(self, ids, fields, some):
        fields = {name: value for name, value in fields.items() if name not in some}
        if set(ids) - set(self.model):
            with pytest.raises(EntryNotFound):
                self.gallery.update(ids, **fields)
            return
        assert self.gallery.update(ids, **fields) == len(ids)
        for id_ in ids:
            labels = {**self.model[id_].labels, **fields.get("labels", {})}
            labels = {name: value for name, value in labels.items() if value is not None}
            self.model[id_] = replace(self.model[id_], **{**fields, "labels": labels})

    @rule(ids=st.lists(ID, unique=True, max_size=4))
    def delete(self, ids):
        if self.held & set(ids):
            with pytest.raises(EntriesHeld):
                self.gallery.delete(ids)
            return
        assert self.gallery.delete(ids) == len(set(ids) & set(self.model))
        for id_ in ids:
            self.model.pop(id_, None)

    @rule(id_=ID, held=st.booleans())
    def hold(self, id_, held):
        if id_ in self.model:
            self.gallery.hold([id_], "why") if held else self.gallery.release([id_])
            self.held = self.held | {id_} if held else self.held - {id_}

    @rule()
    def compact(self):
        self.gallery.compact()

    @invariant()
    def holds_what_the_model_holds(self):
        if hasattr(self, "gallery"):
            assert list(self.gallery) == list(self.model.values())
            assert self.gallery.verify().problems == []
            assert set(self.gallery.held()) == self.held
            for filters, wanted in (
                ({"cameras": ["c1"]}, lambda e: e.camera == "c1"),
                ({"after": 4.0}, lambda e: e.time is not None and e.time >= 4),
                ({"persons": ["p1"], "tracks": ["t0"]}, lambda e: e.person == "p1" and e.track == "t0"),
                ({"labels": {"a": ["x", "ü"]}}, lambda e: e.labels.get("a") in {"x", "ü"}),
            ):
                expected = [id_ for id_, one in self.model.items() if wanted(one)]
                assert found(self.gallery, **filters) == expected
                assert [one.id for one in self.gallery.list(**filters)] == expected


TestMetadata = MetadataMachine.TestCase
TestMetadata.settings = settings(
    max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
