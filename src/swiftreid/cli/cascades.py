"""The cascade that a command is given, and why a search used its cascade."""

from __future__ import annotations

from collections.abc import Collection

from swiftreid.encoding.card import EncoderCard
from swiftreid.errors import UsageError
from swiftreid.retrieval.answer import Answer
from swiftreid.retrieval.cascades import check_codes
from swiftreid.search.cascade import Cascade


def read_cascade(text: str, codes: Collection[str], owner: str = "the gallery") -> Cascade:
    """A cascade that a command was given.

    Args:
        text: the option's.
        codes: what there is to compare.
        owner: who has these codes, for messages.

    Raises:
        UsageError: the text cannot be read, a code is not there, or the cascade probes inverted lists, which no
            command makes.
    """
    cascade = Cascade.parse(text)
    if cascade.stages[0].keep == "nprobe":
        raise UsageError(
            f"--cascade {text!r}: inverted lists exist in Python only: leave the stage {cascade.stages[0]} out, or see "
            "'Millions of entries: inverted lists' in docs/search.md"
        )
    check_codes(cascade, codes, owner)
    return cascade


def why(answer: Answer, card: EncoderCard | None) -> str:
    """Why a search used its cascade, with the options' names."""
    name = "of the gallery, of which it has no copy," if card is None else card.name
    calibration = card.calibration if card else None
    reasons = {
        "given": "given by --cascade",
        "exact": "every entry, as --exact asks",
        "calibrated": f"calibrated on {calibration.data}" if calibration else "",
        "every entry": (
            f"every entry: the encoder {name} has no calibration, which coarse-to-fine search needs; make a calibrated "
            "copy with `swiftreid calibrate ENCODER DATA -o COPY` and give it with --encoder COPY"
        ),
        "description": "the description, of every entry",
    }
    narrowed = answer.description is not None and answer.origin != "description"
    return reasons[answer.origin] + ("; among the entries that pass the description" if narrowed else "")
