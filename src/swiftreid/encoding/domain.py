"""What an encoder learnt from, and whether that is the data set it is measured on."""

from __future__ import annotations

from dataclasses import replace

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import ReidData
from swiftreid.encoding.card import EncoderCard
from swiftreid.evaluation.card import Domain

LEARNED_FROM = "learned_from"
"""Field of a training record: what went in besides the record's own data set, as `sources_of` gives it."""


def sources_of(card: EncoderCard) -> list[dict[str, str]]:
    """Every data set that went into an encoder, by way of its base, its teacher or its start too.

    Each has ``data``, its name, and ``data_fingerprint``, which is empty where nothing is recorded.
    """
    others = card.training.get(LEARNED_FROM, [])
    records = [card.training, *(others if isinstance(others, list) else [])]
    return [
        {name: str(record.get(name, "")) for name in ("data", "data_fingerprint")}
        for record in records
        if isinstance(record, dict)
    ]


def domain_of(card: EncoderCard, data: ReidData) -> tuple[str, Domain]:
    """What the encoder was trained or fitted on, in words, and whether ``data`` is among it.

    "same pictures": data without splits on which the encoder was trained: its queries were training pictures.
    "same data set": the fingerprint of ``data`` is among those of `sources_of`; "cross-domain" if all of them
    are recorded and are others, by name too; "unknown" otherwise: something is not recorded, or is another version of a
    data set of the same name.
    """
    words = card.provenance or "not stated"
    if card.calibration is not None:
        words += f"; calibrated on {card.calibration.data}"
    sources, names = sources_of(card), {data.name.casefold(), str(data.published).casefold()}
    prints = {source["data_fingerprint"] for source in sources}
    if data.undivided:
        # Where only training pictures are needed, all pictures of such data are for training.
        as_learned = replace(data, train=data.query, query=[], gallery=[])
        if fingerprint_of(as_learned) in prints:
            return words, "same pictures"
    if fingerprint_of(data) in prints:
        return words, "same data set"
    others = all(source["data_fingerprint"] and source["data"].casefold() not in names for source in sources)
    return words, "cross-domain" if others else "unknown"
