"""An answer as a program takes it apart, stores it or sends it on."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from retrieval.contract import few_vectors, small_encoder
from swiftreid.retrieval.answer import Answer
from swiftreid.retrieval.opening import open_gallery


@pytest.fixture
def answer(tmp_path: Path) -> Answer:
    with open_gallery(tmp_path / "people", encoder=small_encoder(), create=True) as people:
        people.add(vectors=few_vectors(0, 5), ids=list("abcde"), camera="door", labels={"coat": "red"})
        return people.search(ids="a", k=3, threshold=128)


def test_hits_are_what_it_is_made_of(answer: Answer) -> None:
    assert list(answer) == list(answer.hits)
    assert len(answer) == 3
    assert answer[0] == answer.hits[0]
    assert (answer.threshold, answer.calibration) == (128, None)


def test_it_pickles_and_copies_in_plain_values(answer: Answer) -> None:
    again = pickle.loads(pickle.dumps(answer))
    assert again == answer
    assert list(again.report) == list(answer.report)
    plain = json.loads(json.dumps(answer.to_dict()))
    assert plain == answer.to_dict()
    assert [hit["id"] for hit in plain["hits"]] == [hit.id for hit in answer]
    assert plain["hits"][0] == {
        "rank": 1,
        "id": answer[0].id,
        "distance": answer[0].distance,
        "code": "id128",
        "camera": "door",
        "time": None,
        "person": None,
        "source": None,
        "labels": {"coat": "red"},
        "track": None,
        "frame": None,
        "right": None,
        "same_person": answer[0].same_person,
        "reranked": None,
        "differs": None,
        "unsure": None,
    }
    assert (plain["decision"], plain["searched"], plain["cascade"]) == ("same person", 5, "id128")
