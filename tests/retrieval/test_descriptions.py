"""What a description becomes, and whom it lets pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import UsageError
from swiftreid.retrieval.answer import AttributeFit, DescriptionFacts
from swiftreid.retrieval.descriptions import DescriptionStage, description_stage
from swiftreid.retrieval.query import PersonDescription
from swiftreid.search.codes import pack_bits
from swiftreid.search.description import Description
from swiftreid.search.table import CodeTable


@pytest.mark.parametrize(("weight", "unsure"), [(3, ("hat",)), (0, ())])
def test_a_second_bit_that_does_not_count_leaves_nothing_unsure(weight: int, unsure: tuple[str, ...]) -> None:
    names = ["hat", "bag", "surely_hat", "surely_bag"]
    wanted = Description({"hat": True})
    row, weights = wanted.code(names)[None], np.array([[5, 0, weight, 0]], np.uint8)
    people = CodeTable({"attr4": pack_bits(np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]], np.uint8))})
    stage = DescriptionStage(wanted, names, "attr4", row, weights, DescriptionFacts(wanted.bits))
    fits = [AttributeFit((), unsure), AttributeFit((), ()), AttributeFit(("hat",), ())]
    assert stage.compared(people, range(3)) == fits


@pytest.mark.parametrize(
    ("distances", "passing"),
    [
        ([0, 0, 3, *[8] * 37], 3),  # those who fit, surely or not, though a tenth would be 4
        ([*[0] * 9, *[3] * 9, *[8] * 22], 18),  # all who fit
        ([*[5] * 2, 6, *[8] * 37], 3),  # nobody fits: those near, without more than a tenth
        ([*[5] * 9, *[8] * 31], 9),  # those at the smallest distance, however many
        ([8] * 40, 40),  # nothing is told apart
        ([8], 1),
        ([], 0),
    ],
)
def test_who_passes_a_description(distances: list[int], passing: int) -> None:
    names = ["hat", "bag", "surely_hat", "surely_bag"]
    wanted = Description({"hat": True})
    weights = np.array([[5, 1, 3, 0]], np.uint8)
    bits = {0: [1, 0, 1, 0], 3: [1, 0, 0, 0], 5: [0, 0, 1, 0], 6: [0, 1, 1, 0], 8: [0, 0, 0, 0]}  # by their distance
    rows = np.array([bits[d] for d in distances], np.uint8).reshape(-1, 4)
    table = CodeTable({"attr4": pack_bits(rows)})
    asked = DescriptionStage(wanted, names, "attr4", wanted.code(names)[None], weights, DescriptionFacts(wanted.bits))
    assert np.count_nonzero(asked.passing(table, None)) == passing
    assert asked.fitting(table, None).tolist() == [d <= 3 for d in distances]
    vague = replace(asked, facts=replace(asked.facts, by_chance=("hat", "bag")))
    assert vague.passing(table, None).all(), "it leaves nobody out"
    masked = np.arange(len(rows)) % 2 == 0
    assert not (asked.passing(table, masked) & ~masked).any()


def test_who_is_wrong_in_one_thing_does_not_fit_however_sure_the_rest_is() -> None:
    names = ["hat", "bag", "surely_hat", "surely_bag"]
    wanted = Description({"hat": True, "bag": False})
    table = CodeTable({"attr4": pack_bits(np.array([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]], np.uint8))})
    row, weights = wanted.code(names)[None], np.array([[5, 1, 6, 1]], np.uint8)
    asked = DescriptionStage(wanted, names, "attr4", row, weights, DescriptionFacts(wanted.bits))
    assert asked.fitting(table, None).tolist() == [False, True, False]
    assert asked.passing(table, None).tolist() == [True, True, False], "who is nearest passes"


def test_what_an_encoder_tells_by_chance_is_noticed() -> None:
    card = open_encoder("rendered").card
    found = description_stage(PersonDescription(has=["child", "backpack"], upper=["striped"]), card)
    assert found.description.bits == {"child": True, "backpack": True, "striped": True}
    assert found.facts.by_chance == ("child",)
    scores = {score.name: score for score in card.known_scores}
    assert found.facts.right_share == pytest.approx(scores["backpack"].recall * scores["striped"].recall)
    assert found.facts.unmeasured == ()


def test_what_was_never_measured_is_noticed() -> None:
    card = open_encoder("rendered").card
    words = PersonDescription(has=["backpack"], upper=["red"])
    scores = [score for score in card.known_scores if score.name != "backpack"]
    facts = description_stage(words, card.model_copy(update={"attribute_scores": scores})).facts
    assert (facts.unmeasured, facts.by_chance, facts.right_share) == (("backpack",), (), None)
    facts = description_stage(words, card.model_copy(update={"attribute_scores": []})).facts
    assert (facts.unmeasured, facts.right_share) == ((), None), "nothing is known of any, which the card says"


@pytest.mark.parametrize(
    ("has", "upper", "message"),
    [
        (["child", "senior"], [], "nobody is child and senior: a person has one age"),
        ([], ["red", "blue"], "nobody is upper_red and upper_blue: a person has one upper colour"),
        (["hat_cap", "hat_none"], [], "nobody is hat_none and hat_cap: a person has one hat"),
    ],
)
def test_two_values_of_what_has_one_are_refused(has: list[str], upper: list[str], message: str) -> None:
    card = open_encoder("rendered").card
    with pytest.raises(UsageError, match=message):
        description_stage(PersonDescription(has, upper), card)
    one_each = PersonDescription(has=["child"], upper=["red", "striped"], lacks=["upper_blue"])
    assert description_stage(one_each, card).facts.bits["upper_blue"] is False


def test_a_description_of_nothing_is_none() -> None:
    with pytest.raises(UsageError, match="at least one attribute"):
        PersonDescription()
    with pytest.raises(UsageError, match=r"write has=\['hat'\]"):
        PersonDescription(has="hat")
