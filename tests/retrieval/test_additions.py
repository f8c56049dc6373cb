"""What is known of pictures and rows that are added: columns, names of files, vectors with labels."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from drawn_figures import draw_person
from retrieval.contract import few_vectors, small_encoder
from swiftreid.encoding.vector_encoder import vector_encoder
from swiftreid.encoding.vectors import Vectors
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.filters import Filters
from swiftreid.retrieval.opening import open_gallery


def test_columns_say_what_is_known_of_each_row(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people", encoder=small_encoder(), create=True) as people:
        people.add(
            vectors=few_vectors(0, 3),
            ids=["a", "b", "c"],
            camera="door",
            cameras=["hall", None, "exit"],
            times=["1970-01-01T00:00:05", None, datetime(1970, 1, 1, 0, 1, tzinfo=UTC)],
            persons=["mia", None, "jon"],
            tracks=[None, "t1", "t1"],
            frames=[None, 7, 8],
            labels=[{"coat": "red"}, {}, {"coat": "blue"}],
        )
        people.add(vectors=few_vectors(1, 2), ids=["d", "e"], camera="door", labels={"site": "north"})
        assert people.list() == [
            Entry("a", "hall", 5.0, "mia", labels={"coat": "red"}),
            Entry("b", "door", track="t1", frame=7),
            Entry("c", "exit", 60.0, "jon", labels={"coat": "blue"}, track="t1", frame=8),
            Entry("d", "door", labels={"site": "north"}),
            Entry("e", "door", labels={"site": "north"}),
        ]


def test_vectors_bring_what_they_know(tmp_path: Path) -> None:
    vectors = Vectors(few_vectors(0, 3), ids=["a", "b", "c"], persons=["mia", None, "jon"], times=[1.0, None, 2.0])
    encoder = vector_encoder(vectors, name="small", spec="id32")
    with open_gallery(tmp_path / "people", encoder=encoder, create=True) as people:
        with pytest.raises(UsageError, match="no camera is known for 'a'"):
            people.add(vectors=vectors)
        assert people.add(vectors=vectors, camera="door", persons=["mia", "eva", "jon"]).ids == ("a", "b", "c")
        assert [(entry.person, entry.time) for entry in people] == [("mia", 1.0), ("eva", None), ("jon", 2.0)]
        answers = people.search_batch(vectors.vectors, k=1)
        assert [answer.hits[0].distance for answer in answers] == [0, 0, 0]
        assert (
            people.search(vectors.vectors[1], k=3).hits
            == answers[1].hits + people.search(vectors=vectors.vectors[1], k=3).hits[1:]
        )


def test_files_with_ids_or_entries_keep_where_they_came_from(tmp_path: Path) -> None:
    files = [tmp_path / f"000{i}_c3s1_00000{i}_01.png" for i in (1, 2)]
    for i, file in enumerate(files):
        draw_person(i, 1, 1).save(file)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    with open_gallery(tmp_path / "people", encoder="stripes", create=True) as people:
        people.add(files, ids=["a", "b"], times=[1, 2])
        people.add(files, entries=[Entry("c", "door"), Entry("d", "door", source="elsewhere", picture_sha256="0" * 64)])
        people.add(files[0], persons=["mia"])
        a, b, c, d, e = people
        assert [(one.id, one.camera, one.person, one.time) for one in (a, b)] == [
            ("a", "3", "1", 1),
            ("b", "3", "2", 2),
        ]
        assert [one.picture_sha256 for one in (a, b, c)] == [*digests, digests[0]]
        assert [one.source for one in (a, b, c)] == [str(file.resolve()) for file in (*files, files[0])]
        assert (c.person, d.source, d.picture_sha256) == (None, "elsewhere", "0" * 64)
        assert (e.id, e.person, e.camera) == (files[0].name, "mia", "3")
        assert all(people.get(one.id).thumbnail for one in (a, c, e))
        with pytest.raises(UsageError, match="files or arrays of pixels, not both"):
            people.add([files[0], np.zeros((64, 32, 3), np.uint8)], ids=["x", "y"], camera="door")
        assert len(people) == 5


def test_a_gallery_is_read_like_a_collection(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people", encoder=small_encoder(), create=True) as people:
        people.add(vectors=few_vectors(0, 5), ids=list("abcde"), camera="door")
        assert "a" in people
        assert "z" not in people
        assert [entry.id for entry in people] == list("abcde")
        assert people.ids(cameras=["door"], not_cameras=["hall"]) == list("abcde")
        assert repr(people) == f"<LocalGallery '{tmp_path / 'people'}', encoder 'small'>"
        with pytest.raises(UsageError, match=r"write people\.delete\(people\.ids\(filters\)\)"):
            people.delete(Filters(cameras=["door"]))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="no filter is called 'camera'"):
            people.list(camera="door")  # type: ignore[call-arg]
        with pytest.raises(UsageError, match=r"a query has no 'top_k'.*k is the number of hits"):
            people.search(ids="a", top_k=3)  # type: ignore[call-arg]
        with pytest.raises(UsageError, match="other_cameras is about the camera of a query"):
            people.list(Filters(other_cameras=True))


def test_pictures_and_vectors_are_asked_for_in_every_way(tmp_path: Path) -> None:
    crops = [np.asarray(draw_person(i, 1, 1)) for i in range(3)]
    with open_gallery(tmp_path / "people", encoder="stripes", create=True) as people:
        people.add(crops, ids=["a", "b", "c"], camera="door")
        one = people.search(crops[0], k=3)
        assert people.search(pictures=crops[0], k=3).hits == one.hits
        both = people.search(crops[:2], k=3)
        assert people.search(pictures=crops[:2], k=3).hits == both.hits
        with pytest.raises(UsageError, match="give pictures once"):
            people.search(crops[0], pictures=crops[1])
        for grey in (crops[0][..., 0], [crops[0][..., 0]]):
            with pytest.raises(SwiftReIDError, match=r"uint8 \(128, 64\)"):
                people.search(grey)
    with open_gallery(tmp_path / "vectors", encoder=small_encoder(), create=True) as people:
        with pytest.raises(UsageError, match="give vectors once"):
            people.search(few_vectors(0, 1), vectors=few_vectors(0, 1))
        with pytest.raises(UsageError, match="give embeddings as vectors="):
            people.search(np.arange(8))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="labels must map"):
            people.add(vectors=few_vectors(0, 1), ids=["a"], camera="door", labels="red")  # type: ignore[arg-type]


def test_an_export_takes_filters(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people", encoder=small_encoder(), create=True) as people:
        people.add(vectors=few_vectors(0, 5), ids=list("abcde"), cameras=["door", "hall", "door", "hall", "exit"])
        done = people.export(tmp_path / "arrays", cameras=["door"])
        assert (done.format, done.entries) == ("numpy", 2)
        assert np.load(tmp_path / "arrays" / "ids.npy").tolist() == ["a", "c"]
        with pytest.raises(UsageError, match=r"is for \.faiss"):
            people.export(tmp_path / "more", code="id32")
        with pytest.raises(UsageError, match=r"ends in \.csv"):
            people.export(tmp_path / "all.csv")
        assert people.export(tmp_path / "all", Filters(not_cameras=["exit"])).entries == 4
