"""Thresholds and short lists to draw and measure: fitted on people held out, or those on the encoder's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swiftreid.calibration.calibration import Calibration
from swiftreid.calibration.fit import fit_calibration
from swiftreid.calibration.short_list import ShortList, fit_short_list, short_and_final
from swiftreid.calibration.thresholds import PAPER_BETA
from swiftreid.errors import UsageError
from swiftreid.experiments.encoded import EncodedData
from swiftreid.experiments.held_out import HeldOut, held_out_people, required
from swiftreid.experiments.inputs import Data
from swiftreid.figures.beta import BETAS, dto_cascades
from swiftreid.progress import Progress, no_progress
from swiftreid.search.cascade import Cascade


@dataclass(frozen=True)
class BetaCascades:
    """Cascades that DTO makes of each beta, and the name of the people they were fitted on."""

    cascades: Mapping[float, Cascade]
    fitted_on: str


@dataclass(frozen=True)
class FittedShortList:
    """A short list by the w rule, and the name of the people it was fitted on."""

    rule: ShortList
    fitted_on: str


@dataclass(frozen=True)
class MarkedThresholds:
    """Thresholds to draw: for each code (bits, meaning), and a sentence on where they come from."""

    by_code: Mapping[str, Sequence[tuple[int, str]]]
    origin: str


def cascades_by_beta(
    test: EncodedData,
    held_out: Data | None = None,
    betas: Sequence[float] | None = None,
    *,
    progress: Progress = no_progress,
) -> BetaCascades:
    """For each beta its cascade.

    An encoder that has learned from the people to fit on may carry cascades fitted on some that were held out from it
    at that time: those are taken then.

    Args:
        test: what is measured on.
        held_out: the data set of the people to fit on; None takes the test set's train split.
        betas: weights of recall; None takes `BETAS`.
        progress: takes how far encoding is.

    Raises:
        NobodyHeldOut: there are no people to fit on.
        UsageError: those people are in the test set.
    """
    people = held_out_people(test, held_out)
    calibration = test.encoder.card.calibration
    trials = calibration.details.get("trials", []) if calibration else []
    if betas is None and trials and calibration is not None and (people is None or people.learned):
        return BetaCascades({float(t["beta"]): Cascade.parse(t["cascade"]) for t in trials}, _on_card(calibration))
    found = required(people, test)
    return BetaCascades(dto_cascades(found.encode(test, progress=progress), betas or BETAS), found.name)


def short_list_by_rule(
    test: EncodedData, held_out: Data | None = None, code: str | None = None, *, progress: Progress = no_progress
) -> FittedShortList:
    """The w rule, on people held out; or as on the card, where the encoder learned from them.

    Args:
        test: what is measured on.
        held_out: the data set of the people to fit on; None takes the test set's train split.
        code: the short code; None takes the attributes if there are any, else the shortest.
        progress: takes how far encoding is.

    Raises:
        NobodyHeldOut: there are no people to fit on.
        UsageError: there is no such code, or those people are in the test set.
    """
    people = held_out_people(test, held_out)
    short, final = short_and_final(test.gallery.codes, code)
    calibration = test.encoder.card.calibration
    stored = calibration.short_list if calibration else None
    if (
        calibration is not None
        and stored is not None
        and (stored.code, stored.final) == (short, final)
        and (people is None or people.learned)
    ):
        return FittedShortList(stored, _on_card(calibration))
    found = required(people, test)
    codes = found.encode(test, progress=progress)
    rule = fit_short_list(codes.codes, codes.persons, codes.cameras, code=short, final=final)
    return FittedShortList(rule, found.name)


def marked_thresholds(
    test: EncodedData, held_out: Data | None = None, *, progress: Progress = no_progress
) -> MarkedThresholds:
    """For each code its thresholds.

    The encoder's calibration serves unless people to fit on are named; without either there are no thresholds.

    Raises:
        UsageError: the given people are in the test set, or nothing can be fitted on them.
    """
    calibration = test.encoder.card.calibration
    if held_out is None and calibration is not None:
        return MarkedThresholds(_marks(calibration), f"Thresholds: the encoder's calibration on {calibration.data}.")
    people = held_out_people(test, held_out)
    if people is None:
        return MarkedThresholds(
            {}, "No thresholds: the encoder is not calibrated, and there is no train split to fit on."
        )
    try:
        fitted = _fit(people, test, progress)
    except UsageError as error:
        if held_out is not None:
            raise
        return MarkedThresholds({}, f"No thresholds: {error}.")
    return MarkedThresholds(_marks(fitted), f"Thresholds: fitted on {people.name}.")


def _fit(people: HeldOut, test: EncodedData, progress: Progress) -> Calibration:
    codes, spec = people.encode(test, progress=progress), test.encoder.spec
    return fit_calibration(codes, spec, data=people.name, data_fingerprint="", beta=PAPER_BETA)


def _on_card(calibration: Calibration) -> str:
    return f"{calibration.data} (encoder's card)"


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
