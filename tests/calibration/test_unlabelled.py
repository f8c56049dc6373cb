"""A same-person threshold without labels, on people who are known to the test alone."""

from __future__ import annotations

import numpy as np
import pytest

from swiftreid.calibration.calibration import Calibration
from swiftreid.calibration.same_person import (
    EMBEDDING,
    LABELLED,
    UNLABELLED,
    SamePerson,
    fit_same_person,
    measure_same_person,
)
from swiftreid.calibration.unlabelled import NotCalibrated, fit_unlabelled, share_within
from swiftreid.clustering.two_stage import KnownPairs
from swiftreid.search.codes import pack_bits


def people(seed: int, persons: int, noise: float = 0.45) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    who, camera = np.repeat(np.arange(persons), 4), np.tile([0, 0, 1, 1], persons)
    values = rng.normal(size=(persons, 32))[who] + noise * rng.normal(size=(4 * persons, 32))
    return values.astype(np.float32), who, camera


def codes(embeddings: np.ndarray) -> np.ndarray:
    planes = np.random.default_rng(1).normal(size=(32, 128))
    return pack_bits(embeddings @ planes)


def test_what_is_certified_without_labels_holds_on_others() -> None:
    embeddings, _, cameras = people(0, 150)
    vectors = {EMBEDDING: embeddings, "id128": codes(embeddings)}
    found = fit_unlabelled(embeddings, cameras, vectors, false_accepts=0.05)
    others, who, where = people(9, 150)
    for code, values in {EMBEDDING: others, "id128": codes(others)}.items():
        fitted = found[code].same_person
        assert fitted.source == UNLABELLED
        assert fitted.false_accepts <= 0.05
        real = measure_same_person(values, who, where, fitted)
        assert (real.code, real.threshold, real.gallery) == (code, fitted.threshold, fitted.gallery)
        assert real.false_accepts <= 0.08
        assert real.recall >= 0.5
        least, most = found[code].resampled
        assert 0 <= least <= most <= 0.25


def test_known_pairs_are_checked() -> None:
    embeddings, _, cameras = people(2, 60)
    apart = np.array([[4 * person, 4 * person + 4] for person in range(50)])
    together = np.array([[4 * person, 4 * person + 2] for person in range(50)])
    found = fit_unlabelled(embeddings, cameras, {EMBEDDING: embeddings}, known=KnownPairs(together, apart))[EMBEDDING]
    fitted = found.same_person
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    distances = 1 - units @ units.T
    assert found.apart == pytest.approx(np.mean([distances[a, b] <= fitted.threshold for a, b in apart]))
    assert found.together == pytest.approx(np.mean([distances[a, b] <= fitted.threshold for a, b in together]))
    plain = fit_unlabelled(embeddings, cameras, {EMBEDDING: embeddings})[EMBEDDING]
    assert plain.apart is None
    assert plain.together is None


def test_pairs_of_codes_within_a_threshold() -> None:
    values = np.array([[1] * 32, [1] * 30 + [-1] * 2, [-1] * 32])
    threshold = fit_same_person(pack_bits(np.tile(values, (4, 1))), [1, 1, 2] * 4, [1, 2] * 6, code="id32")
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    packed = pack_bits(values)
    for most, share in ((1, 0.0), (2, 1 / 3), (30, 2 / 3), (32, 1.0)):
        changed = SamePerson(**{**vars(threshold), "threshold": most})
        assert share_within(packed, pairs, changed) == pytest.approx(share)
    assert share_within(packed, pairs[:0], threshold) is None


def test_people_seen_once_are_not_calibrated() -> None:
    rng = np.random.default_rng(0)
    embeddings, cameras = rng.normal(size=(200, 32)).astype(np.float32), np.arange(200) % 2
    with pytest.raises(NotCalibrated, match=r"not calibrated: of 200 pictures \d+ people are found by two cameras"):
        fit_unlabelled(embeddings, cameras, {EMBEDDING: embeddings})


def test_tracks_are_people() -> None:
    """Pictures of a track differ more than people do, and are one person all the same."""
    embeddings, who, cameras = people(4, 40, noise=1.2)
    tracks = 2 * who + cameras
    linked = KnownPairs(together=np.array([[4 * person, 4 * person + 2] for person in range(40)]))
    found = fit_unlabelled(embeddings, cameras, {EMBEDDING: embeddings}, tracks=tracks, known=linked)
    labelled = fit_same_person(embeddings, who, cameras)
    assert found[EMBEDDING].same_person.threshold == labelled.threshold


def test_a_card_of_before_has_labelled_people() -> None:
    embeddings, who, cameras = people(5, 20)
    fitted = fit_same_person(embeddings, who, cameras)
    old = {key: value for key, value in vars(fitted).items() if key != "source"}
    card = {
        "cascade": "id2048",
        "method": "gaussian",
        "beta": 2.0,
        "default_cascade": "id2048",
        "data": "x",
        "data_fingerprint": "",
        "persons": 20,
        "pictures": 80,
        "same_person_embedding": old,
    }
    read = Calibration.model_validate(card)
    assert read.same_person_embedding == fitted
    assert read.same_person_embedding.source == LABELLED
