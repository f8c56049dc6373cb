"""A description as an encoder's attribute bits, and the entries of a gallery that pass it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.schemas import SCHEMAS
from swiftreid.encoding.card import EncoderCard
from swiftreid.errors import UsageError
from swiftreid.retrieval.answer import AttributeFit, DescriptionFacts
from swiftreid.retrieval.query import PersonDescription
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import unpack_bits
from swiftreid.search.description import SURELY, Description, attribute_names
from swiftreid.search.table import CodeTable

Mask = NDArray[np.bool_] | NDArray[np.uint8] | None
"""Which entries of a table are searched; None for all."""

SHARE = 0.1
"""Share of the entries that pass a description at most, where fewer fit it."""

BY_CHANCE = 0.55
"""Mean of recall and specificity below which an attribute counts as predicted by chance (chance gives 0.5)."""


@dataclass(frozen=True)
class DescriptionStage:
    """A description as one stage of a cascade.

    Attributes:
        description: the bits that are wanted or not.
        names: the encoder's attributes, in the order of the bits.
        code: name of the attribute code.
        row: the description's bits, uint8 [1, row bytes].
        weights: how much they count, uint8 [1, bits].
        facts: its bits and their reliability.
    """

    description: Description
    names: list[str]
    code: str
    row: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    facts: DescriptionFacts

    @cached_property
    def alone(self) -> Cascade:
        """The cascade that compares nothing but the description."""
        return Cascade([Stage(self.code)])

    def fitting(self, table: CodeTable, mask: Mask) -> NDArray[np.bool_]:
        """Which entries fit, surely or not, bool [n]."""
        return self._fitting_in(table, mask, self.description.bits)

    def passing(self, table: CodeTable, mask: Mask) -> NDArray[np.bool_]:
        """Which entries a picture is searched among with this description, bool [n].

        All entries that fit pass, surely or not; and those that fit next best, up to a tenth. Entries at one distance
        pass together, and those at the smallest distance always pass. An attribute that the encoder predicts by chance
        leaves nobody out.
        """
        counted = [name for name in self.description.bits if name not in self.facts.by_chance]
        passing = self._fitting_in(table, mask, counted)
        stated = {bit for name in counted for bit in (name, SURELY + name)}
        weights = np.where([name in stated for name in self.names], self.weights, 0).astype(np.uint8)
        positions, distances = self._ranked(table, mask, weights)
        if len(positions):
            beyond = distances[min(len(distances) - 1, math.ceil(SHARE * len(distances)))]
            passing[positions[distances <= max(int(beyond) - 1, int(distances[0]))]] = True
        return passing

    def compared(self, table: CodeTable, positions: Sequence[int]) -> list[AttributeFit]:
        """How some entries compare with the description."""
        rows = unpack_bits(table.rows(self.code, np.asarray(positions, np.int64)), len(self.names))
        return [self._fit(dict(zip(self.names, row.astype(bool).tolist(), strict=True))) for row in rows]

    def _fitting_in(self, table: CodeTable, mask: Mask, attributes: Iterable[str]) -> NDArray[np.bool_]:
        """Entries with the described bits of these attributes, whatever their second bits."""
        weights = np.zeros_like(self.weights)
        weights[0, [self.names.index(name) for name in attributes]] = 1
        positions, distances = self._ranked(table, mask, weights)
        fitting = np.zeros(len(table), bool)
        fitting[positions[distances == 0]] = True
        return fitting

    def _ranked(
        self, table: CodeTable, mask: Mask, weights: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """All positions that the mask lets pass, by their distance from the description, and these distances."""
        ranked = self.alone.rank(table, {self.code: self.row}, mask=mask, weights={self.code: weights})
        return ranked.indices[0], ranked.distances[0]

    def _fit(self, bits: dict[str, bool]) -> AttributeFit:
        wanted = self.description.bits
        counted = {name for name, weight in zip(self.names, self.weights[0], strict=True) if weight}
        differs = (name for name, value in wanted.items() if bits[name] != value)
        unsure = (
            name
            for name, value in wanted.items()
            if value and bits[name] and SURELY + name in counted and not bits[SURELY + name]
        )
        return AttributeFit(tuple(differs), tuple(unsure))


def description_stage(words: PersonDescription, card: EncoderCard) -> DescriptionStage:
    """The stage that a description becomes with an encoder's attributes.

    Raises:
        UsageError: the encoder has no attributes, or none of such a name, or somebody would have two values of one.
    """
    names = card.attributes
    description = Description.of(names, has=words.has, upper=words.upper, lower=words.lower, lacks=words.lacks)
    _refuse_two_values(description, names)
    weights = description.weights(names, card.reliability or None)
    facts = _facts(description, card)
    code = f"attr{len(names)}"
    return DescriptionStage(description, names, code, description.code(names)[None], weights[None], facts)


def _facts(description: Description, card: EncoderCard) -> DescriptionFacts:
    scores = {score.name: score for score in card.known_scores}
    measured = {name: score.balanced for name, score in scores.items() if score.balanced is not None}
    by_chance = tuple(name for name in description.bits if measured.get(name, 1.0) < BY_CHANCE)
    unmeasured = tuple(name for name in description.bits if measured and name not in measured)
    counted = [(scores.get(name), wanted) for name, wanted in description.bits.items() if name not in by_chance]
    shares = [(score.recall if wanted else score.specificity) if score else None for score, wanted in counted]
    right = math.prod(share or 0.0 for share in shares) if shares and None not in shares else None
    return DescriptionFacts(dict(description.bits), by_chance, unmeasured, right)


def _refuse_two_values(description: Description, names: Sequence[str]) -> None:
    """Refuse two bits of an attribute of which a person has one value, by the schema that the names are of."""
    schema = next((s for s in SCHEMAS.values() if set(attribute_names(names)) == set(s.names)), None)
    for attribute in schema.attributes if schema else ():
        wanted = [bit for bit in attribute.bits if description.bits.get(bit)]
        if len(wanted) > 1:
            raise UsageError(
                f"nobody is {' and '.join(wanted)}: a person has one {attribute.name.replace('_', ' ')}, and all "
                "conditions of a description must hold"
            )
