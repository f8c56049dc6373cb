"""Codes learned on vectors without any picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.vector_encoder import vector_encoder
from swiftreid.encoding.vectors import Vectors, encode_labelled
from swiftreid.errors import UsageError
from swiftreid.evaluation.measure import measure_cascades
from swiftreid.search.cascade import Cascade
from swiftreid.training.frozen.hashing import learn_vectors
from swiftreid.training.frozen.pyramid import FrozenConfig
from swiftreid.training.frozen.recipe import FrozenRecipe

QUICK = FrozenConfig(lengths=(64, 32), epochs=20, persons_per_batch=8)


def people(count: int, seed: int) -> Vectors:
    """Each by two cameras, twice; persons differ in 8 of 32 numbers, the rest is noise that hides them."""
    rng = np.random.default_rng(seed)
    persons = np.repeat(np.arange(count), 4)
    vectors = rng.normal(size=(4 * count, 32)) * 2
    vectors[:, :8] = rng.normal(size=(count, 8))[persons] * 2 + rng.normal(size=(4 * count, 8)) / 4
    return Vectors(
        vectors.astype(np.float32), persons=[f"p{i}" for i in persons], cameras=["left", "right"] * (2 * count)
    )


def test_codes_learned_on_vectors_are_better_than_random_ones(tmp_path: Path) -> None:
    base = vector_encoder(people(40, 0).vectors, name="mine", spec="id64", unit=False)
    learned = learn_vectors(
        base, people(40, 0), data="drawn vectors", name="learned", recipe=FrozenRecipe(held_out=0.3, training=QUICK)
    )
    learned.save(tmp_path / "learned.safetensors")
    encoder = open_encoder(tmp_path / "learned.safetensors")
    assert (encoder.takes, encoder.base.kind, str(encoder.spec)) == ("vectors", "vectors", "id32 id64")
    assert encoder.card.calibration is not None
    assert encoder.card.calibration.persons == 12
    assert encoder.card.training["data_fingerprint"] == people(40, 0).fingerprint

    others, found = people(30, 1), []
    for each in (base, encoder):
        codes = encode_labelled(each, others)
        (measured,) = measure_cascades({"id64": Cascade.parse("id64")}, codes, codes, timed=False)
        found.append(measured.metrics.map_standard)
    assert found[1] > found[0] + 0.1


def test_what_vectors_cannot_have_is_refused() -> None:
    vectors = people(8, 0)
    base = vector_encoder(vectors.vectors, name="mine")
    for recipe in (FrozenRecipe(views=2), FrozenRecipe(attributes=True)):
        with pytest.raises(UsageError, match="one view and no attributes"):
            learn_vectors(base, vectors, data="d", name="n", recipe=recipe)
    with pytest.raises(UsageError, match="takes pictures, not vectors"):
        learn_vectors(open_encoder("stripes"), vectors, data="d", name="n", recipe=FrozenRecipe())
    with pytest.raises(UsageError, match="the person of vector 0 is not known"):
        learn_vectors(base, Vectors(vectors.vectors), data="d", name="n", recipe=FrozenRecipe())
