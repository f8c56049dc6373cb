"""Search by description as a command takes it: its options, and the stage that they become."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from swiftreid.encoding.encoder import Encoder
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import unpack_bits
from swiftreid.search.description import SURELY, Description
from swiftreid.search.table import CodeTable

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
    """

    description: Description
    names: list[str]
    code: str
    row: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    hardly_told: list[str]

    def alone(self) -> Cascade:
        """The cascade that compares nothing but the description."""
        return Cascade([Stage(self.code)])

    def passing(self, table: CodeTable, mask: NDArray[np.bool_] | NDArray[np.uint8] | None) -> NDArray[np.bool_]:
        """Among whom a picture is searched with this description, bool [n].

        They are all that fit, surely or not; or, if that is more, as many as come near without being more than a tenth.
        Those at one distance pass together, and those at the smallest in any case.
        """
        ranked = self.alone().rank(table, {self.code: self.row}, mask=mask, weights={self.code: self.weights})
        positions, distances = ranked.indices[0], ranked.distances[0]
        passing = np.zeros(len(table), bool)
        if len(positions):
            beyond = distances[min(len(distances) - 1, math.ceil(SHARE * len(distances)))]
            wanted = [SURELY + name for name, wanted in self.description.bits.items() if wanted]
            # The distance of somebody whose bits are as said, but none of them surely.
            fits = sum(int(self.weights[0, place]) for place, name in enumerate(self.names) if name in wanted)
            passing[positions[distances <= max(int(beyond) - 1, fits, int(distances[0]))]] = True
        return passing

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
        UsageError: the encoder has no attributes, or none of such a name.
    """
    if not (has or upper or lower or lacks):
        return None
    names = encoder.card.attributes
    said = Description.of(names, has=has or [], upper=upper or [], lower=lower or [], lacks=lacks or [])
    weights = said.weights(names, encoder.card.reliability or None)
    poor = {score.name for score in encoder.card.told if score.balanced is not None and score.balanced < BARELY}
    hardly_told = [name for name in said.bits if name in poor]
    return Described(said, names, f"attr{len(names)}", said.code(names)[None], weights[None], hardly_told)
