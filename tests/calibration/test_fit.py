from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swiftreid.calibration.calibration import Calibration
from swiftreid.calibration.fit import fit_calibration
from swiftreid.calibration.recall import recall_thresholds
from swiftreid.calibration.short_list import fit_short_list
from swiftreid.calibration.thresholds import BETAS
from swiftreid.encoding.artefact import save_artefact
from swiftreid.encoding.calibrate import calibrated
from swiftreid.encoding.encoder import build_encoder, open_encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.attributes import AttributeScore
from swiftreid.evaluation.measure import LabelledCodes, measure_cascades
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


MANY = people(np.repeat(np.arange(1, 101), 4), seed=4)


def test_everything_fitted_is_on_the_card_and_survives_its_file(tmp_path: Path) -> None:
    with_embedding = LabelledCodes(
        MANY.codes, MANY.persons, MANY.cameras, np.eye(101, dtype=np.float32)[MANY.persons] + 0.1
    )
    found = fit_calibration(
        with_embedding, SPEC, data="d", data_fingerprint="f", share=0.9, rank_share=0.9, false_accepts=0.2, gallery=50
    )
    path = tmp_path / "e.safetensors"
    calibrated(open_encoder("stripes"), found).save(path)
    read = open_encoder(path).card.calibration
    assert read == found.model_copy(update={"encoder": open_encoder("stripes").fingerprint})
    assert read.recall == recall_thresholds(MANY.codes, MANY.persons, MANY.cameras, share=0.9)
    assert (read.recall.share, read.recall.certifying, read.recall_note) == (0.9, 75, "")
    assert read.short_list == fit_short_list(MANY.codes, MANY.persons, MANY.cameras, rank_share=0.9)
    assert (read.same_person.code, read.same_person.gallery) == ("id128", 50)
    assert read.same_person.false_accepts <= 0.2
    assert read.same_person_embedding.recall == 1.0
    assert list(read.cascades) == ["CtF, DTO beta 2", "CtF, recall 90 %", "AFR, id32 rank-w 90 %"]
    assert str(read.cascades["CtF, recall 90 %"]).startswith("id32<=")


def test_a_promise_that_cannot_be_made_is_said_or_refused() -> None:
    found = fit_calibration(MANY, SPEC, data="d", data_fingerprint="f")
    assert found.recall is None
    assert "takes 398 held-out people" in found.recall_note
    with pytest.raises(SwiftReIDError, match="takes 398 held-out people"):
        fit_calibration(MANY, SPEC, data="d", data_fingerprint="f", method="recall")


def test_certified_thresholds_as_the_cascade() -> None:
    found = fit_calibration(MANY, SPEC, data="d", data_fingerprint="f", method="recall", share=0.9, beta=None)
    assert found.beta is None
    assert found.cascade == str(found.recall.cascade())
    assert found.details["thresholds"] == found.recall.values
    assert found.details["trials"] == []
    assert found.default_cascade == fit_calibration(MANY, SPEC, data="d", data_fingerprint="f").cascade
    assert list(found.cascades)[:2] == ["CtF, DTO beta 2", "CtF, recall 90 %"]


def test_a_sweep_is_recorded_whatever_the_beta() -> None:
    found = fit_calibration(PEOPLE, SPEC, data="d", data_fingerprint="f", beta=3.0, sweep=True)
    assert found.beta == 3.0
    tried = {trial["beta"]: trial for trial in found.details["trials"]}
    assert sorted(tried) == sorted({*BETAS, 3.0})
    assert tried[3.0]["cascade"] == found.cascade
    assert tried[2.0]["cascade"] == found.default_cascade
    for trial in tried.values():
        assert trial["loss"] == pytest.approx(found.details["exhaustive"] - trial["mAP"])


def test_cards_of_the_first_version_still_load(tmp_path: Path) -> None:
    found = fit_calibration(PEOPLE, SPEC, data="d", data_fingerprint="f")
    new = {"encoder", "recall", "recall_note", "short_list", "same_person", "same_person_embedding"}
    old = Calibration.model_validate_json(found.model_dump_json(exclude=new))
    assert (old.cascade, old.recall, old.same_person, old.encoder) == (found.cascade, None, None, "")
    assert list(old.cascades) == ["CtF, DTO beta 2"]
    stripes = open_encoder("stripes")
    save_artefact(tmp_path / "old.safetensors", stripes.card.model_copy(update={"calibration": old}), stripes.tensors)
    assert open_encoder(tmp_path / "old.safetensors").card.calibration == old


def test_a_calibration_is_refused_for_another_encoder(tmp_path: Path) -> None:
    found = fit_calibration(PEOPLE, SPEC, data="d", data_fingerprint="f")
    stripes = open_encoder("stripes")
    bound = calibrated(stripes, found).card.calibration
    assert calibrated(stripes, bound).card.calibration == bound
    other = build_encoder(
        stripes.card.model_copy(update={"fingerprint": ""}),
        {name: tensor * np.float32(1.5) for name, tensor in stripes.tensors.items()},
    )
    assert other.fingerprint != stripes.fingerprint
    with pytest.raises(UsageError, match="calibrate it on held-out people"):
        calibrated(other, bound)
    # Pasted onto the other's card by hand, past that check:
    path = tmp_path / "pasted.safetensors"
    save_artefact(path, other.card.model_copy(update={"calibration": bound}), other.tensors)
    with pytest.raises(SwiftReIDError, match=f"calibration is for the encoder {stripes.fingerprint[:12]}"):
        open_encoder(path)


def with_attributes(persons: np.ndarray) -> LabelledCodes:
    """One identity code, and eight attributes of each person, told wrongly of one picture in twenty."""
    rng = np.random.default_rng(5)
    own = rng.random((int(persons.max()) + 2, 8)) > 0.5
    told = own[persons] ^ (rng.random((len(persons), 8)) < 0.05)
    plain = people(persons)
    codes = {"id128": plain.codes["id128"], "attr8": pack_bits(told)}
    return LabelledCodes(codes, plain.persons, plain.cameras)


@pytest.mark.parametrize("max_loss", [0.2, 0.005, -1.0])
def test_one_identity_code_and_attributes_are_searched_by_a_short_list(max_loss: float) -> None:
    held_out, spec = with_attributes(PEOPLE.persons), CodeSpec.parse("id128 attr8")
    found = fit_calibration(held_out, spec, data="drawn", data_fingerprint="f", max_loss=max_loss)
    expected = fit_short_list(dict(held_out.codes), held_out.persons, held_out.cameras, code="attr8", final="id128")
    assert found.short_list == expected
    # The shortest of the rule's list and its doubles that loses so little; else every entry.
    lost = {}
    for share in [expected.share * 2**i for i in range(10) if expected.share * 2**i <= 0.5]:
        text = f"attr8:share={round(share, 4)!r} > id128"
        cascades = {name: Cascade.parse(name) for name in ("id128", text)}
        every, listed = measure_cascades(cascades, held_out, held_out, timed=False)
        lost[text] = every.metrics.map_standard - listed.metrics.map_standard
    assert found.details == {"max_loss": max_loss, "lost": lost}
    assert len(lost) > 1
    assert found.cascade == found.default_cascade == next((t for t, loss in lost.items() if loss <= max_loss), "id128")
    assert (found.method, found.beta, found.recall) == ("short_list", None, None)
    assert "one identity code" in found.recall_note
    longer = found.cascade not in ("id128", str(expected.cascade()))
    assert list(found.cascades) == ["AFR, attr8 rank-w 97 %", *(["AFR, calibrated"] if longer else [])]
    assert found.same_person is not None
    assert found.same_person.code == "id128"
    assert Calibration.model_validate_json(found.model_dump_json()) == found


def test_attributes_alone_are_no_cascade() -> None:
    with pytest.raises(UsageError, match="at least"):
        fit_calibration(with_attributes(PEOPLE.persons), CodeSpec.parse("attr8"), data="d", data_fingerprint="f")


def test_results_are_ordered_by_the_longest_identity_code() -> None:
    assert CodeSpec.parse("id32 id128 attr8").final == "id128"
    assert CodeSpec.parse("id32 id128").final == "id128"
    assert CodeSpec.parse("attr8").final == "attr8"


def test_a_calibration_that_saw_too_few_with_an_attribute_does_not_say_how_well_it_is_told() -> None:
    own = AttributeScore("hat", 800, 300, 0.9, 0.9, 0.9)
    few, enough = replace(own, known=30, positives=8, recall=0.2), replace(own, known=90, positives=45, recall=0.3)
    bag = replace(few, name="bag")  # of which nobody else says anything
    encoder = open_encoder("stripes")
    fitted = fit_calibration(PEOPLE, SPEC, data="drawn", data_fingerprint="f", attributes=[few, bag])
    card = encoder.card.model_copy(update={"attributes": ["bag", "hat"], "attribute_scores": [own]})
    assert card.known_scores == [own]
    assert card.model_copy(update={"calibration": fitted}).known_scores == [bag, own]
    told = fitted.model_copy(update={"attributes": [enough]})
    assert card.model_copy(update={"calibration": told}).known_scores == [enough]
