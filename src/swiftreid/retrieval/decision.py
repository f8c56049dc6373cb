"""Which same-person threshold decides a search, and when none does.

Distances of rendered people say little about real ones: with a threshold calibrated on rendered people, 73 % of 4,049
real queries got an entry, and 28 % of these entries were right. So such a calibration decides only in galleries that
were declared rendered when they were created.
"""

from __future__ import annotations

import math

from swiftreid.calibration.calibration import Calibration
from swiftreid.calibration.same_person import SamePerson
from swiftreid.encoding.card import EncoderCard
from swiftreid.errors import UsageError
from swiftreid.retrieval.answer import Note
from swiftreid.retrieval.query import Threshold
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import bits_of
from swiftreid.search.stages import EMBEDDING

_CALIBRATE = (
    "calibrate the encoder on labelled people of your cameras (`calibrate_encoder` or `calibrate_vectors` in Python, "
    "`swiftreid calibrate`)"
)


def choose_threshold(
    wanted: Threshold, card: EncoderCard | None, cascade: Cascade, *, rendered: bool
) -> tuple[float | SamePerson | None, Note | None]:
    """The threshold that decides, and why none does where none applies.

    Args:
        wanted: the query's.
        card: of the encoder; None where it is not known.
        cascade: how the search is made.
        rendered: whether the gallery's people were declared not to exist.

    Returns:
        The threshold, or None; and a note if the answer is 'not calibrated'.

    Raises:
        UsageError: a distance that the last code cannot have.
    """
    final = cascade.stages[-1].code
    if wanted is None:
        return None, None
    if wanted != "calibrated":
        most, unit = (2, "") if final == EMBEDDING else (bits_of(final), " bits")
        if not (math.isfinite(wanted) and 0 <= wanted <= most):
            raise UsageError(f"a same-person threshold is a distance of 0 to {most}{unit} of {final}, not {wanted:g}")
        if final != EMBEDDING and wanted != int(wanted):
            raise UsageError(f"a same-person threshold of {final} is a whole number of bits, not {wanted:g}")
        return wanted, None
    if card is None:
        return None, Note("no-encoder", "the gallery carries no encoder, so it has no same-person threshold")
    calibration = card.calibration
    found = calibration.same_person if calibration else None
    if calibration is not None and final == EMBEDDING:
        found = calibration.same_person_embedding
    if calibration is None or found is None:
        message = f"the encoder {card.name} has no calibrated same-person threshold: {_CALIBRATE}"
        return None, Note("no-calibration", message, {"encoder": card.name})
    why = _why_not(calibration, found, final, rendered=rendered)
    return (found, None) if why is None else (None, why)


def _why_not(calibration: Calibration, found: SamePerson, final: str, *, rendered: bool) -> Note | None:
    """Why a calibrated threshold does not decide; None where it does."""
    facts = {"data": calibration.data, "code": found.code, "final": final}
    if not rendered and calibration.rendered is not False:
        recorded = calibration.rendered is not None
        why = "is of rendered people and does not apply to real ones"
        why = why if recorded else "does not record whether its people were rendered"
        message = (
            f"the calibration on {calibration.data} {why}: {_CALIBRATE} (or, if all people of a gallery are rendered, "
            "declare that when you create it)"
        )
        return Note("rendered-calibration" if recorded else "unrecorded-calibration", message, facts)
    if found.code != final:
        message = (
            f"the calibrated same-person threshold is for {found.code}, not for {final}: end the cascade in "
            f"{found.code} to use it"
        )
        return Note("other-code", message, facts)
    return None


def size_note(threshold: float | SamePerson | None, entries: int) -> Note | None:
    """What a gallery larger than the calibrated one does to the threshold's figures."""
    if not isinstance(threshold, SamePerson) or entries <= threshold.gallery:
        return None
    share = threshold.false_accepts_in(entries)
    return Note(
        "larger-gallery",
        f"the same-person threshold is calibrated for {threshold.gallery:,} entries; among {entries:,} an estimated "
        f"{100 * share:.0f} % of the people who are not there get an entry",
        {"calibrated": threshold.gallery, "entries": entries, "false_accepts": share},
    )
