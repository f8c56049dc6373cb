"""The contract of `swiftreid.retrieval.searchable.Searchable`, as tests that every implementation runs unchanged.

Subclass `SearchableContract` and give it a fixture ``make``: a function that takes an encoder, and opens an empty
set of entries of its codes. Answers are compared bit for bit with a gallery in plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from drawn_figures import draw_person
from retrieval.naive_gallery import NaiveAnswer, NaiveGallery
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.vector_encoder import vector_encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.errors import EntryNotFound
from swiftreid.gallery.filters import Filters
from swiftreid.retrieval.answer import Answer
from swiftreid.retrieval.query import Query
from swiftreid.retrieval.searchable import Searchable

Make = Callable[[Encoder], Searchable]

SPEC = ("id32", "id128")
CASCADES: dict[str | None, list[tuple[Any, ...]]] = {
    None: [],
    "id128": [("id128", "all", None, False)],
    "id32<=9 > id128": [("id32", "threshold", 9, False), ("id128", "all", None, False)],
    "id32:top=3 > id128": [("id32", "top", 3, False), ("id128", "all", None, False)],
    "id32:share=0.3 > id128<=40": [("id32", "share", 0.3, False), ("id128", "threshold", 40, False)],
}
CAMERAS = ("door", "hall", "exit")
LABELS: list[dict[str, Any]] = [{}, {}, {"coat": "red"}, {"coat": ["red", "blue"], "bag": "yes"}]


def small_encoder() -> Encoder:
    """An encoder of vectors of 8 numbers, whose codes are short."""
    vectors = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    return vector_encoder(vectors, name="small", spec=" ".join(SPEC))


def few_vectors(seed: int, count: int) -> np.ndarray:
    """Float vectors of which some are equal, so that distances tie, and short codes say little of long ones."""
    rng = np.random.default_rng(seed)
    kinds = np.random.default_rng(1).standard_normal((30, 8))
    return kinds[rng.integers(30, size=count)].astype(np.float32)


def in_bytes(encoder: Encoder, vectors: np.ndarray) -> dict[str, list[bytes]]:
    codes = encoder.encode(vectors).codes  # type: ignore[arg-type]
    return {name: [row.tobytes() for row in code] for name, code in codes.items()}


def check(answer: Answer, expected: NaiveAnswer) -> None:
    """The answer is that of the gallery in plain Python."""
    found = [(hit.id, hit.distance, hit.code, hit.same_person) for hit in answer.hits]
    assert found == [(hit.id, hit.distance, hit.code, hit.same_person) for hit in expected.hits]
    assert answer.decision == expected.decision
    assert answer.searched == answer.compared == expected.searched
    assert not answer.partial


class SearchableContract:
    """Subclass it with a fixture ``make``."""

    def test_any_calls_in_any_order(self, make: Make) -> None:
        machine = machine_of(make)
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=12,
                stateful_step_count=16,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

    @pytest.mark.parametrize("cascade", CASCADES)
    def test_every_cascade(self, cascade: str | None, make: Make) -> None:
        encoder, naive = small_encoder(), NaiveGallery(SPEC)
        people, vectors = make(encoder), few_vectors(10, 60)
        entries = [Entry(f"{i}", CAMERAS[i % 3]) for i in range(60)]
        people.add(entries=entries, vectors=vectors)
        naive.add(entries, in_bytes(encoder, vectors))
        for row in range(0, 60, 3):
            some = [f"{row}", f"{(7 * row + 1) % 60}", f"{(5 * row + 2) % 60}"][: 1 + row % 3]
            filters = Filters(not_cameras=["hall"] if row % 2 else [])
            query = Query(ids=dict.fromkeys(some), k=1 + row % 4, cascade=cascade, threshold=25, filters=filters)
            check(people.search(query), naive.search(query, None, CASCADES[cascade]))

    def test_a_batch_is_its_queries_one_by_one(self, make: Make) -> None:
        encoder = small_encoder()
        people, vectors = make(encoder), few_vectors(2, 40)
        entries = [Entry(f"{i}", CAMERAS[i % 3], time=float(i)) for i in range(40)]
        people.add(entries=entries, vectors=vectors)
        queries = [
            Query(ids="3", k=4, threshold=20),
            Query(ids=["4", "9", "11"], k=3),
            Query(vectors=vectors[5], k=7, cascade="id32<=9 > id128"),
            Query(vectors=vectors[5:8], k=2, camera="door", filters=Filters(other_cameras=True)),
            Query(ids="5", k=2, filters=Filters(after=10, before=30)),
            Query(ids="6", k=4, threshold=20),
        ]
        answers = people.search_batch(queries)
        assert len(answers) == len(queries)
        for answer, query in zip(answers, queries, strict=True):
            assert answer == people.search(query)

    def test_a_search_sees_the_write_whose_token_it_is_given(self, make: Make) -> None:
        people, vectors = make(small_encoder()), few_vectors(3, 2)
        added = people.add(entries=[Entry("a", "door"), Entry("b", "hall")], vectors=vectors)
        assert added.ids == ("a", "b")
        answer = people.search(Query(vectors=vectors[0], k=9), after=added.token)
        assert {hit.id for hit in answer.hits} == {"a", "b"}
        deleted = people.delete(["a", "never there"])
        assert deleted.count == 1
        answer = people.search(Query(vectors=vectors[0], k=9), after=deleted.token)
        assert [hit.id for hit in answer.hits] == ["b"]
        again = people.search(Query(vectors=vectors[0], k=9), after=answer.token)
        assert answer == again

    def test_a_token_of_elsewhere_is_refused(self, make: Make) -> None:
        people = make(small_encoder())
        people.add(entries=[Entry("a", "door")], vectors=few_vectors(3, 1))
        with pytest.raises(SwiftReIDError, match="token"):
            people.search(Query(ids="a"), after="of nobody")

    def test_what_is_not_searched_in_time_makes_the_answer_partial(self, make: Make) -> None:
        people, vectors = make(small_encoder()), few_vectors(4, 3)
        people.add(entries=[Entry(f"{i}", "door") for i in range(3)], vectors=vectors)
        late = people.search(Query(vectors=vectors[0]), deadline=0)
        assert late.partial
        assert len(late.hits) < 3
        assert late.decision is None
        assert not people.search(Query(vectors=vectors[0]), deadline=600).partial

    def test_entries_are_had_by_their_ids(self, make: Make) -> None:
        people = make(small_encoder())
        first = Entry("a", "door", time=5.0, person="mia", source="door.mp4", labels={"coat": "red"}, thumbnail=b"JPEG")
        people.add(entries=[first, Entry("b", "hall")], vectors=few_vectors(5, 2))
        assert people.entries(["b", "a"]) == [Entry("b", "hall"), first]
        assert people.ids() == ["a", "b"]
        assert people.ids(Filters(cameras=["hall"])) == ["b"]
        info = people.info()
        assert (info.entries, info.cameras, info.spec) == (2, {"door": 1, "hall": 1}, " ".join(SPEC))
        with pytest.raises(EntryNotFound, match="'c'"):
            people.entries(["c"])
        with pytest.raises(EntryNotFound, match="'c'"):
            people.search(Query(ids=["a", "c"]))
        answer = people.search(Query(ids="b", person="mia", k=1, thumbnails=1))
        assert answer.hits[0].entry == first
        assert answer.hits[0].right is True
        assert people.search(Query(ids="b", k=1)).hits[0].entry.thumbnail is None

    def test_an_addition_is_whole_or_nothing(self, make: Make) -> None:
        people, vectors = make(small_encoder()), few_vectors(6, 3)
        people.add(entries=[Entry("a", "door")], vectors=vectors[:1])
        three = [Entry("b", "door"), Entry("a", "hall"), Entry("c", "door")]
        with pytest.raises(UsageError, match="already"):
            people.add(entries=three, vectors=vectors)
        assert people.ids() == ["a"]
        skipped = people.add(entries=three, vectors=vectors, on_existing="skip")
        assert (skipped.ids, skipped.existing) == (("b", "c"), ("a",))
        for entries, rows in (([Entry("d", "door")], 2), ([Entry("d", "door"), Entry("d", "hall")], 2)):
            with pytest.raises(UsageError):
                people.add(entries=entries, vectors=vectors[:rows])
        with pytest.raises(UsageError, match="camera"):
            people.add(entries=[Entry("d", "")], vectors=vectors[:1])
        assert people.ids() == ["a", "b", "c"]
        assert people.entries(["a"])[0].camera == "door"

    def test_what_cannot_be_searched_is_refused(self, make: Make) -> None:
        people, vectors = make(small_encoder()), few_vectors(7, 2)
        people.add(entries=[Entry("a", "door"), Entry("b", "hall")], vectors=vectors)
        for query in (
            Query(ids="a", cascade="id64"),
            Query(ids="a", threshold=129),
            Query(ids="a", threshold=0.3),
            Query(vectors=vectors[0], filters=Filters(other_cameras=True)),
            Query(vectors=np.zeros(9, np.float32)),
            Query(codes={"id128": np.zeros((1, 4), np.uint8)}),
        ):
            with pytest.raises(UsageError):
                people.search(query)

    def test_a_camera_without_entries_is_noted(self, make: Make) -> None:
        people, vectors = make(small_encoder()), few_vectors(7, 2)
        empty = people.search(Query(vectors=vectors[0], filters=Filters(cameras=["door"])))
        assert [note.kind for note in empty.notes if note.kind != "no-calibration"] == [
            "unknown-camera", "nothing-to-search",
        ]  # fmt: skip
        people.add(entries=[Entry("a", "door"), Entry("b", "hall")], vectors=vectors)
        for filters, found in (
            (Filters(cameras=["cellar"]), []),
            (Filters(cameras=["cellar", "hall"]), ["b"]),
            (Filters(not_cameras=["cellar"]), ["a", "b"]),
        ):
            answer = people.search(Query(vectors=vectors[0], filters=filters))
            assert sorted(hit.id for hit in answer) == found
            note = answer.noted("unknown-camera")
            assert note is not None
            assert note.facts == {"cameras": ["cellar"]}
            assert "door, hall" in note.message
        assert people.search(Query(ids="a", filters=Filters(cameras=["hall"]))).noted("unknown-camera") is None

    def test_entries_are_listed_and_updated(self, make: Make) -> None:
        people = make(small_encoder())
        entries = [Entry(f"{i}", CAMERAS[i % 3], time=float(i), labels={"coat": "red"}) for i in range(9)]
        people.add(entries=entries, vectors=few_vectors(9, 9))
        assert people.list() == entries
        assert people.list(limit=2, after_id="3") == entries[4:6]
        assert people.list(Filters(cameras=["door"], after=1)) == [entries[3], entries[6]]
        done = people.update(["1", "4"], person="mia", labels={"bag": "yes", "coat": None}, time="1970-01-01T00:01")
        assert done.count == 2
        changed = Entry("1", "hall", time=60.0, person="mia", labels={"bag": "yes"})
        assert people.entries(["1"]) == [changed]
        assert people.ids(Filters(labels={"bag": "yes"})) == ["1", "4"]
        answer = people.search(Query(ids="0", k=9, filters=Filters(persons=["mia"])), after=done.token)
        assert sorted(hit.id for hit in answer.hits) == ["1", "4"]
        assert people.update("1", labels=None).count == 1
        assert people.entries(["1"])[0].labels == {}
        for wrong in ({}, {"id": "x"}, {"camera": ""}, {"time": "soon"}, {"labels": ["bag"]}):
            with pytest.raises(UsageError):
                people.update("1", **wrong)
        with pytest.raises(EntryNotFound, match="'nobody'"):
            people.update(["2", "nobody"], person="mia")
        with pytest.raises(EntryNotFound, match="'nobody'"):
            people.list(after_id="nobody")
        assert people.entries(["2"])[0].person is None

    def test_codes_and_vectors_are_the_same_entries(self, make: Make) -> None:
        encoder, vectors = small_encoder(), few_vectors(8, 4)
        people, codes = make(encoder), encoder.encode(vectors).codes  # type: ignore[arg-type]
        people.add(entries=[Entry(f"{i}", "door") for i in range(4)], codes=codes)
        by_vector = people.search(Query(vectors=vectors[:1], k=4, name="q"))
        by_codes = people.search(Query(codes={name: code[:1] for name, code in codes.items()}, k=4, name="q"))
        assert by_vector == by_codes
        assert by_vector.hits[0].distance == 0
        by_one = people.search(Query(codes={"id128": codes["id128"][:1]}, k=4))
        assert by_one.hits == by_codes.hits

    def test_pictures_of_either_order_of_channels(self, make: Make) -> None:
        people = make(open_encoder("stripes"))
        pictures = [np.asarray(draw_person(i, 1, 1)) for i in range(3)]
        entries = [Entry(f"{i}", "door") for i in range(3)]
        people.add([picture[..., ::-1] for picture in pictures], entries=entries, colour="bgr")
        for i, picture in enumerate(pictures):
            (hit,) = people.search(Query(pictures=picture, k=1)).hits
            assert (hit.id, hit.distance) == (f"{i}", 0)
        assert all(entry.thumbnail for entry in people.entries(["0", "1", "2"]))
        mirrored = people.search(Query(pictures=pictures[0][..., ::-1], k=1)).hits[0]
        assert mirrored.distance > 0
        bad: list[Any] = []
        small = np.zeros((5, 5, 3), np.uint8)
        added = people.add([pictures[0], small], entries=[Entry("x", "door"), Entry("y", "door")], on_bad=bad.append)
        assert (added.ids, len(added.unreadable), len(bad)) == (("x",), 1, 1)


def machine_of(make: Make) -> type[RuleBasedStateMachine]:
    """Random calls on an empty set of entries, each compared with the gallery in plain Python."""

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.encoder = small_encoder()
            self.people = make(self.encoder)
            self.naive = NaiveGallery(SPEC)
            self.token: str | None = None
            self.number = 0

        @rule(data=st.data(), count=st.integers(1, 15), seed=st.integers(0, 99))
        def add(self, data: st.DataObject, count: int, seed: int) -> None:
            vectors = few_vectors(seed, count)
            entries = []
            for _ in range(count):
                camera = data.draw(st.sampled_from(CAMERAS))
                time = data.draw(st.none() | st.integers(0, 9).map(float))
                labels = data.draw(st.sampled_from([{}, {"coat": "red"}, {"coat": "blue", "bag": "yes"}]))
                person, track = data.draw(st.sampled_from([(None, None), ("mia", "t1"), ("jon", None)]))
                made = Entry(f"e{self.number}", camera, time=time, person=person, labels=labels, track=track)
                entries.append(made)
                self.number += 1
            self.token = self.people.add(entries=entries, vectors=vectors).token
            self.naive.add(entries, in_bytes(self.encoder, vectors))

        @precondition(lambda self: self.naive.rows)
        @rule(data=st.data(), seed=st.integers(0, 99))
        def replace(self, data: st.DataObject, seed: int) -> None:
            ids = [entry.id for entry, _ in self.naive.rows]
            chosen = [*data.draw(st.lists(st.sampled_from(ids), max_size=3, unique=True)), f"e{self.number}"]
            self.number += 1
            entries, vectors = [Entry(id_, "door", time=3.0) for id_ in chosen], few_vectors(seed, len(chosen))
            self.token = self.people.add(entries=entries, vectors=vectors, on_existing="replace").token
            self.naive.replace(entries, in_bytes(self.encoder, vectors))

        @precondition(lambda self: self.naive.rows)
        @rule(data=st.data())
        def delete(self, data: st.DataObject) -> None:
            ids = [entry.id for entry, _ in self.naive.rows]
            chosen = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=3, unique=True))
            deleted = self.people.delete([*chosen, "nobody"])
            assert deleted.count == self.naive.delete(chosen)
            self.token = deleted.token

        @precondition(lambda self: self.naive.rows)
        @rule(data=st.data())
        def search(self, data: st.DataObject) -> None:
            cameras = sorted({entry.camera for entry, _ in self.naive.rows})
            some = st.lists(st.sampled_from(cameras), max_size=2, unique=True)
            after, before = data.draw(st.none() | st.integers(0, 4)), data.draw(st.none() | st.integers(5, 9))
            ids = [entry.id for entry, _ in self.naive.rows]
            chosen = data.draw(st.lists(st.sampled_from(ids), max_size=3, unique=True))
            seed = data.draw(st.none() | st.integers(0, 99)) if chosen else data.draw(st.integers(0, 99))
            vector = None if seed is None else few_vectors(seed, 1)
            one_camera = len({entry.camera for entry, _ in self.naive.rows if entry.id in chosen}) == 1
            cascade = data.draw(st.sampled_from(list(CASCADES)))
            query = Query(
                ids=chosen,
                vectors=vector,
                k=data.draw(st.integers(1, 6)),
                cascade=cascade,
                threshold=data.draw(st.sampled_from([None, "calibrated", 0, 12, 40])),
                filters=Filters(
                    cameras=data.draw(st.none() | some),
                    not_cameras=data.draw(some),
                    other_cameras=vector is None and one_camera and data.draw(st.booleans()),
                    after=after,
                    before=before,
                    persons=data.draw(st.sampled_from([None, None, [], ["mia"], ["mia", "jon"]])),
                    tracks=data.draw(st.sampled_from([None, None, [], ["t1"]])),
                    labels=data.draw(
                        st.sampled_from([{}, {}, {"coat": "red"}, {"coat": ["red", "blue"], "bag": "yes"}])
                    ),
                ),
            )
            codes = None if vector is None else {n: c[0] for n, c in in_bytes(self.encoder, vector).items()}
            answer = self.people.search(query, after=self.token)
            check(answer, self.naive.search(query, codes, CASCADES[cascade]))

        @rule()
        def look(self) -> None:
            assert self.people.ids() == [entry.id for entry, _ in self.naive.rows]
            assert self.people.info().entries == len(self.naive.rows)

    return Machine
