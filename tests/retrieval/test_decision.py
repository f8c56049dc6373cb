"""Who decides that two pictures show one person, and when the answer is 'not calibrated'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.contract import SPEC, few_vectors, small_encoder
from swiftreid.calibration.calibration import Calibration
from swiftreid.calibration.same_person import SamePerson
from swiftreid.encoding.encoder import Encoder
from swiftreid.gallery.entries import Entry
from swiftreid.retrieval.answer import Verdict
from swiftreid.retrieval.local import LocalGallery
from swiftreid.retrieval.opening import open_gallery
from swiftreid.retrieval.query import Query, Threshold


def calibrated_encoder(*, rendered: bool | None, code: str = "id128", entries: int = 100) -> Encoder:
    encoder = small_encoder()
    same_person = SamePerson(code, 20, entries, 0.05, 0.001, 0.5, 0.5, True, 50, 200)
    calibration = Calibration(
        cascade="id32<=9 > id128",
        method="gaussian",
        beta=2,
        default_cascade="id32<=9 > id128",
        data="some people",
        data_fingerprint="f",
        rendered=rendered,
        persons=50,
        pictures=200,
        same_person=same_person,
    )
    return encoder.with_card(encoder.card.model_copy(update={"calibration": calibration}))


def opened(folder: Path, encoder: Encoder, **options: Any) -> LocalGallery:
    people = open_gallery(folder / "people", encoder=encoder, create=True, **options)
    people.add(entries=[Entry(f"{i}", "door") for i in range(4)], vectors=few_vectors(1, 4))
    return people


@pytest.mark.parametrize(
    ("of_rendered", "gallery_rendered", "note"),
    [
        (False, False, None),
        (False, True, None),
        (True, True, None),
        (None, True, None),
        (True, False, "rendered-calibration"),
        (None, False, "unrecorded-calibration"),
    ],
)
def test_a_calibration_on_rendered_people_decides_only_among_rendered_people(
    of_rendered: bool | None, gallery_rendered: bool, note: str | None, tmp_path: Path
) -> None:
    with opened(tmp_path, calibrated_encoder(rendered=of_rendered), rendered=gallery_rendered) as people:
        asked = few_vectors(1, 1)
        stranger = ~people.encoder.encode(asked).codes["id128"]  # type: ignore[arg-type]
        codes = {"id32": np.zeros((1, 4), np.uint8), "id128": stranger}
        known, unknown = people.search(Query(vectors=asked)), people.search(Query(codes=codes))
        assert [found.kind for found in known.notes] == ([] if note is None else [note])
        if note is None:
            assert (known.decision, unknown.decision) == (Verdict.SAME_PERSON, Verdict.UNKNOWN)
            assert known.hits[0].same_person is True
            assert not any(hit.same_person for hit in unknown.hits)
        else:
            assert known.decision == unknown.decision == Verdict.NOT_CALIBRATED
            assert {hit.same_person for hit in known.hits} == {None}
            assert "calibrate the encoder on labelled people of your cameras" in known.notes[0].message
            assert "--" not in known.notes[0].message
        assert str(known.cascade) == "id32<=9 > id128", "the order of the hits is not concerned"
        given = people.search(Query(vectors=asked, threshold=128))
        assert given.decision == Verdict.SAME_PERSON, "who gives a threshold decides"
    with open_gallery(tmp_path / "people", read_only=True) as again:
        assert again.info().rendered == gallery_rendered
        assert again.search(Query(vectors=asked)) == known


@pytest.mark.parametrize(
    ("threshold", "cascade", "decision", "note"),
    [
        ("calibrated", "id32", Verdict.NOT_CALIBRATED, "other-code"),
        (32, "id32", Verdict.SAME_PERSON, None),
        (None, None, None, None),
    ],
)
def test_a_threshold_is_for_one_code(
    threshold: Threshold, cascade: str | None, decision: Verdict | None, note: str | None, tmp_path: Path
) -> None:
    with opened(tmp_path, calibrated_encoder(rendered=False)) as people:
        answer = people.search(Query(ids="0", threshold=threshold, cascade=cascade))
        assert answer.decision == decision
        assert [found.kind for found in answer.notes] == ([note] if note else [])


def test_without_a_calibration_nothing_decides(tmp_path: Path) -> None:
    with opened(tmp_path, small_encoder()) as people:
        answer = people.search(ids="0")
        assert answer.decision == Verdict.NOT_CALIBRATED
        assert answer.noted("no-calibration") is not None
        assert answer.origin == "every entry"


def test_a_gallery_larger_than_the_calibrated_one_is_noted(tmp_path: Path) -> None:
    encoder = calibrated_encoder(rendered=False, entries=3)
    with opened(tmp_path, encoder) as people:
        note = people.search(ids="0").noted("larger-gallery")
        assert note is not None
        same_person = encoder.card.calibration.same_person  # type: ignore[union-attr]
        assert same_person is not None
        assert note.facts == {"calibrated": 3, "entries": 4, "false_accepts": same_person.false_accepts_in(4)}
        people.delete(["1"])
        assert people.search(ids="0").noted("larger-gallery") is None


def test_an_encoder_given_beside_the_gallery_brings_its_calibration(tmp_path: Path) -> None:
    opened(tmp_path, small_encoder()).close()
    with open_gallery(tmp_path / "people", encoder=calibrated_encoder(rendered=False)) as people:
        assert people.search(ids="0").decision in (Verdict.SAME_PERSON, Verdict.UNKNOWN)
        assert set(people.store.spec) == set(SPEC)
