"""People held out, thresholds fitted on them or taken from the card, calibrated encoders, and ranked queries."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swiftreid.calibration.fit import fit_calibration
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import persons_of
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, build_encoder, open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.errors import SwiftReIDWarning, UsageError
from swiftreid.experiments.calibrate import CalibrationSettings, calibrate_encoder
from swiftreid.experiments.encoded import EncodedData, encode_test_set
from swiftreid.experiments.fitted import cascades_by_beta, marked_thresholds, short_list_by_rule
from swiftreid.experiments.held_out import HeldOut, NobodyHeldOut, NotHeldOut, held_out_people
from swiftreid.experiments.ranked_queries import lists_as_dicts, named_queries, rank_queries
from swiftreid.search.cascade import Cascade
from swiftreid.training.holding_out import hold_out


@pytest.fixture(scope="module")
def drawn(drawn_people: Path) -> EncodedData:
    return encode_test_set(drawn_people, "stripes")


@pytest.fixture
def learned(drawn_people: Path) -> Encoder:
    """Stripes, with a record that says it was trained on these people, and a calibration with every beta tried."""
    data, stripes = open_data(drawn_people), open_encoder("stripes")
    encoder = calibrate_encoder(stripes, data, CalibrationSettings(sweep=True))
    record = {**stripes.card.training, "data_fingerprint": fingerprint_of(data)}
    return build_encoder(encoder.card.model_copy(update={"training": record}), encoder.tensors)


def test_the_train_split_is_held_out_and_the_test_set_never_is(drawn: EncodedData, tmp_path: Path) -> None:
    people = held_out_people(drawn)
    assert people is not None
    assert (people.name, people.learned) == ("drawn train", False)
    assert len(people.encode(drawn)) == len(people.samples) == len(drawn.data.train)
    copies = tmp_path / "copies" / "query"
    copies.mkdir(parents=True)
    for number, path in enumerate(list(drawn.query.paths or [])[:4]):
        shutil.copy(path, copies / f"{900 + number:04d}_c1_01{path.suffix}")
    (tmp_path / "copies" / "bounding_box_test").mkdir()
    shutil.copy(next(copies.iterdir()), tmp_path / "copies" / "bounding_box_test" / "0900_c2_01.png")
    with pytest.raises(NotHeldOut, match=r"4 of the 5 pictures to fit on are in the test set itself"):
        held_out_people(drawn, tmp_path / "copies")
    bare = replace(drawn, data=replace(drawn.data, train=[]))
    assert held_out_people(bare) is None
    for fit in (cascades_by_beta, short_list_by_rule):
        with pytest.raises(NobodyHeldOut, match="has no train split to fit on"):
            fit(bare)
    assert marked_thresholds(bare).by_code == {}


def test_unreadable_pictures_of_held_out_people_are_warned_of(drawn_people: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_people, tmp_path / "drawn")
    next((tmp_path / "drawn" / "bounding_box_train").iterdir()).write_bytes(b"broken")
    test = encode_test_set(tmp_path / "drawn", "stripes")
    people = held_out_people(test)
    assert people is not None
    with pytest.warns(SwiftReIDWarning, match="1 pictures could not be read and were left out"):
        assert len(people.encode(test)) == len(people.samples) - 1
    assert len(test.unreadable.found) == 1


def test_a_network_is_fitted_on_those_whom_its_run_held_out(drawn: EncodedData) -> None:
    def people_of(*, held_out: float = 0.34, features: str | None = None, start: str | None = None) -> HeldOut:
        recipe = {"method": "all_in_one", "held_out": held_out, **({"features": features} if features else {})}
        record = {"recipe": recipe, "seed": 4, "data": "drawn", "data_fingerprint": fingerprint_of(drawn.data)}
        if start is not None:
            record["learned_from"] = [{"data": "x", "data_fingerprint": start}]
        encoder = drawn.encoder
        card = encoder.card.model_copy(update={"training": record})
        found = held_out_people(replace(drawn, encoder=encoder.with_card(card)))
        assert found is not None
        return found

    own = people_of()
    assert (own.name, own.learned) == ("drawn train, the people held out from training", False)
    rows = hold_out(persons_of(drawn.data.train), 0.34, 4)
    assert own.samples == [sample for sample, out in zip(drawn.data.train, rows, strict=True) if out]
    assert len({sample.person for sample in own.samples}) == 4
    assert people_of(start="0").samples == own.samples, "a start from other people"
    for learned in (
        people_of(held_out=0), people_of(features="frozen"), people_of(start=fingerprint_of(drawn.data)),
        people_of(start=""),
    ):  # fmt: skip
        assert learned.learned
        assert len(learned.samples) == len(drawn.data.train)


def test_thresholds_are_fitted_on_the_held_out_people(drawn: EncodedData) -> None:
    fitted = cascades_by_beta(drawn, betas=[1, 4])
    assert fitted.fitted_on == "drawn train"
    assert sorted(fitted.cascades) == [1, 4]
    first = [cascade.stages[0].threshold for _, cascade in sorted(fitted.cascades.items())]
    assert first[0] is not None
    assert first[1] is not None
    assert first[0] <= first[1], "a larger beta lets more pass"
    rule = short_list_by_rule(drawn, code="id128").rule
    assert (rule.code, rule.final) == ("id128", "id2048")
    marked = marked_thresholds(drawn)
    assert marked.origin == "Thresholds: fitted on drawn train."
    assert ("same person" in {meaning for _, meaning in marked.by_code["id2048"]}) is True


def test_an_encoder_that_learned_from_them_keeps_what_its_card_has(drawn: EncodedData, learned: Encoder) -> None:
    test = replace(drawn, encoder=learned)
    calibration = learned.card.calibration
    assert calibration is not None
    kept = cascades_by_beta(test)
    assert kept.fitted_on == "drawn train (encoder's card)"
    assert {str(cascade) for cascade in kept.cascades.values()} == {t["cascade"] for t in calibration.details["trials"]}
    assert short_list_by_rule(test).rule == calibration.short_list
    assert marked_thresholds(test).origin == "Thresholds: the encoder's calibration on drawn train."
    with pytest.warns(SwiftReIDWarning, match="trained on the people of drawn train"):
        assert cascades_by_beta(test, betas=[2]).fitted_on == "drawn train"
    with pytest.warns(SwiftReIDWarning, match="trained on the same people"):
        calibrate_encoder(learned, test.data, CalibrationSettings(beta=2))


def test_a_calibrated_encoder_has_what_is_fitted_on_the_split(drawn_people: Path) -> None:
    stripes, data = open_encoder("stripes"), open_data(drawn_people)
    for split, samples in (("train", data.train), ("test", [*data.query, *data.gallery])):
        found = calibrate_encoder(stripes, data, CalibrationSettings(split=split, beta=4))  # type: ignore[arg-type]
        people = encode_samples(stripes, samples)
        expected = fit_calibration(
            people, stripes.spec, data=f"drawn {split}", data_fingerprint=fingerprint_of(data), rendered=False, beta=4
        )
        assert found.card.calibration == expected.model_copy(update={"encoder": stripes.fingerprint})
        assert found.fingerprint == stripes.fingerprint
    assert stripes.card.calibration is None
    for settings, message in (
        ({"split": "val"}, "split is train or test"),
        ({"method": "guess"}, "method is gaussian"),
        ({"method": "recall", "beta": 2}, "beta chooses"),
    ):
        with pytest.raises(UsageError, match=message):
            CalibrationSettings(**settings)  # type: ignore[arg-type]


def test_queries_are_ranked_by_name_or_by_their_precision(drawn: EncodedData) -> None:
    worst, best = rank_queries(drawn, worst=3), rank_queries(drawn, best=3)
    assert [ranked.ap for ranked in worst] == sorted(ranked.ap for ranked in worst)
    assert worst[0].ap <= best[-1].ap
    name = (drawn.query.paths or [])[5].name
    [ranked] = rank_queries(drawn, Cascade.parse("id128"), names=[name])
    assert ranked.query == 5
    distances = np.bitwise_count(drawn.query.codes["id128"][5] ^ drawn.gallery.codes["id128"]).sum(axis=1)
    assert [result.distance for result in ranked.results] == sorted(distances.tolist())[:10]
    [listed] = lists_as_dicts([ranked], drawn)
    assert listed["query"] == f"query/{name}"
    assert listed["results"][0]["entry"].startswith("bounding_box_test/")
    with pytest.raises(UsageError, match="'nobody' is the name of no query of drawn; write a path such as query/"):
        named_queries(["nobody"], drawn)
    with pytest.raises(UsageError, match="by name, or the worst, or the best"):
        rank_queries(drawn, worst=1, best=1)
    with pytest.raises(UsageError, match="no full ranking"):
        rank_queries(drawn, Cascade.parse("id2048:miss=1e-6"))
