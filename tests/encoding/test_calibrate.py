from __future__ import annotations

import numpy as np
import pytest

from swiftreid.encoding.calibrate import calibrated, fit_calibration
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.benchmark import LabelledCodes
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import CodeSpec, pack_bits

SPEC = CodeSpec.parse("id32 id128")


def people(persons: np.ndarray, *, flipped: float = 0.1, seed: int = 0) -> LabelledCodes:
    """Each person has a code, each picture that code with some bits flipped; two cameras take turns."""
    rng = np.random.default_rng(seed)
    codes = {}
    for name, bits in (("id32", 32), ("id128", 128)):
        own = rng.random((int(persons.max()) + 2, bits)) > 0.5
        codes[name] = pack_bits(own[persons] ^ (rng.random((len(persons), bits)) < flipped))
    return LabelledCodes(codes, persons, np.arange(len(persons)) % 2)


PEOPLE = people(np.repeat(np.arange(1, 31), 6))


def test_calibration_records_what_it_was_fitted_on() -> None:
    found = fit_calibration(PEOPLE, SPEC, data="drawn", data_fingerprint="f")
    assert (found.persons, found.pictures, found.beta, found.data, found.data_fingerprint) == (30, 180, 2, "drawn", "f")
    assert found.cascade == found.default_cascade
    assert found.details["trials"] == []
    first, last = Cascade.parse(found.cascade).stages
    assert (first.code, last.code) == ("id32", "id128")
    assert 0.1 * 32 < first.threshold < 0.5 * 32  # between the distances of one person and those of two


def test_chosen_beta_is_the_cheapest_that_loses_little() -> None:
    found = fit_calibration(PEOPLE, SPEC, data="drawn", data_fingerprint="f", beta=None, max_loss=0.02)
    allowed = [t for t in found.details["trials"] if t["loss"] <= 0.02]
    assert allowed
    cheapest = min(t["bytes_per_query"] for t in allowed)
    assert [t["bytes_per_query"] for t in allowed if t["beta"] == found.beta] == [cheapest]
    at_two = fit_calibration(PEOPLE, SPEC, data="drawn", data_fingerprint="f", beta=2)
    assert found.default_cascade == at_two.cascade


@pytest.mark.parametrize("nobody", [0, -1])
@pytest.mark.parametrize("beta", [2.0, None])
def test_distractors_and_junk_change_nothing(nobody: int, beta: float | None) -> None:
    """They are many people under one number, not one person seen often."""
    noise = people(np.full(200, nobody), flipped=0.5, seed=1)
    both = LabelledCodes(
        {name: np.concatenate([PEOPLE.codes[name], noise.codes[name]]) for name in SPEC},
        np.concatenate([PEOPLE.persons, noise.persons]),
        np.concatenate([PEOPLE.cameras, noise.cameras]),
    )
    clean, found = (fit_calibration(p, SPEC, data="d", data_fingerprint="f", beta=beta) for p in (PEOPLE, both))
    assert found == clean


def test_one_code_is_no_cascade() -> None:
    with pytest.raises(UsageError, match="two codes"):
        fit_calibration(PEOPLE, CodeSpec.parse("id32"), data="d", data_fingerprint="f")


def test_calibrating_keeps_the_fingerprint_and_the_codes() -> None:
    encoder = open_encoder("stripes")
    found = fit_calibration(PEOPLE, SPEC, data="d", data_fingerprint="f")
    changed = calibrated(encoder, found)
    pictures = np.random.default_rng(0).integers(0, 256, (2, *encoder.size, 3), np.uint8)
    assert changed.fingerprint == encoder.fingerprint
    assert changed.card.calibration == found.model_copy(update={"encoder": encoder.fingerprint})
    np.testing.assert_array_equal(changed.encode(pictures).codes["id512"], encoder.encode(pictures).codes["id512"])
