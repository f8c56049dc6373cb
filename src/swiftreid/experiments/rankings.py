"""Which rankings an evaluation measures, and which of them each is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import UsageError
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.stages import EMBEDDING


def exhaustive_label(code: str) -> str:
    """The name of exhaustive search by one code in tables and cards."""
    return f"{code} exhaustive"


def rankings_of(encoder: Encoder, further: Iterable[Cascade | str] = ()) -> dict[str, Cascade]:
    """Exhaustive search by each code, the calibrated cascades if there are any, and further ones; by label.

    Exhaustive search by the float embedding is among them where a further cascade compares embeddings.

    Args:
        encoder: the encoder that made the codes.
        further: cascades, as such or as text, which is then the label.

    Raises:
        UsageError: a text cannot be read, or a cascade compares what the encoder does not give.
    """
    given = {str(each): _checked(each, encoder) for each in further}
    ends = [*encoder.spec, *([EMBEDDING] if any(EMBEDDING in cascade.codes for cascade in given.values()) else [])]
    rankings = {exhaustive_label(name): Cascade([Stage(name)]) for name in ends}
    calibration = encoder.card.calibration
    if calibration is not None:
        rankings |= calibration.cascades
    return rankings | given


def exhaustive_counterparts(rankings: Mapping[str, Cascade]) -> dict[str, str]:
    """For each cascade the label of exhaustive search by its own last code, which shows what the cascade loses."""
    ends = {label: exhaustive_label(cascade.stages[-1].code) for label, cascade in rankings.items()}
    return {label: end for label, end in ends.items() if label != end}


def _checked(given: Cascade | str, encoder: Encoder) -> Cascade:
    cascade = Cascade.parse(given) if isinstance(given, str) else given
    if cascade.stages[0].keep == "nprobe":
        raise UsageError(f"cascade {given} probes inverted lists, which an evaluation does not make: leave them out")
    there = [*encoder.spec, *([EMBEDDING] if encoder.card.embedding is not None else [])]
    missing = [name for name in cascade.codes if name not in there]
    if missing:
        raise UsageError(
            f"cascade {given} compares {' and '.join(missing)}, which the encoder {encoder.card.name} does not have; "
            f"it has {', '.join(there)}"
        )
    return cascade
