"""An encoder's card as text for people: what it gives, what it learned from, and how good it is."""

from __future__ import annotations

from swiftreid.cli.calibrations import attributes_in_words, print_calibration
from swiftreid.cli.console import Report
from swiftreid.encoding.attribute_bits import SURE
from swiftreid.encoding.card import EncoderCard
from swiftreid.search.description import attribute_names


def print_card(report: Report, card: EncoderCard) -> None:
    """What people ask of an encoder; ``--json`` has the whole card."""
    report.text(f"{card.name} ({card.short_fingerprint}): kind {card.kind}, licence {card.licence or 'not stated'}")
    if shape := card.preprocessing:
        mirrored = ", each averaged with its mirror image" if shape.flip else ""
        report.text(f"pictures: {shape.height} x {shape.width} pixels{mirrored}")
    else:
        report.text(f"takes float vectors of {card.embedding} numbers, no pictures")
    report.text(f"codes: {card.spec}" + (f", and {card.embedding} floats" if card.embedding else ""))
    report.text(f"learned from: {card.provenance or 'not stated'}")
    if card.metrics:
        rows = [
            [row.get("data"), row.get("ranking"), *map(_percent, (row.get("rank1"), row.get("map")))]
            for row in card.metrics
        ]
        report.table("measured, %", ["data", "search", "rank-1", "mAP"], rows)
    if card.attributes:
        score_of = {score.name: score for score in card.known_scores}
        names = attribute_names(card.attributes)
        scores = [(name, score_of.get(name)) for name in names]
        cells = [
            [name, *map(_percent, (score.accuracy, score.balanced)), score.positives, score.known]
            if score
            else [name, None, None, None, None]
            for name, score in scores
        ]
        columns = ["attribute", "accuracy, %", "mA, %", "pictures with it", "pictures"]
        report.table("attributes, in the order of their bits", columns, cells)
        if seconds := [name for name in card.attributes if name not in names]:
            report.text(
                f"each has a second bit, such as {seconds[0]}: set where the probability is above {100 * SURE:g} %"
            )
        if score_of:
            report.text(attributes_in_words(card.known_scores))
            report.text("mA of an attribute: (recall + specificity) / 2, 50 % for a coin; mA of all: the mean of these")
    if card.calibration is None:
        report.text("no calibration: a search compares every entry; `swiftreid calibrate` fits one to your cameras")
    else:
        report.text(f"calibrated on {card.calibration.data}")
        print_calibration(report, card.calibration)


def _percent(share: object) -> float | None:
    """Per cent of a share; nothing of what is none, for metrics are as whoever made the file wrote them."""
    return 100 * share if isinstance(share, (int, float)) else None
