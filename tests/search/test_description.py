"""Descriptions: words become wanted bits of every schema, and a search by them finds whom they describe."""

from __future__ import annotations

import math

import numpy as np
import pytest

from swiftreid.data.schemas import SCHEMAS, AttributeSchema
from swiftreid.errors import UsageError
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import pack_bits
from swiftreid.search.description import MOST_WEIGHT, Description, log_odds_ratio
from swiftreid.search.kernels import available_kernels
from swiftreid.search.table import CodeTable

NAMES = SCHEMAS["rendered-2"].names


def _found(description: Description, names: tuple[str, ...], bits: np.ndarray, kernel: str | None = None) -> np.ndarray:
    """Positions in the order of a search by a description."""
    code = f"attr{len(names)}"
    table = CodeTable({code: pack_bits(bits)})
    weights = {code: description.weights(names)[None]}
    cascade = Cascade.parse(code)
    return cascade.search(
        table, {code: description.code(names)[None]}, len(bits), weights=weights, kernel=kernel
    ).indices[0]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
@pytest.mark.parametrize("wanted", [True, False])
def test_a_stated_bit_of_every_schema_is_really_wanted(schema: AttributeSchema, wanted: bool) -> None:
    rng = np.random.default_rng(0)
    for place, name in enumerate(schema.names):
        description = Description.of(schema.names, **{"has" if wanted else "lacks": [name]})
        bits = rng.integers(0, 2, (60, len(schema)))  # 30 of each, else anything
        bits[:, place] = np.arange(60) % 2
        found = _found(description, schema.names, bits)
        assert (bits[found[:30], place] == wanted).all(), name
        assert (bits[found[30:], place] != wanted).all(), name


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_every_schema_tells_the_colours_of_garments(schema: AttributeSchema) -> None:
    for part, prefixes in (("upper", ("upper_", "up")), ("lower", ("lower_", "down"))):
        name = next(prefix + "black" for prefix in prefixes if prefix + "black" in schema.names)
        assert Description.of(schema.names, **{part: ["black"]}).bits == {name: True}


@pytest.mark.parametrize(
    ("schema", "has", "lacks", "bits"),
    [
        ("rendered-2", ["hat"], [], {"hat_none": False}),
        ("rendered-2", [], ["hat"], {"hat_none": True}),
        ("rendered-2", ["male", "long sleeve"], [], {"female": False, "short_sleeve": False}),
        ("rendered-2", [], ["male"], {"female": True}),
        ("rendered-2", ["carries"], ["open jacket"], {"carries_no": False, "open_jacket": False}),
        ("rendered-2", ["short-hair"], [], {"short_hair": True}),
        ("market1501", ["hat", "dress"], ["long_hair"], {"hat": True, "pants": False, "long_hair": False}),
        ("dukemtmc-reid", ["dark shoes"], [], {"light_shoes": False}),
    ],
)
def test_words(schema: str, has: list[str], lacks: list[str], bits: dict[str, bool]) -> None:
    assert Description.of(SCHEMAS[schema].names, has=has, lacks=lacks).bits == bits


def test_both_spellings_of_grey() -> None:
    assert Description.of(SCHEMAS["market1501"].names, upper=["grey"]).bits == {"upgray": True}
    assert Description.of(NAMES, upper=["gray"]).bits == {"upper_grey": True}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"has": ["bakpack"]}, "did you mean backpack"),
        ({"has": ["zzz"]}, "there are female, child"),
        ({"lacks": ["red"]}, "did you mean hair_red or upper_red or lower_red or shoes_red"),
        ({"has": ["male"], "lacks": ["Male"]}, "contradicts itself: has 'male', and lacks 'Male'"),
        ({"upper": ["tartan"]}, "upper tartan: there is no such colour or pattern; there are black, white, grey"),
        ({"has": ["hat"], "lacks": ["hat"]}, "contradicts itself: has 'hat', and lacks 'hat'"),
        ({}, "at least one"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Description.of(NAMES, **words)


def test_one_word_in_place_of_a_list_is_refused() -> None:
    with pytest.raises(UsageError, match=r"has is a list of words: write has=\['backpack'\]"):
        Description.of(NAMES, has="backpack")


def test_patterns_of_the_upper_garment() -> None:
    assert Description.of(NAMES, upper=["striped", "red"], lower=["striped"]).bits == {
        "striped": True,
        "upper_red": True,
        "lower_striped": True,
    }


def test_without_attributes_there_are_no_descriptions() -> None:
    with pytest.raises(UsageError, match="gives no attributes"):
        Description.of((), has=["hat"])


def test_weights_follow_reliability() -> None:
    description = Description({"backpack": True, "female": False, "scarf": True})
    weights = description.weights(NAMES, {"backpack": 6.0, "female": 2.0, "scarf": -1.0})
    told = dict(zip(NAMES, weights.tolist(), strict=True))
    assert (told["backpack"], told["female"], told["scarf"]) == (MOST_WEIGHT, 5, 1)
    assert sum(told.values()) == MOST_WEIGHT + 6
    assert set(description.weights(NAMES).tolist()) == {0, 1}


def test_the_order_is_that_of_naive_bayes() -> None:
    """Of all 8 people that differ in three attributes, the distance orders as the sum of log-likelihoods does."""
    names = ("a", "b", "c")
    rates = {"a": (0.95, 0.02), "b": (0.8, 0.3), "c": (0.6, 0.2)}  # of set bits where it is so, and where not
    reliability = {n: math.log(t * (1 - f) / ((1 - t) * f)) for n, (t, f) in rates.items()}
    description = Description({"a": True, "b": False, "c": True})
    people = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    wanted = [description.bits[n] for n in names]

    def log_odds(person: np.ndarray) -> float:
        total = 0.0
        for name, bit, want in zip(names, person, wanted, strict=True):
            set_if_yes, set_if_no = rates[name]
            yes = set_if_yes if bit else 1 - set_if_yes
            no = set_if_no if bit else 1 - set_if_no
            total += math.log(yes / no) * (1 if want else -1)
        return total

    weights = description.weights(names, reliability)
    distances = (people != np.array(wanted)) @ weights.astype(int)
    by_bayes = sorted(range(8), key=lambda i: -log_odds(people[i]))
    assert distances[by_bayes].tolist() == sorted(distances.tolist())


def test_second_bits_are_wanted_with_the_first() -> None:
    names = ("hat", "backpack", "surely_hat", "surely_backpack")
    described = Description.of(names, has=["backpack"], lacks=["hat"])
    assert described.bits == {"backpack": True, "hat": False}
    assert str(described) == "backpack, not hat"
    assert described.weights(names).tolist() == [1, 1, 1, 1]
    people = np.array([[0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 1], [1, 1, 1, 1], [1, 0, 1, 0]])
    found = _found(described, names, people[::-1])
    assert (len(people) - 1 - found).tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(UsageError, match="there is no attribute 'surely_hat'"):
        Description.of(names, has=["surely_hat"])
    with pytest.raises(UsageError, match=r"there are hat, backpack$"):
        Description({"scarf": True}).code(names)


def test_second_bits_have_their_own_reliability() -> None:
    names = ("a", "b", "c", "surely_a", "surely_b", "surely_c")
    described = Description({"a": True, "b": False, "c": True})
    reliability = {"a": 6.0, "b": 4.0, "surely_a": 2.0, "surely_b": -0.3}
    # c was never measured: it counts as the median of its kind.
    assert described.weights(names, reliability).tolist() == [15, 10, 12, 5, 0, 2]


def test_log_odds_ratio() -> None:
    assert log_odds_ratio(90, 10, 10, 90) == pytest.approx(2 * math.log(90.5 / 10.5))
    assert log_odds_ratio(50, 50, 50, 50) == 0
    assert math.isfinite(log_odds_ratio(10, 0, 0, 10))


@pytest.mark.parametrize("kernel", available_kernels())
def test_kernels_find_the_same_people(kernel: str) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (1500, len(NAMES)))
    description = Description.of(NAMES, has=["backpack"], upper=["red"], lacks=["hat"])
    assert (_found(description, NAMES, bits, kernel) == _found(description, NAMES, bits, "reference")).all()
