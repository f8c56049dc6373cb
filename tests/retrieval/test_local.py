"""The gallery on this machine, as a program uses it."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_figures import draw_person
from retrieval.contract import few_vectors, small_encoder
from swiftreid.data.pictures import BadPicture
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.encodings_file import load_encodings
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.errors import NotAGallery, OtherEncoder
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.store import Gallery
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.retrieval import ranking
from swiftreid.retrieval.encodings import encode_to_file
from swiftreid.retrieval.opening import open_gallery
from swiftreid.retrieval.query import PersonDescription, Query
from swiftreid.retrieval.samples import samples_below


def test_the_main_job(drawn_people: Path, tmp_path: Path) -> None:
    people = open_gallery(tmp_path / "people", encoder="stripes", create=True)
    reports: list[tuple[str, int, int]] = []
    added = people.add(drawn_people / "bounding_box_test", progress=lambda *report: reports.append(report[:3]))
    assert len(added.ids) == len(people) == 24
    assert reports[-1] == ("encoding", 24, 24)
    query = drawn_people / "query" / "0015_c2s1_000001_01.jpg"
    answer = people.search(query, k=5, filters=Filters(other_cameras=True))
    assert answer.name == str(query)
    assert (answer.person, answer.camera) == ("15", "2")
    assert len(answer.hits) == 5
    assert answer.hits[0].right is True
    assert all(hit.entry.camera != "2" for hit in answer.hits)
    assert answer.searched == 16
    by_pixels = people.search(np.asarray(_opened(query)), k=5, name=str(query), person="15", camera="2")
    assert by_pixels.hits == people.search(query, k=5).hits
    people.close()


def _opened(path: Path) -> np.ndarray:
    from swiftreid.data.pictures import read_picture

    return read_picture(path)


def test_adding_goes_on_where_it_was_interrupted(drawn_people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in sorted((drawn_people / "query").iterdir())[:6]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "0099_c1_1.jpg").write_bytes(b"no picture")
    with open_gallery(tmp_path / "people", encoder="stripes", create=True) as people:
        with pytest.raises(BadPicture, match="0099_c1_1"):
            people.add(folder)
        bad: list[BadPicture] = []
        durable: list[str] = []
        added = people.add(folder, on_existing="skip", on_bad=bad.append, on_added=durable.extend)
        assert len(added.ids) + len(added.existing) == len(people) == 6
        assert durable == list(added.ids)
        assert [picture.name for picture in added.unreadable] == [str(folder / "0099_c1_1.jpg")]
        assert bad == list(added.unreadable)
        other = tmp_path / "other"
        other.mkdir()
        draw_person(1, 1, 1).save(other / "0099_c1_1.jpg")
        people.add(other)
        with pytest.raises(UsageError, match="from another file"):
            people.add(folder, on_existing="skip", on_bad=bad.append)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give one of these"),
        ({"pictures": "a", "manifest": "b"}, "give one of these"),
        ({"vectors": few_vectors(0, 2)}, "the entries need ids"),
        ({"vectors": few_vectors(0, 2), "ids": ["a"], "camera": "door"}, "1 ids came with 2"),
        ({"vectors": few_vectors(0, 2), "ids": ["a", "b"]}, "no camera is known for 'a'"),
        ({"vectors": few_vectors(0, 2), "ids": "ab", "camera": "door"}, r"pass \['ab'\]"),
        ({"vectors": few_vectors(0, 2), "ids": "ab", "entries": [Entry("a", "b")] * 2}, "leave out ids"),
        ({"vectors": few_vectors(0, 2), "entries": [Entry("a", "b")] * 2, "camera": "d"}, "leave out camera"),
        ({"vectors": few_vectors(0, 2), "ids": ["a", "b"], "cameras": ["d", None]}, "no camera is known for 'b'"),
        ({"vectors": few_vectors(0, 1), "ids": ["a"], "camera": "d", "times": ["soon"]}, "'soon' is no time"),
        ({"vectors": few_vectors(0, 1), "ids": ["a"], "camera": "d", "person": ["mia"]}, "add has no column 'person'"),
        ({"vectors": few_vectors(0, 1), "ids": ["a"], "camera": "d", "persons": "m"}, r"pass \['m'\]"),
        ({"vectors": few_vectors(0, 1), "ids": ["a"], "camera": "d", "persons": 7}, "persons must be a list"),
        ({"manifest": "list.csv", "ids": ["a"]}, "leave out ids"),
        ({"pictures": ".", "ids": ["a"], "camera": "d"}, "is a folder"),
        ({"pictures": "a.jpg", "colour": "bgr"}, "arrays of pixels"),
        ({"pictures": [Image.new("RGB", (64, 128))], "ids": ["a"], "camera": "d"}, r"numpy.asarray\(image"),
        ({"vectors": np.zeros((2, 8), int), "ids": ["a", "b"], "camera": "door"}, "float array"),
        ({"pictures": np.zeros((64, 32, 3), np.uint8), "ids": ["a"], "camera": "door"}, r"write \[crop\]"),
        (
            {"vectors": few_vectors(0, 1), "ids": ["a"], "camera": "d", "on_existing": "drop"},
            "'refuse', 'skip' or 'replace'",
        ),
    ],
)
def test_what_cannot_be_added_is_refused(arguments: dict, message: str, tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people", encoder=small_encoder(), create=True) as people:
        with pytest.raises(UsageError, match=message) as error:
            people.add(**arguments)
        assert "--" not in str(error.value)
        assert len(people) == 0


def test_a_search_by_entries_needs_no_encoder(tmp_path: Path) -> None:
    encoder, vectors = small_encoder(), few_vectors(1, 4)
    codes = encoder.encode(vectors).codes  # type: ignore[arg-type]
    Gallery.create(tmp_path / "people", encoder_name="gone", fingerprint=encoder.fingerprint, spec=encoder.spec).close()
    with open_gallery(tmp_path / "people") as people:
        people.add(entries=[Entry(f"{i}", "door") for i in range(4)], codes=codes)
        answer = people.search(ids="0")
        assert len(answer.hits) == 3
        assert answer.noted("no-encoder") is not None
        with pytest.raises(SwiftReIDError, match="carries no encoder file"):
            people.search(vectors=vectors[0])
        with pytest.raises(UsageError, match="carries no encoder"):
            people.search(description=PersonDescription(has=["hat"]))
    with open_gallery(tmp_path / "people", encoder=encoder) as people:
        assert people.search(vectors=vectors[0], k=1).hits[0].distance == 0
    with pytest.raises(OtherEncoder):
        open_gallery(tmp_path / "people", encoder="stripes")


def test_a_search_sees_a_write_to_the_store_itself(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people", encoder=small_encoder(), create=True) as people:
        people.add(vectors=few_vectors(0, 2), ids=["a", "b"], camera="door")
        written = people.store.update("a", person="somebody")
        answer = people.search(vectors=few_vectors(0, 1), k=1, after=written.token)
        assert answer.hits[0].entry.person == "somebody"
        with pytest.raises(UsageError, match=r"pass \['ab'\]"):
            people.entries("ab")


def test_of_two_parts_of_a_query_neither_counts_more(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people", encoder=small_encoder(), create=True) as people:
        people.add(vectors=few_vectors(0, 20), ids=[f"e{i}" for i in range(20)], camera="door")
        pair, turned = (people.search(vectors=few_vectors(1, 2)[order], k=20) for order in ([0, 1], [1, 0]))
        first = people.search(vectors=few_vectors(1, 2)[0], k=20)
        assert [hit.distance for hit in pair.hits] != [hit.distance for hit in first.hits]
        assert abs(pair.hits[0].distance - turned.hits[0].distance) <= 2


def test_a_gallery_is_created_only_where_it_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NotAGallery):
        open_gallery(tmp_path / "people", encoder="stripes")
    open_gallery(tmp_path / "people", encoder="stripes", create=True).close()
    with pytest.raises(UsageError, match="stays empty"):
        open_gallery(tmp_path / "others", create=True, read_only=True)
    assert not (tmp_path / "others").exists()
    with pytest.raises(UsageError, match="keeps no embeddings"):
        open_gallery(tmp_path / "people", embedding="float16")
    for threads in (0, "4"):
        with pytest.raises(UsageError, match="threads must be a whole number of at least 1"):
            open_gallery(tmp_path / "people", threads=threads)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="given by its path, not by int"):
        open_gallery(3)  # type: ignore[arg-type]
    with open_gallery(tmp_path / "people", create=True, read_only=True) as people:
        assert people.store.encoder_name == "stripes"
        with pytest.raises(UsageError, match="read-only"):
            people.delete(["a"])


def test_a_batch_is_answered_though_pictures_are_bad(drawn_people: Path, tmp_path: Path) -> None:
    good = drawn_people / "query" / "0015_c2s1_000001_01.jpg"
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    with open_gallery(tmp_path / "people", encoder="stripes", create=True) as people:
        people.add(drawn_people / "bounding_box_test")
        with pytest.raises(BadPicture):
            people.search_batch([good, bad])
        found: list[BadPicture] = []
        queries = [good, bad, Query(pictures=[bad, good], name=str(good))]
        first, second, third = people.search_batch(queries, on_bad=found.append)
        assert second.hits == ()
        assert second.noted("unreadable") is not None
        assert second.decision is None
        assert third.hits == first.hits
        assert {picture.name for picture in found} == {str(bad)}


def test_re_ranking_is_among_the_pool(drawn_people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_gallery(tmp_path / "people", encoder="stripes", create=True) as people:
        people.add(drawn_people / "bounding_box_test")
        query = drawn_people / "query" / "0015_c2s1_000001_01.jpg"
        plain = people.search(query, k=24)
        whole = people.search(query, k=24, reranking=Reciprocal(5, 2, 0.3))
        assert {hit.id for hit in whole.hits} == {hit.id for hit in plain.hits}
        distances = [hit.reranked for hit in whole.hits]
        assert distances == sorted(distances, key=float)  # type: ignore[arg-type]
        assert whole.noted("reranking-pool") is None
        monkeypatch.setattr(ranking, "POOL", 9)
        pooled = people.search(query, k=5, reranking=Reciprocal(5, 2, 0.3))
        assert {hit.id for hit in pooled.hits} <= {hit.id for hit in plain.hits[:9]}
        note = pooled.noted("reranking-pool")
        assert note is not None
        assert note.facts == {"pool": 9, "entries": 24}


def test_encodings_go_through_a_file(drawn_people: Path, tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people", encoder="stripes", create=True) as people:
        file = tmp_path / "codes.safetensors"
        assert encode_to_file(people.encoder, samples_below([drawn_people / "query"]), file) == 24
        added = people.add_encodings(load_encodings(file), id_prefix="q/")
        assert len(added.ids) == 24
        assert people.entries(["q/0015_c2s1_000001_01.jpg"])[0].person == "15"


def test_threads_share_one_gallery(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people", encoder=small_encoder(), create=True) as people:
        vectors = few_vectors(1, 60)
        people.add(entries=[Entry(f"{i}", "door") for i in range(30)], vectors=vectors[:30])
        problems: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for step in range(6):
                    row = 30 + 6 * number + step
                    token = people.add(entries=[Entry(f"{row}", "hall")], vectors=vectors[row : row + 1]).token
                    answer = people.search(Query(vectors=vectors[row], k=60), after=token)
                    assert f"{row}" in {hit.id for hit in answer.hits}
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not problems
        assert len(people) == 54


def test_embeddings_order_the_last_stage_where_a_gallery_keeps_them(tmp_path: Path) -> None:
    encoder, vectors = small_encoder(), np.random.default_rng(2).standard_normal((20, 8)).astype(np.float32)
    entries = [Entry(f"{i}", "door") for i in range(20)]
    with open_gallery(tmp_path / "people", encoder=encoder, create=True, embedding="float32") as people:
        people.add(entries=entries, vectors=vectors)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        expected = [str(i) for i in np.argsort(1 - unit @ unit[3])][1:]
        for query in (Query(ids="3", k=19, cascade="embedding"), Query(vectors=vectors[3], k=20, cascade="embedding")):
            answer = people.search(query)
            assert [hit.id for hit in answer.hits if hit.id != "3"] == expected
            assert {hit.code for hit in answer.hits} == {"embedding"}
        together = people.search(Query(ids=["3", "4"], k=1, cascade="id32:top=20 > embedding"))
        mean = (unit[3] + unit[4]) / np.linalg.norm(unit[3] + unit[4])
        assert together.hits[0].id == next(str(i) for i in np.argsort(1 - unit @ mean) if i not in (3, 4))
        assert people.search(Query(ids="3", cascade="embedding", threshold=2.0)).decision == "same person"
        for wrong in ({"threshold": 3.0}, {"reranking": Reciprocal()}):
            with pytest.raises(UsageError):
                people.search(Query(ids="3", cascade="embedding", **wrong))  # type: ignore[arg-type]
    with open_gallery(tmp_path / "codes", encoder=encoder, create=True) as people:
        people.add(entries=entries, vectors=vectors)
        with pytest.raises(UsageError, match="keeps no float embeddings"):
            people.search(Query(ids="3", cascade="embedding"))


def test_what_a_file_and_a_manifest_say_is_kept(tmp_path: Path) -> None:
    draw_person(1, 1, 1).save(tmp_path / "a.png")
    (tmp_path / "list.csv").write_text("path,camera,time,person,track,frame,coat\na.png,door,5,mia,t7,12,red\n")
    with open_gallery(tmp_path / "people", encoder="stripes", create=True) as people:
        people.add(manifest=tmp_path / "list.csv")
        (entry,) = people.entries(["a.png"])
        assert (entry.camera, entry.time, entry.person, entry.labels) == ("door", 5.0, "mia", {"coat": "red"})
        assert (entry.track, entry.frame) == ("t7", 12)
        assert entry.picture_sha256 == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
        assert people.ids(Filters(labels={"coat": "red"}, tracks=["t7"])) == ["a.png"]
        assert people.ids(Filters(labels={"coat": ["blue", "green"]})) == []
        (tmp_path / "list.csv").write_text("path,camera,frame\na.png,door,first\n")
        with pytest.raises(UsageError, match=r"line 2: 'first' is not a frame number"):
            people.add(manifest=tmp_path / "list.csv")


def test_the_encoder_of_a_gallery_takes_threads_and_a_device(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people", encoder="rendered", create=True, encoder_threads=1) as people:
        assert people.encoder.options.threads == 1
    with pytest.raises(UsageError, match="there is no device 'nowhere'"):
        open_gallery(tmp_path / "people", device="nowhere")
    with pytest.raises(UsageError, match="give them to open_encoder"):
        open_gallery(tmp_path / "people", encoder=open_encoder("rendered"), encoder_threads=1)
