"""The MATLAB attribute files of Market-1501 and DukeMTMC-reID: one row per person, fields bound by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from swiftreid.data.matlab import field, field_names, load_mat, unwrap
from swiftreid.data.samples import ReidData
from swiftreid.data.schemas import DUKEMTMC, MARKET1501, AttributeSchema
from swiftreid.errors import SwiftReIDError

FILES: Mapping[str, AttributeSchema] = {"market_attribute.mat": MARKET1501, "duke_attribute.mat": DUKEMTMC}

_INDEX = "image_index"


def read_attribute_mat(source: Path | str, schema: AttributeSchema) -> Mapping[int, Mapping[str, str]]:
    """Read ``market_attribute.mat`` or ``duke_attribute.mat``: person -> attribute name -> value in words.

    Both parts of the file, train and test, are read; the order of their fields differs, so they are bound by name, and
    rows by ``image_index`` (the person's four digits). Two-class attributes are coded 1 and 2, age 1 to 4; 0, which
    DukeMTMC's training people have twice under ``top``, means that it is not known, and the attribute is left out.

    Raises:
        SwiftReIDError: the extra ``data`` is missing, the file cannot be read, or is not of this schema.
    """
    source = Path(source)
    people: dict[int, dict[str, str]] = {}
    content = load_mat(source)
    structs = [value for value in content.values() if field_names(value)]
    if len(structs) != 1:
        raise SwiftReIDError(f"{source} holds {', '.join(content) or 'nothing'}, not one structure of attributes")
    for part in field_names(structs[0]):
        table = field(structs[0], part)
        for person, values in _rows(table, schema, f"{source}, {part}").items():
            if person in people:
                raise SwiftReIDError(f"{source}: person {person:04} is both in train and in test; fetch it again")
            people[person] = values
    return people


def attribute_file_of(root: Path) -> Path | None:
    """The attribute file in a data set's folder, or in a folder ``attribute`` there; None if there is none."""
    places = (root / folder / name for name in FILES for folder in ("", "attribute", "attributes"))
    return next((place for place in places if place.is_file()), None)


def with_attributes(data: ReidData, people: Mapping[int, Mapping[str, str]]) -> ReidData:
    """The same data set with each sample's attributes taken from its person's, where there are some."""
    return data.changed(lambda s: replace(s, attributes=people.get(s.person, s.attributes)))


def _rows(table: Any, schema: AttributeSchema, where: str) -> dict[int, dict[str, str]]:
    fields = field_names(table)
    wanted = [attribute.name for attribute in schema.attributes]
    if lacking := [name for name in (*wanted, _INDEX) if name not in fields]:
        raise SwiftReIDError(f"{where} has no field {', '.join(lacking)}; is it the attribute file of {schema.name}?")
    index = [_person(cell, where) for cell in np.ravel(field(table, _INDEX))]
    if len(set(index)) != len(index):
        raise SwiftReIDError(f"{where}: {_INDEX} names a person twice; fetch the file again")
    rows: dict[int, dict[str, str]] = {person: {} for person in index}
    for attribute in schema.attributes:
        column = np.ravel(field(table, attribute.name))
        if len(column) != len(index):
            raise SwiftReIDError(f"{where}: {attribute.name} has {len(column)} values for {len(index)} people")
        for person, value in zip(index, column.tolist(), strict=True):
            if value not in range(len(attribute.values) + 1):
                raise SwiftReIDError(
                    f"{where}: {attribute.name} of person {person:04} is {value!r}, not 1 to {len(attribute.values)}"
                )
            if value:
                rows[person][attribute.name] = attribute.values[int(value) - 1]
    return rows


def _person(cell: Any, where: str) -> int:
    text = str(unwrap(cell)).strip()
    if not text.isdigit():
        raise SwiftReIDError(f"{where}: {_INDEX} holds {text!r}, not a person's four digits")
    return int(text)
