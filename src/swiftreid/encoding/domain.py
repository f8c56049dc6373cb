"""What an encoder learnt from, and whether that is the data set it is measured on."""

from __future__ import annotations

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import ReidData
from swiftreid.encoding.card import EncoderCard
from swiftreid.evaluation.card import Domain


def domain_of(card: EncoderCard, data: ReidData) -> tuple[str, Domain]:
    """What the encoder was trained or fitted on, in words, and whether ``data`` is that data set.

    The training record of `swiftreid hash` holds the data set's name and fingerprint. "cross-domain" is said if both
    are others than those of ``data``, "same data set" if the fingerprint is the same, and "unknown" otherwise: there is
    no record, or another version of a data set of the same name.
    """
    words = card.provenance or "not stated"
    if card.calibration is not None:
        words += f"; calibrated on {card.calibration.data}"
    name, fingerprint = card.training.get("data"), card.training.get("data_fingerprint")
    if not fingerprint:
        return words, "unknown"
    if fingerprint == fingerprint_of(data):
        return words, "same data set"
    same_name = str(name).casefold() in {data.name.casefold(), str(data.benchmark).casefold()}
    return words, "unknown" if same_name else "cross-domain"
