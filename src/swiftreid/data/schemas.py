"""Attribute schemas: which attributes a data set's people have, and the yes/no bits they become, named and in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.samples import NumberedSample
from swiftreid.errors import UsageError

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Attribute:
    """One attribute of a person, and its bits.

    Attributes:
        name: the column in attribute files.
        values: every value it can take, in words; in MATLAB files they are 1, 2, ... in this order.
        bits: bit name -> the values for which that bit is yes. Two-class attributes have one bit.
    """

    name: str
    values: tuple[str, ...]
    bits: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class AttributeSchema:
    """Attributes of a data set and the ordered bits they become.

    Attributes:
        name: such as "market1501".
        attributes: in the order of the bits.
        one_of: groups of bits of which one must be yes: colours of a garment that are annotated one by one. A person
            with none of them has no known colour.
    """

    name: str
    attributes: tuple[Attribute, ...]
    one_of: tuple[tuple[str, ...], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bits, in order; bits belong to these names and mean nothing without them."""
        return tuple(bit for attribute in self.attributes for bit in attribute.bits)

    def __len__(self) -> int:
        return len(self.names)

    def bits_of(self, values: Mapping[str, str] | None) -> tuple[Bools, Bools]:
        """Bits of one person, and which of them are known; bool [bits] each, unknown ones False.

        Values are bound by the attribute's name, in any order. An attribute that is missing or empty is unknown, and so
        are all bits of a `one_of` group of which none is yes.

        Raises:
            UsageError: a value is not one of the attribute's.
        """
        bits, known = np.zeros(len(self), bool), np.zeros(len(self), bool)
        place = 0
        for attribute in self.attributes:
            value = (values or {}).get(attribute.name, "")
            if value and value not in attribute.values:
                raise UsageError(
                    f"attribute {attribute.name} is {value!r}, but the schema {self.name} knows "
                    f"{', '.join(attribute.values)}"
                )
            for yes in attribute.bits.values():
                bits[place], known[place] = value in yes, bool(value)
                place += 1
        for group in self.one_of:
            members = [self.names.index(name) for name in group]
            if not bits[members].any():
                known[members] = False
        return bits, known


def attribute_bits(samples: Sequence[NumberedSample], schema: AttributeSchema) -> tuple[Bools, Bools]:
    """Attribute bits of samples, and which of them are known.

    Args:
        samples: n samples; those without attributes have no known bit.
        schema: what the bits are; see `AttributeSchema.names` for their order.

    Returns:
        Bits and mask, bool [n, bits] each; bits that are not known are False and must not be counted.

    Raises:
        UsageError: a value is not one that the schema knows.
    """
    seen: dict[int, tuple[Bools, Bools]] = {}  # people share one mapping among their samples
    bits, known = (np.zeros((len(samples), len(schema)), bool) for _ in range(2))
    for row, sample in enumerate(samples):
        key = id(sample.attributes)
        if key not in seen:
            try:
                seen[key] = schema.bits_of(sample.attributes)
            except UsageError as error:
                raise UsageError(f"person {sample.person}: {error}") from error
        bits[row], known[row] = seen[key]
    return bits, known


def schema_for(columns: Collection[str]) -> AttributeSchema | None:
    """The largest schema that has all its attributes among these columns; None if there is none."""
    fitting = [schema for schema in SCHEMAS.values() if {a.name for a in schema.attributes} <= set(columns)]
    return max(fitting, key=len, default=None)


def schema_of(samples: Sequence[NumberedSample]) -> AttributeSchema | None:
    """The schema that fits the attributes of samples, taken together; None if they have none that is known."""
    mappings = {id(sample.attributes): sample.attributes for sample in samples if sample.attributes}
    return schema_for({name for attributes in mappings.values() for name in attributes})


def unusable(samples: Sequence[NumberedSample]) -> str:
    """Why the attributes of samples are not those of a schema; empty where they are, or where there are none at all."""
    schema = schema_of(samples)
    if schema is not None:
        try:
            attribute_bits(samples, schema)
        except UsageError as error:
            return str(error)
        return ""
    mappings = {id(sample.attributes): sample.attributes for sample in samples if sample.attributes}
    columns = {name for attributes in mappings.values() for name in attributes}
    if not columns:
        return ""
    lacking = {s.name: [a.name for a in s.attributes if a.name not in columns] for s in SCHEMAS.values()}
    nearest = min(lacking, key=lambda name: (len(lacking[name]), -len(SCHEMAS[name])))
    return (
        f"their columns are those of no schema; what comes nearest, {nearest}, also has {', '.join(lacking[nearest])} "
        f"(a cell may be empty, a column may not be missing; schemas: {', '.join(SCHEMAS)})"
    )


def _either(name: str, no: str, yes: str, bit: str) -> Attribute:
    return Attribute(name, (no, yes), {bit: (yes,)})


def _whether(*names: str) -> tuple[Attribute, ...]:
    return tuple(_either(name, "no", "yes", name) for name in names)


def _each(name: str, *values: str, prefix: str = "") -> Attribute:
    bits = {f"{prefix}{value}".replace(" ", "_"): (value,) for value in values}
    return Attribute(name, values, bits)


def _presence(name: str, none: str, *values: str) -> Attribute:
    return Attribute(name, (none, *values), {name: values})


def _colours(part: str, *colours: str) -> tuple[str, ...]:
    return tuple(f"{part}{colour}" for colour in colours)


_MARKET_UP = _colours("up", "black", "white", "red", "purple", "yellow", "gray", "blue", "green")
_MARKET_DOWN = _colours("down", "black", "white", "pink", "purple", "yellow", "gray", "blue", "green", "brown")
_DUKE_UP = _colours("up", "black", "white", "red", "purple", "gray", "blue", "green", "brown")
_DUKE_DOWN = _colours("down", "black", "white", "red", "gray", "blue", "green", "brown")
_TEN = ("black", "white", "red", "purple", "yellow", "gray", "blue", "green", "pink", "brown")
_CUHK03_UP, _CUHK03_DOWN = _colours("up", *_TEN), _colours("down", *_TEN)

_GENDER = _either("gender", "male", "female", "female")
_HAIR = _either("hair", "short", "long", "long_hair")

MARKET1501 = AttributeSchema(
    "market1501",
    (
        _GENDER,
        _HAIR,
        _either("up", "long", "short", "short_sleeve"),
        _either("down", "long", "short", "short_lower"),
        _either("clothes", "dress", "pants", "pants"),
        *_whether("hat", "backpack", "bag", "handbag"),
        _each("age", "young", "teenager", "adult", "old"),
        *_whether(*_MARKET_UP, *_MARKET_DOWN),
    ),
    (_MARKET_UP, _MARKET_DOWN),
)
"""Market-1501's 27 attributes as 30 bits (Lin et al., Pattern Recognition 2019): 26 of two classes, and age as four."""

DUKEMTMC = AttributeSchema(
    "dukemtmc-reid",
    (
        _GENDER,
        _either("top", "short", "long", "long_upper"),
        *_whether("boots", "hat", "backpack", "bag", "handbag"),
        _either("shoes", "dark", "light", "light_shoes"),
        *_whether(*_DUKE_UP, *_DUKE_DOWN),
    ),
    (_DUKE_UP, _DUKE_DOWN),
)
"""DukeMTMC-reID's 23 attributes as 23 bits (Lin et al., Pattern Recognition 2019)."""

CUHK03 = AttributeSchema(
    "cuhk03",
    (
        _GENDER,
        _HAIR,
        _either("up", "long", "short", "short_sleeve"),
        _either("down", "long", "short", "short_lower"),
        *_whether("backpack", "handbag", "bag"),
        *_whether(*_CUHK03_UP, *_CUHK03_DOWN),
    ),
    (_CUHK03_UP, _CUHK03_DOWN),
)
"""CUHK03's 27 attributes as 27 bits, as the SSR paper (2021, section 7.1) lists them.

The annotations were never published; the names here follow Market-1501's. An ``attributes.csv`` with these columns can
be used.
"""

_CLOTH = ("black", "white", "grey", "red", "blue", "navy", "green", "yellow", "pink", "purple", "orange", "beige")
_BAGS = ("black", "navy", "red", "grey", "green", "brown", "blue", "yellow")

RENDERED = AttributeSchema(
    "rendered",
    (
        _GENDER,
        _each("age", "child", "adult", "senior"),
        _each("build", "slim", "average", "heavy"),
        Attribute(
            "hair_length",
            ("bald", "short", "long"),
            {"bald": ("bald",), "short_hair": ("short",), "long_hair": ("long",)},
        ),
        _each("hair_colour", "black", "brown", "blond", "red", "grey", prefix="hair_"),
        _presence("hat", "none", "cap", "beanie"),
        _either("sleeve", "long", "short", "short_sleeve"),
        _each("upper_kind", "shirt", "open jacket", "coat"),
        _each("upper_colour", *_CLOTH, prefix="upper_"),
        _each("upper_pattern", "plain", "striped", "checked", "logo", "block"),
        _each("lower_kind", "trousers", "shorts", "skirt"),
        _each(
            "lower_colour", "black", "grey", "blue", "navy", "beige", "brown", "white", "green", "red", prefix="lower_"
        ),
        _each("shoes_colour", "black", "white", "brown", "grey", "red", "blue", prefix="shoes_"),
        _presence("backpack", "no", *_BAGS),
        _presence("handbag", "no", *_BAGS),
    ),
)
"""What the first generator of `swiftreid synth` wrote, as for ``examples/station``: 15 attributes as one bit for each
value, or for having it."""

RENDERED_2 = AttributeSchema(
    "rendered-2",
    (
        _GENDER,
        _each("age", "child", "adult", "senior"),
        _each("build", "slim", "average", "heavy"),
        RENDERED.attributes[3],
        _each("hair_colour", "black", "brown", "blond", "red", "grey", prefix="hair_"),
        _each("hat", "none", "cap", "beanie", "hood", prefix="hat_"),
        _either("sleeve", "long", "short", "short_sleeve"),
        _each("upper_kind", "shirt", "hoodie", "open jacket", "puffer", "coat"),
        _each("upper_colour", *_CLOTH, "brown", prefix="upper_"),
        _each("upper_pattern", "plain", "striped", "checked", "print", "logo", "block"),
        _each("lower_kind", "trousers", "shorts", "skirt"),
        _each(
            "lower_colour", "black", "grey", "blue", "navy", "beige", "brown", "white", "green", "red", prefix="lower_"
        ),
        _each("lower_pattern", "plain", "striped", "print", prefix="lower_"),
        _either("shoes_kind", "low", "boots", "boots"),
        _each("shoes_colour", "black", "white", "brown", "grey", "red", "blue", prefix="shoes_"),
        _presence("backpack", "no", *_BAGS),
        _presence("handbag", "no", *_BAGS),
        _each("carried", "no", "shopping bag", "suitcase", prefix="carries_"),
        _either("scarf", "no", "yes", "scarf"),
    ),
)
"""What `swiftreid synth` writes to ``attributes.csv``: 19 attributes as one bit for each value, or for having it."""

SCHEMAS: Mapping[str, AttributeSchema] = {
    schema.name: schema for schema in (MARKET1501, DUKEMTMC, CUHK03, RENDERED, RENDERED_2)
}
"""Schemas by name."""
