"""Attributes on frozen embeddings: what is learned, what is left out, and the encoder that comes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from swiftreid.data.sources import open_data
from swiftreid.encoding.attribute_bits import AttributeBits
from swiftreid.encoding.composed import PyramidEncoder
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.errors import UsageError
from swiftreid.evaluation.attributes import AttributeScores
from swiftreid.progress import no_progress
from swiftreid.search.codes import unpack_bits
from swiftreid.training.frozen.attributes import WEIGHT_DECAY, fit_attributes
from swiftreid.training.frozen.hashing import learn_hash
from swiftreid.training.frozen.recipe import load_recipe

STATION = Path(__file__).resolve().parents[3] / "examples" / "station"


def _people(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings in which attribute 0 is the sign of one direction, attribute 1 of another, and 2 is noise."""
    rng = np.random.default_rng(seed)
    embeddings = rng.standard_normal((count, 8)).astype(np.float32) * np.arange(1, 9, dtype=np.float32) + 5
    told = np.stack([embeddings[:, 2] > 5, embeddings[:, 6] < 7, rng.random(count) < 0.5], axis=1)
    return embeddings, told.astype(np.float32)


def test_what_can_be_told_is_told_of_others() -> None:
    embeddings, attributes = _people(600, 0)
    others, truth = _people(300, 1)
    values = AttributeBits(fit_attributes(embeddings, attributes)).values(others)
    right = ((values > 0) == (truth > 0)).mean(axis=0)
    assert right[0] > 0.95
    assert right[1] > 0.95
    assert 0.35 < right[2] < 0.65, "nothing tells it"


def test_it_is_the_minimum_of_the_loss() -> None:
    """No small change of the layer lowers the loss, worked out in NumPy."""
    embeddings, attributes = _people(80, 2)
    attributes[:, 2] = np.nan
    attributes[::3, 0] = np.nan
    layer = fit_attributes(embeddings, attributes, weight_decay=0.01)
    mean, spread = embeddings.mean(axis=0), embeddings.std(axis=0)
    weight = layer["weight"].astype(np.float64) * spread
    bias = layer["bias"] + layer["weight"].astype(np.float64) @ mean

    def loss(weight: np.ndarray, bias: np.ndarray) -> float:
        total, known = 0.0, 0
        for x, row in zip((embeddings - mean) / spread, attributes, strict=True):
            for a, truth in enumerate(row):
                if not np.isnan(truth):
                    total += np.log1p(np.exp(-(2 * truth - 1) * (weight[a] @ x + bias[a])))
                    known += 1
        return total / known + 0.01 * float((weight**2).sum())

    best = loss(weight, bias)
    rng = np.random.default_rng(3)
    for _ in range(20):
        step = 0.02 * rng.standard_normal(weight.shape), 0.02 * rng.standard_normal(bias.shape)
        assert loss(weight + step[0], bias + step[1]) > best - 1e-7
    assert not layer["weight"][2].any(), "of what is not known nothing is learned"


def test_a_value_that_never_changes_does_no_harm() -> None:
    embeddings, attributes = _people(200, 4)
    embeddings[:, 3] = 0.25
    layer = fit_attributes(embeddings, attributes)
    assert np.isfinite(layer["weight"]).all()
    assert np.abs(layer["weight"][:, 3]).max() < 1e-3


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (np.zeros((3, 2), np.float32), r"must be \[4, a\]"),
        (np.zeros(4, np.float32), r"must be \[4, a\]"),
        (np.full((4, 2), np.nan, np.float32), "no attribute of these people is known"),
    ],
)
def test_what_cannot_be_learned_is_refused(attributes: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit_attributes(np.zeros((4, 8), np.float32), attributes)


def learn(base: Encoder, *settings: str) -> PyramidEncoder:
    recipe = load_recipe(None, ["training.epochs=1", *settings])
    return learn_hash(
        base,
        open_data(STATION),
        name="x",
        recipe=recipe,
        beta=2,
        max_loss=0.1,
        seed=0,
        on_bad=None,
        progress=no_progress,
    )


@pytest.fixture(scope="module")
def plain() -> PyramidEncoder:
    """Codes alone, on the stripes."""
    return learn(open_encoder("stripes"))


def test_attributes_are_added_to_codes_that_are_kept(plain: PyramidEncoder) -> None:
    before = plain
    assert before.card.metrics[-1]["ranking"] == "float embedding"
    told = learn(before, "codes=keep", "attributes=true")
    assert str(told.spec) == f"{before.spec} attr114"
    pictures = np.random.default_rng(0).integers(0, 256, (3, *before.size, 3), np.uint8)
    one, two = before.encode(pictures), told.encode(pictures)
    for name in before.spec:
        np.testing.assert_array_equal(one.codes[name], two.codes[name])
    single = learn(before, "codes=keep", "attributes=true", "attribute_bits=1")
    assert str(single.spec) == f"{before.spec} attr57"
    assert single.card.attributes == told.card.attributes[:57]
    both = [
        unpack_bits(each.encode(pictures).codes[code], 57) for each, code in ((told, "attr114"), (single, "attr57"))
    ]
    np.testing.assert_array_equal(*both)
    assert told.card.provenance.startswith("attributes: 30 people of station, 450 pictures; all else (x): pyramid: ")
    assert told.card.architecture == before.card.architecture, "not an encoder within an encoder"
    assert told.card.training["codes_recipe"] == before.card.training["recipe"]
    assert told.card.calibration is not None
    assert told.card.calibration.attributes
    again = learn(before)  # learned anew, with the figures of what was there beside
    assert again.fingerprint == before.fingerprint, "the codes learned are put on the network, not on the old codes"
    assert again.card.provenance.endswith(f"; embedding (x): {before.card.provenance}")
    assert again.card.metrics[-1]["ranking"] == f"{before.spec.final} of x"
    kept = {row["ranking"]: row["map"] for row in told.card.metrics}
    assert again.card.metrics[-1]["map"] == kept[f"{before.spec.final} exhaustive"]


def test_codes_are_learned_beside_attributes_that_are_kept() -> None:
    before = open_encoder("rendered")
    kept = learn(before, "attributes=keep")
    code = f"attr{len(before.card.attributes)}"
    assert kept.card.attributes == before.card.attributes
    pictures = np.random.default_rng(0).integers(0, 256, (3, *before.size, 3), np.uint8)
    np.testing.assert_array_equal(kept.encode(pictures).codes[code], before.encode(pictures).codes[code])
    assert kept.card.attribute_scores == before.card.known_scores
    assert "attributes_before" not in kept.card.training
    anew = learn(before, "attributes=true")
    told = AttributeScores(kept.card.calibration.attributes)
    assert anew.card.training["attributes_before"]["mA"] == pytest.approx(told.mean_accuracy), "of the same people"
    for settings in (("attributes=keep", "codes=keep"), ("attributes=keep",)):
        with pytest.raises(UsageError, match="attributes=keep is for new codes"):
            learn(before if len(settings) == 2 else open_encoder("stripes"), *settings)


@pytest.mark.parametrize("settings", [("codes=keep",), ("codes=keep", "attributes=true")])
def test_there_have_to_be_codes_to_keep_and_attributes_to_add(settings: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="codes=keep adds attributes to an encoder that"):
        learn(open_encoder("stripes"), *settings)


def test_the_codes_stay_what_they_are_and_the_card_says_how_well_attributes_are_told(plain: PyramidEncoder) -> None:
    assert WEIGHT_DECAY > 0
    data, base = open_data(STATION), open_encoder("stripes")
    told = learn(base, "attributes=true")
    assert str(told.spec) == f"{plain.spec} attr114"
    first, second = told.card.attributes[:57], told.card.attributes[57:]
    assert second == [f"surely_{name}" for name in first]
    pictures = np.random.default_rng(0).integers(0, 256, (3, *base.size, 3), np.uint8)
    one, two = plain.encode(pictures), told.encode(pictures)
    for name in plain.spec:
        np.testing.assert_array_equal(one.codes[name], two.codes[name])
    calibration = told.card.calibration
    assert calibration is not None
    assert calibration.cascade == plain.card.calibration.cascade, "thresholds are of identity codes"
    assert calibration.short_list.code == "attr114"
    scores = {score.name: score for score in calibration.attributes}
    assert set(scores) <= set(first)
    assert all(0 <= score.accuracy <= 1 and 0 <= score.calibration_error <= 1 for score in scores.values())
    assert all(score.sure_recall is None or score.sure_recall <= score.recall for score in scores.values())
    assert told.card.reliability.keys() <= {*scores, *(f"surely_{name}" for name in scores)}
    assert any(name.startswith("surely_") for name in told.card.reliability)
    bits = unpack_bits(encode_samples(told, data.query).codes["attr114"], 114).astype(bool)
    assert (bits[:, 57:] <= bits[:, :57]).all(), "who surely has it, probably has it"
    assert bits[:, :57].sum() > bits[:, 57:].sum() > 0
