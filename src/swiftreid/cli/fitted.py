"""Thresholds and short lists for figures: from people held out, or from the encoder's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swiftreid.calibration.calibration import Calibration
from swiftreid.calibration.fit import fit_calibration
from swiftreid.calibration.short_list import ShortList, fit_short_list
from swiftreid.calibration.thresholds import PAPER_BETA
from swiftreid.cli.console import Report
from swiftreid.cli.figure_sources import HeldOut, TestSet, held_out, nobody_held_out, warn_of_learned
from swiftreid.errors import UsageError
from swiftreid.figures.beta import BETAS, dto_cascades
from swiftreid.figures.short_lists import short_and_final
from swiftreid.search.cascade import Cascade


def dto_by_beta(
    test: TestSet, people: HeldOut | None, betas: Sequence[float] | None, report: Report
) -> tuple[Mapping[float, Cascade], str]:
    """For each beta its cascade, and on whom they were fitted.

    An encoder that has learned from the people to fit on may carry cascades fitted on some that were held out from it
    at that time: those are taken then.

    Raises:
        UsageError: there is nobody to fit on.
    """
    calibration = test.encoder.card.calibration
    trials = calibration.details.get("trials", []) if calibration else []
    if betas is None and trials and calibration is not None and (people is None or people.learned):
        return {float(t["beta"]): Cascade.parse(t["cascade"]) for t in trials}, f"{calibration.data} (encoder's card)"
    if people is None:
        raise nobody_held_out(test)
    warn_of_learned(people, report)
    return dto_cascades(people.encode(), betas or BETAS), people.words


def short_list(test: TestSet, people: HeldOut | None, code: str | None, report: Report) -> tuple[ShortList, str]:
    """The w rule and on whom it was fitted: people held out, or as on the card where the encoder learned from them.

    Raises:
        UsageError: there is nobody to fit on, or no such code.
    """
    short, final = short_and_final(test.gallery, code)
    calibration = test.encoder.card.calibration
    stored = calibration.short_list if calibration else None
    if (
        calibration is not None
        and stored is not None
        and (stored.code, stored.final) == (short, final)
        and (people is None or people.learned)
    ):
        return stored, f"{calibration.data} (encoder's card)"
    if people is None:
        raise nobody_held_out(test)
    warn_of_learned(people, report)
    held = people.encode()
    return fit_short_list(held.codes, held.persons, held.cameras, code=short, final=final), people.words


def thresholds_of(test: TestSet, source: str | None, report: Report) -> tuple[dict[str, list[tuple[int, str]]], str]:
    """For each code its thresholds with words, and a sentence on where they come from.

    The encoder's calibration serves unless people to fit on are named; without either there are no thresholds.
    """
    calibration = test.encoder.card.calibration
    if source is None and calibration is not None:
        return _marks(calibration), f"Thresholds: the encoder's calibration on {calibration.data}."
    people = held_out(test, source, report)
    if people is None:
        return {}, "No thresholds: the encoder is not calibrated, and there is no train split to fit on."
    warn_of_learned(people, report)
    try:
        fitted = fit_calibration(
            people.encode(), test.encoder.spec, data=people.words, data_fingerprint="", beta=PAPER_BETA
        )
    except UsageError as error:
        if source is not None:
            raise
        return {}, f"No thresholds: {error}."
    return _marks(fitted), f"Thresholds: fitted on {people.words}."


def _marks(calibration: Calibration) -> dict[str, list[tuple[int, str]]]:
    marks: dict[str, list[tuple[int, str]]] = {}

    def add(code: str, bits: int | None, words: str) -> None:
        if bits is not None:
            marks.setdefault(code, []).append((bits, words))

    by = "recall" if calibration.beta is None else f"DTO, beta {calibration.beta:g}"
    for stage in Cascade.parse(calibration.cascade).stages:
        add(stage.code, stage.threshold, f"goes on ({by})")
    if calibration.recall is not None and calibration.beta is not None:
        for stage in calibration.recall.cascade().stages:
            add(stage.code, stage.threshold, f"goes on (recall {100 * calibration.recall.share:g} %)")
    if calibration.same_person is not None:
        add(calibration.same_person.code, int(calibration.same_person.threshold), "same person")
    return marks
