from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import miniatures
from swiftreid.data.attribute_files import FILES, read_attribute_mat
from swiftreid.data.attributes import read_attributes
from swiftreid.data.market import read_market
from swiftreid.data.samples import Sample
from swiftreid.data.schemas import (
    CUHK03,
    DUKEMTMC,
    MARKET1501,
    RENDERED,
    RENDERED_2,
    SCHEMAS,
    AttributeSchema,
    attribute_bits,
    schema_for,
    schema_of,
    unusable,
)
from swiftreid.data.sources import open_data
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.synthetic.people import CHOICES, Attributes

STATION = Path(__file__).resolve().parents[2] / "examples/station"
SHARED = Path(os.environ.get("SWIFTREID_SHARED") or Path(__file__).resolve().parents[2].parent / "shared") / "data"
real = pytest.mark.skipif(not SHARED.is_dir(), reason="the attribute files are in ../shared/data, which is not here")


@pytest.mark.parametrize(
    ("schema", "attributes", "bits"),
    [(MARKET1501, 27, 30), (DUKEMTMC, 23, 23), (CUHK03, 27, 27), (RENDERED, 15, 57), (RENDERED_2, 19, 72)],
)
def test_sizes(schema: AttributeSchema, attributes: int, bits: int) -> None:
    assert len(schema.attributes) == len({attribute.name for attribute in schema.attributes}) == attributes
    assert len(schema) == len(set(schema.names)) == bits
    assert all(set(group) <= set(schema.names) for group in schema.one_of)


def test_cuhk03_is_what_the_paper_lists() -> None:
    colours = {"black", "white", "red", "purple", "yellow", "gray", "blue", "green", "pink", "brown"}
    named = {f"{part}{colour}" for part in ("up", "down") for colour in colours}
    others = {"female", "long_hair", "short_sleeve", "short_lower", "backpack", "handbag", "bag"}
    assert set(CUHK03.names) == named | others


def test_rendered_is_what_synthesis_draws() -> None:
    assert [attribute.name for attribute in RENDERED_2.attributes] == Attributes.names()
    for attribute in RENDERED_2.attributes:
        drawn = CHOICES.get(attribute.name, {"slim": 0, "average": 0, "heavy": 0})
        assert set(attribute.values) == set(drawn), attribute.name
    assert schema_for(["person", "split", *Attributes.names()]) is RENDERED_2


def test_the_rendered_station_has_bits() -> None:
    data = read_market(STATION)
    schema = schema_of(data.query)
    assert schema is RENDERED
    bits, known = attribute_bits(data.query, schema)
    assert bits.shape == known.shape == (150, 57)
    assert known.all()
    table = read_attributes(STATION / "attributes.csv")
    for row, sample in enumerate(data.query):
        values = table[sample.person]
        told = dict(zip(schema.names, bits[row].tolist(), strict=True))
        assert told["female"] == (values["gender"] == "female")
        assert told["backpack"] == (values["backpack"] != "no")
        assert [name for name in schema.names if name.startswith("upper_") and told[name]] == [
            f"upper_{values['upper_colour']}"
        ]
        assert told[values["age"]]
        assert told["open_jacket"] == (values["upper_kind"] == "open jacket")


def test_values_are_bound_by_name() -> None:
    values = {attribute.name: attribute.values[-1] for attribute in MARKET1501.attributes}
    shuffled = dict(random.Random(1).sample(sorted(values.items()), len(values)))
    for one, other in zip(MARKET1501.bits_of(values), MARKET1501.bits_of(shuffled), strict=True):
        assert one.tolist() == other.tolist()


def test_age_is_four_bits_and_exactly_one_is_yes() -> None:
    places = [MARKET1501.names.index(name) for name in ("young", "teenager", "adult", "old")]
    for place, age in zip(places, ("young", "teenager", "adult", "old"), strict=True):
        bits, known = MARKET1501.bits_of({"age": age})
        assert np.flatnonzero(bits).tolist() == [place]
        assert np.flatnonzero(known).tolist() == places


def test_what_is_missing_is_unknown_and_not_no() -> None:
    samples = [
        Sample(Path("a"), 1, 1, attributes={"gender": "female", "upred": "no", "upblack": ""}),
        Sample(Path("b"), 2, 1),
        Sample(Path("c"), 3, 1, attributes={"upred": "yes", "downblack": "no", "hat": "no"}),
    ]
    bits, known = attribute_bits(samples, MARKET1501)
    named = [{MARKET1501.names[place] for place in np.flatnonzero(row)} for row in known]
    assert named == [{"female"}, set(), {"upred", "hat"}]  # nobody's upper colour is known from a "no"
    assert [[MARKET1501.names[place] for place in np.flatnonzero(row)] for row in bits] == [["female"], [], ["upred"]]
    assert not (bits & ~known).any()


def test_values_that_a_schema_does_not_know() -> None:
    with pytest.raises(UsageError, match="attribute age is 'adolescent', but the schema market1501 knows young, teen"):
        MARKET1501.bits_of({"age": "adolescent"})


def test_the_fitting_schema_is_found() -> None:
    for schema in SCHEMAS.values():
        columns = [attribute.name for attribute in schema.attributes]
        assert schema_for([*columns, "remark"]) is schema
        assert schema_for(columns[1:]) is not schema
    assert schema_of([Sample(Path("a"), 1, 1)]) is None


def test_why_attributes_cannot_be_used_is_said() -> None:
    whole = {attribute.name: attribute.values[0] for attribute in RENDERED.attributes}
    assert unusable([Sample(Path("a"), 1, 1)]) == ""
    assert unusable([Sample(Path("a"), 1, 1, attributes=whole)]) == ""
    some = {name: value for name, value in whole.items() if name != "lower_kind"}
    assert unusable([Sample(Path("a"), 1, 1, attributes=some)]).startswith(
        "their columns are those of no schema; what comes nearest, rendered, also has lower_kind ("
    )
    wrong = Sample(Path("a"), 8, 1, attributes={**whole, "hat": "fez"})
    assert unusable([wrong]).startswith("person 8: attribute hat is 'fez', but the schema rendered knows none, cap")


def attribute_mat(path: Path, schema: AttributeSchema, **changes: Any) -> Path:
    """A miniature attribute file: fields in another order in test than in train, people as four digits."""
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    parts: dict[str, dict[str, Any]] = {}
    for part, people, turn in (("train", [2, 7, 10], 0), ("test", [1, 3, 1501], 5)):
        names = [attribute.name for attribute in schema.attributes]
        names = names[turn:] + names[:turn]
        sizes = {attribute.name: len(attribute.values) for attribute in schema.attributes}
        fields: dict[str, Any] = {name: rng.integers(1, sizes[name] + 1, (1, len(people)), np.uint8) for name in names}
        cells = np.empty((1, len(people)), object)
        cells[0] = [f"{person:04}" for person in people]
        parts[part] = fields | {"image_index": cells}
    for name, value in changes.items():
        part, field = name.split("_", 1)
        if value is None:
            del parts[part][field]
        else:
            parts[part][field] = value
    savemat(path, {path.stem: parts})
    return path


@pytest.mark.parametrize("name", list(FILES))
def test_attribute_files_in_miniature(tmp_path: Path, name: str) -> None:
    from scipy.io import loadmat

    path = attribute_mat(tmp_path / name, FILES[name])
    people = read_attribute_mat(path, FILES[name])
    assert sorted(people) == [1, 2, 3, 7, 10, 1501]
    part = loadmat(path, simplify_cells=True)[path.stem]["test"]  # SciPy's own way to unwrap is the oracle
    for attribute in FILES[name].attributes:
        codes = part[attribute.name].tolist()
        assert [people[person][attribute.name] for person in (1, 3, 1501)] == [
            attribute.values[code - 1] for code in codes
        ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_hat": None}, "test has no field hat; is it the attribute file of market1501"),
        ({"train_hat": np.array([[1, 2, 3]])}, "train: hat of person 0010 is 3, not 1 to 2"),
        ({"train_hat": np.array([[1, 2]])}, "train: hat has 2 values for 3 people"),
        ({"train_image_index": np.array([["0001", "0007", "0010"]], object)}, "person 0001 is both in train and in"),
        ({"train_image_index": np.array([["0007", "0007", "0010"]], object)}, "names a person twice"),
        ({"train_image_index": np.array([["seven", "0007", "0010"]], object)}, "image_index holds 'seven'"),
    ],
)
def test_faulty_attribute_files(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = attribute_mat(tmp_path / "market_attribute.mat", MARKET1501, **changes)
    with pytest.raises(SwiftReIDError, match=message):
        read_attribute_mat(path, MARKET1501)


def test_zeros_are_unknown(tmp_path: Path) -> None:
    path = attribute_mat(tmp_path / "duke_attribute.mat", DUKEMTMC, train_top=np.array([[0, 1, 2]], np.uint8))
    people = read_attribute_mat(path, DUKEMTMC)
    assert "top" not in people[2]
    assert [people[7]["top"], people[10]["top"]] == ["short", "long"]
    _, known = DUKEMTMC.bits_of(people[2])
    assert not known[DUKEMTMC.names.index("long_upper")]


def test_other_matlab_files_are_refused(tmp_path: Path) -> None:
    mini = miniatures.cuhk03_config(tmp_path)
    with pytest.raises(SwiftReIDError, match="not one structure of attributes"):
        read_attribute_mat(mini.root / "cuhk03_new_protocol_config_labeled.mat", MARKET1501)


def test_an_attribute_file_beside_the_pictures_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = miniatures.market1501(tmp_path / "market1501")
    attribute_mat(mini.root / "market_attribute.mat", MARKET1501)
    people = read_attribute_mat(mini.root / "market_attribute.mat", MARKET1501)
    data = open_data(mini.root)
    for sample in data.train + data.query + data.gallery + data.multi_query:
        assert sample.attributes == people.get(sample.person)
    assert schema_of(data.train) is MARKET1501
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "scipy", None)
        patch.setitem(sys.modules, "scipy.io", None)
        without = open_data(mini.root)
        assert without.query[0].attributes is None
        assert without.notes == ["market_attribute.mat is not read, as it needs SciPy: pip install 'swiftreid[data]'"]
    (mini.root / "attributes.csv").write_text("person,hat\n1,no\n")  # the user's own table comes first
    assert open_data(mini.root).query[0].attributes == {"hat": "no"}


@real
@pytest.mark.shared
def test_real_market_attributes() -> None:
    people = read_attribute_mat(SHARED / "market_attribute/market_attribute.mat", MARKET1501)
    assert len(people) == 751 + 750
    assert people[1]["gender"] == "female"
    index = {name: place for place, name in enumerate(MARKET1501.names)}
    from scipy.io import loadmat

    raw = loadmat(SHARED / "market_attribute/market_attribute.mat", simplify_cells=True)["market_attribute"]
    train, test = ([int(person) for person in raw[part]["image_index"]] for part in ("train", "test"))
    bits, known = (np.stack(rows) for rows in zip(*(MARKET1501.bits_of(people[p]) for p in train), strict=True))
    assert (~known[:, index["upblack"]]).sum() == 78
    assert (~known[:, index["downblack"]]).sum() == 30
    assert bits[:, index["female"]].sum() == 320
    assert bits[:, [index[age] for age in ("young", "teenager", "adult", "old")]].sum(0).tolist() == [14, 569, 160, 8]
    tested = np.stack([MARKET1501.bits_of(people[person])[0] for person in test])
    assert tested[:, index["downpurple"]].sum() == 0
    assert tested[:, index["hat"]].sum() == 23
    everybody = np.stack([MARKET1501.bits_of(values)[1] for values in people.values()])
    assert (~everybody[:, index["upblack"]]).sum() == 147  # docs/data.md says so


@real
@pytest.mark.shared
def test_real_duke_attributes() -> None:
    people = read_attribute_mat(SHARED / "duke_attribute/duke_attribute.mat", DUKEMTMC)
    assert len(people) == 702 + 1110
    known = np.stack([DUKEMTMC.bits_of(values)[1] for values in people.values()])
    assert (~known).sum(0)[DUKEMTMC.names.index("long_upper")] == 2
    bits = np.stack([DUKEMTMC.bits_of(values)[0] for values in people.values()])
    assert bits[:, DUKEMTMC.names.index("boots")].sum() == 191 + 294
