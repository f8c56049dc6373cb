"""Search by description as a command takes it: its options, and the stage that they become."""

from __future__ import annotations

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
"""Of the entries, that a description lets pass where a picture is searched with it."""

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

    def __str__(self) -> str:
        return ", ".join([*self.differs, *(f"{name}?" for name in self.unsure)]) or "nothing"


@dataclass(frozen=True)
class Described:
    """A description as an encoder's codes have it.

    Attributes:
        description: what is said.
        names: the encoder's attributes, in the order of the bits.
        code: name of the attribute code.
        row: its bits, uint8 [1, row bytes].
        weights: how much they count, uint8 [1, bits].
    """

    description: Description
    names: list[str]
    code: str
    row: NDArray[np.uint8]
    weights: NDArray[np.uint8]

    def alone(self) -> Cascade:
        """The cascade that compares nothing but the description."""
        return Cascade([Stage(self.code)])

    def before(self, cascade: Cascade) -> Cascade:
        """A cascade with the description as its first stage, in place of a short list by the query's attributes."""
        rest = [stage for stage in cascade.stages if stage.code != self.code]
        # Who matches as well as the last one that passes, passes too: descriptions tie often.
        return Cascade([Stage(self.code, share=SHARE, whole_ties=True), *rest])

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
    return Described(said, names, f"attr{len(names)}", said.code(names)[None], weights[None])
