"""Descriptions of people: which attributes are wanted and which are not, as a query for a cascade's attribute stage.

A description states a few attributes. As a query it is a code with the wanted bits set, and weights that are 0 for
every other bit (`Cascade.search`, ``weights``). Where an attribute has a second bit, ``surely_backpack`` beside
``backpack``, both bits count: people who surely have a backpack come before those who probably have one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search.codes import pack_bits

MOST_WEIGHT: Final = 15
"""Of the most reliable attribute. Few digits are quick to add up, and reliabilities are known no better."""

SURELY: Final = "surely_"
"""Prefix of the names of second bits, which are set where the attribute is there with hardly a doubt."""

_PARTS: Final = {"upper": ("upper_", "up"), "lower": ("lower_", "down")}
"""How schemas begin the names of a garment's colours and patterns."""

_OF_UPPER: Final = ("plain", "striped", "checked", "print", "logo", "block")
"""Patterns of the upper garment that our own schema names without its prefix."""

_ABSENT: Final = ("none", "no")
"""How schemas name the bit for the absence of a thing: ``hat_none``, ``carries_no``."""

_OPPOSITES: Final = {
    "male": "female",
    "long_sleeve": "short_sleeve",
    "short_hair": "long_hair",
    "long_lower": "short_lower",
    "short_upper": "long_upper",
    "dark_shoes": "light_shoes",
    "dress": "pants",
}
"""Words for which a schema has a bit of the contrary."""

_SAME: Final = {"man": "male", "woman": "female"}
"""Words for which a schema has another."""


@dataclass(frozen=True)
class Description:
    """A description of a person: attribute bits that are wanted (True) or not (False), by name.

    Raises:
        UsageError: it is empty.

    Example:
        >>> names = ["female", "hat_none", "upper_red", "upper_blue", "backpack"]
        >>> described = Description.of(names, has=["backpack"], upper=["red"], lacks=["hat"])
        >>> print(described)
        backpack, upper_red, hat_none
        >>> described.weights(names)
        array([0, 1, 1, 0, 1], dtype=uint8)
    """

    bits: Mapping[str, bool]

    def __post_init__(self) -> None:
        if not self.bits:
            raise UsageError("a description names at least one attribute that a person has or does not have")

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        *,
        has: Sequence[str] = (),
        upper: Sequence[str] = (),
        lower: Sequence[str] = (),
        lacks: Sequence[str] = (),
    ) -> Description:
        """A description in words.

        Args:
            names: of the attribute bits, as on an encoder's card.
            has: attributes that the person has: a bit's name, or a thing with a bit for its absence (``hat``, where
                there is ``hat_none``), or the contrary of a bit (``male``).
            upper: colours or patterns of the upper garment, such as ``red``.
            lower: the same of the lower garment.
            lacks: attributes that the person does not have.

        Raises:
            UsageError: no attribute is called so, or one is wanted and not wanted.
        """
        names = attribute_names(names)
        options = {"has": has, "upper": upper, "lower": lower, "lacks": lacks}
        bits: dict[str, bool] = {}
        words: dict[str, str] = {}  # that first gave a bit
        for kind, given in options.items():
            if isinstance(given, str):
                raise UsageError(f"{kind} is a list of words: write {kind}=[{given!r}]")
            for word in given:
                name, set_ = _bit(word, names, "" if kind in ("has", "lacks") else kind)
                wanted, phrase = set_ == (kind != "lacks"), f"{kind} {word!r}"
                if bits.setdefault(name, wanted) != wanted:
                    raise UsageError(f"the description contradicts itself: {words[name]}, and {phrase}")
                words.setdefault(name, phrase)
        return cls(bits)

    def code(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """The wanted bits, packed: uint8 [row bytes]."""
        bits = np.zeros(len(names), np.uint8)
        for name, wanted in self.bits.items():
            for place in _places(name, names):
                bits[place] = wanted
        packed: NDArray[np.uint8] = pack_bits(bits[None])[0]
        return packed

    def weights(self, names: Sequence[str], reliability: Mapping[str, float] | None = None) -> NDArray[np.uint8]:
        """How much each bit counts, uint8 [bits], 0 for bits that the description does not state.

        Args:
            names: of the attribute bits.
            reliability: of each bit, a log odds ratio (see `log_odds_ratio`). Then the distance is, apart from
                rounding and a constant, minus the logarithm of the odds that a person with these bits is as described
                (naive Bayes). Without it all stated bits have the same weight.
        """
        given = self._sureness(names, reliability) if reliability else dict.fromkeys(self._bits(names), 1.0)
        most, largest = MOST_WEIGHT if reliability else 1, max(given.values())
        weights = np.zeros(len(names), np.uint8)
        for bit, sureness in given.items():
            share = sureness / largest if largest > 0 else 1.0
            least = 0 if bit.startswith(SURELY) else 1  # a stated attribute is never ignored
            weights[list(names).index(bit)] = max(least, round(most * share))
        return weights

    def _bits(self, names: Sequence[str]) -> list[str]:
        """All stated bits, second bits too."""
        return [names[place] for name in self.bits for place in _places(name, names)]

    def _sureness(self, names: Sequence[str], reliability: Mapping[str, float]) -> dict[str, float]:
        """Of these bits; the median of its kind for one that was never measured."""
        kinds = {second: [v for bit, v in reliability.items() if bit.startswith(SURELY) == second] for second in (0, 1)}
        usual = {second: float(np.median(values)) if values else 1.0 for second, values in kinds.items()}
        return {bit: reliability.get(bit, usual[bit.startswith(SURELY)]) for bit in self._bits(names)}

    def __str__(self) -> str:
        return ", ".join(name if wanted else f"not {name}" for name, wanted in self.bits.items())


def log_odds_ratio(true: int, missed: int, false: int, rejected: int) -> float:
    """How reliably a bit shows an attribute: ``log(P(bit | yes) P(no bit | no) / (P(no bit | yes) P(bit | no)))``.

    Half a person is added to each count: an attribute that was never confused gets no infinite reliability.

    Args:
        true: pictures with the attribute and the bit.
        missed: pictures with the attribute, without the bit.
        false: pictures without the attribute, with the bit.
        rejected: pictures without both.
    """
    return math.log((true + 0.5) * (rejected + 0.5) / ((missed + 0.5) * (false + 0.5)))


def attribute_names(names: Sequence[str]) -> list[str]:
    """The attributes of bits with these names: all without the second bits."""
    return [name for name in names if not name.startswith(SURELY)]


def _places(name: str, names: Sequence[str]) -> list[int]:
    """Of the attribute's bit and, where there is one, its second."""
    if name not in names:
        raise UsageError(f"there is no attribute {name!r}; there are {', '.join(attribute_names(names)) or 'none'}")
    return [list(names).index(bit) for bit in (name, SURELY + name) if bit in names]


def _bit(word: str, names: Sequence[str], part: str) -> tuple[str, bool]:
    """The bit for a word, and whether the word is true when the bit is set.

    Args:
        word: as the user wrote it.
        names: of the attributes.
        part: ``upper`` or ``lower`` for a word about a garment, else empty.
    """
    if not names:
        raise UsageError("this encoder gives no attributes, so it cannot search by description: use one that does")
    plain = word.strip().lower().replace(" ", "_").replace("-", "_")
    plain = plain if part or plain in names else _SAME.get(plain, plain)
    for spelling in (plain, plain.replace("grey", "gray"), plain.replace("gray", "grey")):
        called = [prefix + spelling for prefix in _PARTS[part]] if part else [spelling]
        called += [spelling] if part == "upper" and spelling in _OF_UPPER else []
        for name in called:
            if name in names:
                return name, True
        if part:
            continue
        for absent in _ABSENT:
            if f"{spelling}_{absent}" in names:
                return f"{spelling}_{absent}", False
        if _OPPOSITES.get(spelling) in names:
            return _OPPOSITES[spelling], False
    raise UsageError(_unknown(part, plain, names))


def _unknown(part: str, word: str, names: Sequence[str]) -> str:
    if part:
        if word in names:
            return f"{part} {word}: that is not a colour or pattern of a garment; give {word} as an attribute"
        prefix = next((p for p in _PARTS[part] if any(name.startswith(p) for name in names)), "")
        there = [name.removeprefix(prefix) for name in names if prefix and name.startswith(prefix)]
        there += [name for name in names if part == "upper" and name in _OF_UPPER]
        return f"{part} {word}: there is no such colour or pattern; there are {', '.join(there) or 'none'}"
    of_something = [name for name in names if name.endswith(word)]
    suggestions = of_something or get_close_matches(word, names, 3)
    hint = f"did you mean {' or '.join(suggestions)}?" if suggestions else f"there are {', '.join(names)}"
    return f"there is no attribute {word!r}; {hint}"
