"""Thresholds of an encoder of vectors, fitted on vectors of held-out people, decide in its galleries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.vector_encoder import vector_encoder
from swiftreid.encoding.vectors import Vectors
from swiftreid.errors import SwiftReIDWarning, UsageError
from swiftreid.experiments.calibrate import CalibrationSettings, calibrate_vectors
from swiftreid.retrieval.opening import open_gallery


def people(count: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, 64))[np.repeat(np.arange(count), 4)]
    noisy = rows + 0.1 * rng.standard_normal(rows.shape)
    names = [f"{seed}-{person}" for person in np.repeat(np.arange(count), 4)]
    return Vectors(noisy.astype(np.float32), persons=list(names), cameras=["door", "hall"] * (2 * count))


def test_a_calibrated_encoder_decides(tmp_path: Path) -> None:
    held_out, there, strangers = people(60, 1), people(20, 2), people(20, 3)
    plain = vector_encoder(held_out, name="mine")
    encoder = calibrate_vectors(plain, held_out, data="sixty people", settings=CalibrationSettings(gallery_size=80))
    assert encoder.fingerprint == plain.fingerprint
    calibration = encoder.card.calibration
    assert calibration is not None
    assert (calibration.data, calibration.data_fingerprint) == ("sixty people", held_out.fingerprint)
    assert calibration.rendered is False
    with open_gallery(tmp_path / "people", encoder=encoder, create=True) as gallery:
        gallery.add(vectors=Vectors(there.vectors, cameras=there.cameras, persons=there.persons))
        options = {"k": 1, "cascade": "id2048"}
        known = gallery.search_batch(there.vectors, **options)  # type: ignore[arg-type]
        unknown = gallery.search_batch(strangers.vectors, **options)  # type: ignore[arg-type]
    assert {answer.decision for answer in known} == {"same person"}
    assert sum(answer.decision == "unknown" for answer in unknown) > 60


def test_what_cannot_be_calibrated_is_refused() -> None:
    vectors = people(10, 1)
    encoder = vector_encoder(vectors, name="mine")
    with pytest.raises(UsageError, match="takes Vectors"):
        calibrate_vectors(encoder, vectors.vectors, data="x")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="takes pictures"):
        calibrate_vectors(open_encoder("stripes"), vectors, data="x")
    with pytest.raises(UsageError, match="the person of vector 0 is not known"):
        calibrate_vectors(encoder, Vectors(vectors.vectors), data="x")


def test_vectors_that_it_learned_from_are_warned_of() -> None:
    pytest.importorskip("torch")
    from swiftreid.training.frozen.hashing import learn_vectors
    from swiftreid.training.frozen.pyramid import FrozenConfig
    from swiftreid.training.frozen.recipe import FrozenRecipe

    quick = FrozenRecipe(held_out=0.3, training=FrozenConfig(lengths=(64, 32), epochs=2, persons_per_batch=8))
    vectors = people(40, 1)
    learned = learn_vectors(vector_encoder(vectors, name="mine"), vectors, data="x", recipe=quick)
    with pytest.warns(SwiftReIDWarning, match="learned from the same vectors"):
        calibrate_vectors(learned, vectors, data="x")
