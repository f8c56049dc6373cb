"""Search by description as a command takes it: its options, and the stage that they become."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from swiftreid.data.schemas import SCHEMAS
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import UsageError
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import unpack_bits
from swiftreid.search.description import SURELY, Description, attribute_names
from swiftreid.search.table import CodeTable

Mask = NDArray[np.bool_] | NDArray[np.uint8] | None
"""Which entries of a table are searched; None for all."""

SHARE = 0.1
"""Of the entries, that a description lets pass at most where fewer than so many fit."""

HasOption = Annotated[
    list[str] | None,
    typer.Option("--has", help="An attribute that the person has, such as backpack; may be repeated."),
]
UpperOption = Annotated[
    list[str] | None, typer.Option("--upper", help="Colour or pattern of the upper garment; may be repeated.")
]
LowerOption = Annotated[
    list[str] | None, typer.Option("--lower", help="Colour or pattern of the lower garment; may be repeated.")
]
NotOption = Annotated[
    list[str] | None, typer.Option("--not", help="An attribute that the person has not; may be repeated.")
]


@dataclass(frozen=True)
class Likeness:
    """What of a description an entry is not like, and what of it is likely, but not sure."""

    differs: list[str]
    unsure: list[str]

    @property
    def verdict(self) -> str:
        """In two words."""
        return f"{len(self.differs)} unlike" if self.differs else "seems to fit" if self.unsure else "fits"

    def __str__(self) -> str:
        return ", ".join([*self.differs, *(f"{name}?" for name in self.unsure)]) or "nothing"


BARELY = 0.55
"""Mean of recall and specificity from which an attribute counts as told; by chance it is 0.5."""


@dataclass(frozen=True)
class Described:
    """A description as an encoder's codes have it.

    Attributes:
        description: what is said.
        names: the encoder's attributes, in the order of the bits.
        code: name of the attribute code.
        row: its bits, uint8 [1, row bytes].
        weights: how much they count, uint8 [1, bits].
        hardly_told: of what is said, attributes that the encoder's card says it tells hardly better than by chance.
        never_measured: of what is said, attributes of which the card does not say how well they are told, though it
            does of others.
        right: of pictures of which all of it is true but what is hardly told, the share of which the encoder says so if
            attributes were independent; None where the card does not say.
    """

    description: Description
    names: list[str]
    code: str
    row: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    hardly_told: list[str] = field(default_factory=list)
    never_measured: list[str] = field(default_factory=list)
    right: float | None = None

    def alone(self) -> Cascade:
        """The cascade that compares nothing but the description."""
        return Cascade([Stage(self.code)])

    def fitting(self, table: CodeTable, mask: Mask) -> NDArray[np.bool_]:
        """Who fits, surely or not, bool [n]."""
        return self._nobody_wrong(table, mask, self.description.bits)

    def passing(self, table: CodeTable, mask: Mask) -> NDArray[np.bool_]:
        """Among whom a picture is searched with this description, bool [n].

        They are all that fit, surely or not; and those next best, as long as they are no more than a tenth. Those at
        one distance pass together, and those at the smallest in any case. An attribute that is hardly told shuts
        nobody out.
        """
        counted = [name for name in self.description.bits if name not in self.hardly_told]
        passing = self._nobody_wrong(table, mask, counted)
        stated = {bit for name in counted for bit in (name, SURELY + name)}
        weights = np.where([name in stated for name in self.names], self.weights, 0).astype(np.uint8)
        positions, distances = self._ranked(table, mask, weights)
        if len(positions):
            beyond = distances[min(len(distances) - 1, math.ceil(SHARE * len(distances)))]
            passing[positions[distances <= max(int(beyond) - 1, int(distances[0]))]] = True
        return passing

    def _nobody_wrong(self, table: CodeTable, mask: Mask, attributes: Iterable[str]) -> NDArray[np.bool_]:
        """Whose bits are as said of these attributes, whatever their second bits."""
        weights = np.zeros_like(self.weights)
        weights[0, [self.names.index(name) for name in attributes]] = 1
        positions, distances = self._ranked(table, mask, weights)
        found = np.zeros(len(table), bool)
        found[positions[distances == 0]] = True
        return found

    def _ranked(
        self, table: CodeTable, mask: Mask, weights: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """All positions that the mask lets pass, by their distance from the description, and these distances."""
        ranked = self.alone().rank(table, {self.code: self.row}, mask=mask, weights={self.code: weights})
        return ranked.indices[0], ranked.distances[0]

    def compared(self, table: CodeTable, positions: Sequence[int]) -> list[Likeness]:
        """How some entries compare with the description."""
        rows = unpack_bits(table.rows(self.code, np.asarray(positions, np.int64)), len(self.names))
        return [self._likeness(dict(zip(self.names, row.astype(bool).tolist(), strict=True))) for row in rows]

    def _likeness(self, told: dict[str, bool]) -> Likeness:
        said = self.description.bits.items()
        counted = {name for name, weight in zip(self.names, self.weights[0], strict=True) if weight}
        differs = [name for name, wanted in said if told[name] != wanted]
        unsure = [
            name
            for name, wanted in said
            if wanted and told[name] and SURELY + name in counted and not told[SURELY + name]
        ]
        return Likeness(differs, unsure)


def described(
    encoder: Encoder,
    has: Sequence[str] | None,
    upper: Sequence[str] | None,
    lower: Sequence[str] | None,
    lacks: Sequence[str] | None,
) -> Described | None:
    """The description that the options give; None where they give none.

    Raises:
        UsageError: the encoder has no attributes, or none of such a name, or somebody would have two values of one.
    """
    if not (has or upper or lower or lacks):
        return None
    names = encoder.card.attributes
    said = Description.of(names, has=has or [], upper=upper or [], lower=lower or [], lacks=lacks or [])
    _refuse_two_values(said, names)
    weights = said.weights(names, encoder.card.reliability or None)
    scores = {score.name: score for score in encoder.card.told}
    measured = {name: score.balanced for name, score in scores.items() if score.balanced is not None}
    poor = [name for name in said.bits if measured.get(name, 1.0) < BARELY]
    missing = [name for name in said.bits if measured and name not in measured]
    counted = [(scores.get(name), wanted) for name, wanted in said.bits.items() if name not in poor]
    shares = [(score.recall if wanted else score.specificity) if score else None for score, wanted in counted]
    right = math.prod(share or 0.0 for share in shares) if shares and None not in shares else None
    return Described(said, names, f"attr{len(names)}", said.code(names)[None], weights[None], poor, missing, right)


def _refuse_two_values(said: Description, names: Sequence[str]) -> None:
    """Refuse two bits of an attribute of which a person has one value, by the schema that the names are of."""
    schema = next((s for s in SCHEMAS.values() if set(attribute_names(names)) == set(s.names)), None)
    for attribute in schema.attributes if schema else ():
        wanted = [bit for bit in attribute.bits if said.bits.get(bit)]
        if len(wanted) > 1:
            raise UsageError(
                f"nobody is {' and '.join(wanted)}: a person has one {attribute.name.replace('_', ' ')}, and all of a "
                "description should be so"
            )
