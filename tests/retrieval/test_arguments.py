"""Arguments that make no sense are refused in words; a refused addition leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import numpy as np
import pytest

from retrieval.contract import few_vectors, small_encoder
from swiftreid.errors import UsageError
from swiftreid.gallery import Embedding, Entry, Gallery
from swiftreid.gallery.filters import Filters
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.retrieval.drawing import rankings_of
from swiftreid.retrieval.explanation import NamedPicture, explain_attributes, explain_pairs
from swiftreid.retrieval.local import LocalGallery
from swiftreid.retrieval.opening import open_gallery
from swiftreid.retrieval.query import PersonDescription, Query
from swiftreid.search.codes import CodeSpec

SPEC = CodeSpec.parse("id32 id128")


def codes_of(count: int) -> dict:
    rng = np.random.default_rng(count)
    return {name: rng.integers(0, 256, (count, width), np.uint8) for name, width in SPEC.row_bytes.items()}


@pytest.fixture
def people(tmp_path: Path):
    store = Gallery.create(tmp_path / "own", encoder_name="own", fingerprint="f00d" * 8, spec=SPEC)
    with LocalGallery(store) as opened:
        opened.add(codes=codes_of(4), ids=["a", "b", "c", "d"], camera="door")
        yield opened


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ids": np.arange(3)}, "id must be text, got"),
        ({"ids": [1, 2, 3]}, "id must be text, got 1"),
        ({"ids": np.array([["x"]] * 3)}, "id must be text"),
        ({"ids": ["x", "x", "y"], "on_existing": "replace"}, "come more than once"),
        ({"cameras": [0, 1, 0]}, "camera must be text, got 0"),
        ({"labels": np.zeros((3, 2))}, "labels must map text to text"),
        ({"labels": {"bag": 1}}, "label 'bag' must be text"),
        ({"codes": codes_of(3)["id32"]}, "codes got ndarray"),
        ({"codes": {"id32": 3, "id128": 4}}, "3 ids came with 0 pictures or rows"),
    ],
    ids=repr,
)
def test_rows_that_cannot_be_stored_are_refused(people: LocalGallery, given: dict, message: str) -> None:
    usual = {"codes": codes_of(3), "ids": ["x", "y", "z"], "camera": "door"}
    with pytest.raises(UsageError, match=message):
        people.add(**{**usual, **given})
    assert people.ids() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("entries", [["x", "y", "z"], 5], ids=repr)
def test_entries_are_entries(people: LocalGallery, entries: object) -> None:
    with pytest.raises(UsageError, match="Entry"):
        people.add(codes=codes_of(3), entries=entries)


def test_entries_may_be_given_in_any_iterable(people: LocalGallery) -> None:
    assert people.add(codes=codes_of(2), entries=(Entry(id_, "door") for id_ in "xy")).ids == ("x", "y")


@pytest.mark.parametrize("rows", [2, 9])
def test_every_entry_has_its_own_embedding(tmp_path: Path, rows: int) -> None:
    store = Gallery.create(tmp_path / "g", encoder_name="e", fingerprint="f", spec=SPEC, embedding=Embedding(4))
    entries = [Entry(id_, "door") for id_ in "xyz"]
    with LocalGallery(store) as people, pytest.raises(UsageError, match=f"3 entries came with .*{rows}.* rows"):
        people.add(codes={**codes_of(3), "embedding": np.ones((rows, 4), np.float32)}, entries=entries)


@pytest.mark.parametrize("on_existing", ["refuse", "replace", "skip"])
def test_ids_that_come_twice_in_different_batches_add_nothing(tmp_path: Path, on_existing) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 64, 32, 3), np.uint8)
    with open_gallery(tmp_path / "g", encoder="stripes", create=True) as people:
        with pytest.raises(UsageError, match="come more than once"):
            people.add(pixels, ids=[f"e{i % 69}" for i in range(70)], camera="door", on_existing=on_existing)
        with pytest.raises(UsageError, match="entry 69 of the batch"):
            people.add(pixels, entries=[Entry(f"e{i}", "door" if i < 69 else "") for i in range(70)])
        assert len(people) == 0


def test_a_manifest_goes_without_entries(people: LocalGallery) -> None:
    with pytest.raises(UsageError, match="leave out entries"):
        people.add(manifest="list.csv", entries=[])


def test_a_gallery_is_made_in_an_empty_folder(tmp_path: Path) -> None:
    with open_gallery(tmp_path, encoder=small_encoder(), create=True) as people:
        people.add(vectors=few_vectors(0, 1), ids=["a"], camera="door")
    with open_gallery(tmp_path, create=True) as people:
        assert len(people) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"codes": {"id32": codes_of(1)["id32"]}}, "compares id128, which the query does not have"),
        ({"codes": {"id32": codes_of(1)["id32"]}, "ids": ["a"]}, "compares id128, which the query does not have"),
        ({"codes": {"embedding": np.ones((1, 4), np.float32)}}, "compares id128"),
        ({"codes": {"embedding": [[1.0]]}}, "embeddings of a query are a float array"),
        ({"codes": codes_of(0)}, "at least one"),
        ({"codes": {}}, "at least one"),
        ({"ids": None}, "needs a list of ids"),
        ({"ids": 5}, "needs a list of ids"),
        ({"ids": [1]}, "ids that are texts"),
        ({"ids": "a", "threshold": np.array([1, 2])}, "a threshold is"),
        ({"ids": "a", "reranking": True}, "reranking got bool"),
        ({"ids": "a", "thumbnails": "all"}, "thumbnails must be a whole number"),
        ({"ids": "a", "thumbnails": -1}, "thumbnails must be a whole number"),
        ({"ids": "a", "person": 7}, "person got int"),
        ({"ids": "a", "camera": 7}, "camera got int"),
        ({"ids": "a", "name": 7}, "name got int"),
        ({"ids": "a", "deadline": "soon"}, "a deadline is a number of seconds"),
        ({"ids": "a", "deadline": float("nan")}, "a deadline is a number of seconds"),
        ({"ids": "a", "after": 3.5}, "a token is what a write returned"),
        ({"ids": "a", "after": True}, "a token is what a write returned"),
    ],
    ids=repr,
)
def test_queries_that_make_no_sense_are_refused(people: LocalGallery, given: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        people.search(**given)


@pytest.mark.parametrize("words", [None, 5, [1]], ids=repr)
def test_a_description_is_made_of_words(words: object) -> None:
    with pytest.raises(UsageError, match="has is a list of words"):
        PersonDescription(has=words)


@pytest.mark.parametrize("queries", ["ab", Path("a.jpg"), Query(ids="a"), None], ids=repr)
def test_a_batch_is_a_list_of_queries(people: LocalGallery, queries: object) -> None:
    with pytest.raises(UsageError, match="search_batch takes a list of queries"):
        people.search_batch(queries)


def test_options_that_no_query_takes_are_refused(people: LocalGallery) -> None:
    with pytest.raises(UsageError, match="k: give them to each Query"):
        people.search_batch([Query(ids="a")], k=1)
    assert len(people.search_batch(iter([Query(ids="a", k=1)]))[0]) == 1


@pytest.mark.parametrize("threshold", [np.float32(3), np.int64(3)], ids=repr)
def test_an_answer_in_plain_values_can_be_stored_as_json(people: LocalGallery, threshold) -> None:
    answer = people.search(ids="a", threshold=threshold, reranking=Reciprocal())
    assert json.loads(json.dumps(answer.to_dict(), allow_nan=False))["threshold"] == 3
    assert people.search(ids="a", after=np.int64(1)).hits == people.search(ids="a").hits


def test_more_hits_than_there_are_entries_need_no_memory(people: LocalGallery) -> None:
    assert len(people.search(ids="a", k=2**50)) == 3


def test_an_empty_gallery_is_not_said_to_have_other_cameras(tmp_path: Path) -> None:
    store = Gallery.create(tmp_path / "g", encoder_name="e", fingerprint="f", spec=SPEC)
    with LocalGallery(store) as people:
        answer = people.search(codes=codes_of(1), camera="door", filters=Filters(other_cameras=True))
        assert {note.kind for note in answer.notes} == {"no-encoder", "nothing-to-search"}


def test_drawings_and_explanations_need_something_to_draw(people: LocalGallery) -> None:
    picture = NamedPicture("a", np.zeros((64, 32, 3), np.uint8))
    with pytest.raises(UsageError, match=r"write \[answer\]"):
        rankings_of(people.search(ids="a"))
    with pytest.raises(UsageError, match="at least one other picture"):
        explain_pairs(small_encoder(), picture, [])
    with pytest.raises(UsageError, match="at least one picture"):
        explain_attributes(small_encoder(), [], ["hat"])


def test_damaged_entries_are_listed_by_their_ids_and_can_be_deleted(people: LocalGallery) -> None:
    with apsw.Connection(str(people.store.path / "gallery.db")) as db:
        db.execute("UPDATE entry SET person = 'altered' WHERE id = 'b'")
    assert people.ids(cameras=["door"]) == ["a", "b", "c", "d"]
    assert people.delete(people.ids(persons=["altered"])).count == 1
    assert people.store.ids() == ["a", "c", "d"]
