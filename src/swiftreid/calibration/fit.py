"""Fitting a calibration: all thresholds of an encoder's codes, from pictures of held-out people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from swiftreid.calibration.calibration import SHORT_LIST, Calibration
from swiftreid.calibration.pairs import PairHistogram, pair_histograms
from swiftreid.calibration.recall import (
    CONFIDENCE,
    DEPTH,
    SHARE,
    RecallThresholds,
    TooFewPeople,
    recall_thresholds,
)
from swiftreid.calibration.same_person import FALSE_ACCEPTS, SamePerson, fit_same_person
from swiftreid.calibration.short_list import RANK_SHARE, ShortList, fit_short_list
from swiftreid.calibration.thresholds import (
    BETAS,
    PAPER_BETA,
    BetaSweep,
    Formula,
    Method,
    Thresholds,
    fit_thresholds,
    sweep_betas,
)
from swiftreid.data.samples import DISTRACTOR
from swiftreid.errors import UsageError
from swiftreid.evaluation.attributes import AttributeScore
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import measure_cascades
from swiftreid.evaluation.protocol import evaluate_rankings
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import CodeSpec
from swiftreid.search.results import SearchResult
from swiftreid.search.table import CodeTable

CascadeMethod = Method | Literal["recall"]


def fit_calibration(
    held_out: LabelledCodes,
    spec: CodeSpec,
    *,
    data: str,
    data_fingerprint: str,
    rendered: bool | None = None,
    beta: float | None = PAPER_BETA,
    max_loss: float = 0.005,
    method: CascadeMethod = "gaussian",
    formula: Formula = "derived",
    sweep: bool = False,
    share: float = SHARE,
    confidence: float = CONFIDENCE,
    depth: float | None = DEPTH,
    rank_share: float = RANK_SHARE,
    false_accepts: float = FALSE_ACCEPTS,
    gallery: int | None = None,
    attributes: Sequence[AttributeScore] = (),
) -> Calibration:
    """Fit the cascade of all identity codes, shortest first, and all other thresholds, to held-out identities.

    An encoder of one identity code and attributes has no such cascade: its own is attribute-based fast retrieval. The
    short list has the length of the w rule, or a multiple of it up to half of these people's pictures, whichever loses
    at most ``max_loss`` first; where none does, search is exhaustive. ``method`` and ``beta`` are not used.

    Certified thresholds (`swiftreid.calibration.recall`), the w rule (`swiftreid.calibration.short_list`) and the
    same-person threshold (`swiftreid.calibration.same_person`) are fitted besides, whatever the method of the cascade.

    Args:
        held_out: people that the encoder has not been trained on, some of them seen by two cameras. Distractors and
            junk are left out: their pictures show many people under one number.
        spec: the encoder's codes.
        data: the data set's name, for the record.
        data_fingerprint: of its pictures.
        rendered: whether nobody in them exists. Where that is not stated (None), or where they are, the calibration
            decides nothing about real people (`swiftreid.retrieval.decision`).
        beta: weight of recall in F_beta (methods.md section 2); None chooses the one with the least bytes compared that
            loses at most ``max_loss`` mAP on the held-out identities themselves. Not used by ``recall``.
        max_loss: in mAP, 0.01 = 1 point; counts when ``beta`` is None, and with one identity code.
        method: how the thresholds of the cascade are fitted: DTO by ``gaussian`` or ``empirical`` distributions, or
            ``recall``: certified to keep ``share``.
        formula: the F_beta formula, derived or as printed.
        sweep: try and record all betas even when ``beta`` is given.
        share: of the exhaustive result, for the certified thresholds (as for `recall_thresholds`).
        confidence: likewise.
        depth: likewise.
        rank_share: for the w rule (as for `fit_short_list`).
        false_accepts: for the same-person threshold (as for `fit_same_person`).
        gallery: likewise.
        attributes: how accurate each attribute is on these people, for the record.

    Raises:
        UsageError: fewer than two identity codes and no attributes, or no person was seen by two cameras, or an
            argument is out of range.
        TooFewPeople: ``method`` is ``recall`` and there are too few for the promise. (With another method the
            calibration says so in ``recall_note``.)
    """
    names = tuple(name for name in spec if name.startswith("id"))
    if not names or len(spec) < 2:
        raise UsageError(f"a cascade needs two codes at least; the code spec is {spec}")
    people = held_out.take(held_out.persons > DISTRACTOR)
    if len(names) == 1:
        short_list = _short_list(people, spec, rank_share)
        found = _by_short_list(people, short_list, max_loss)
    else:
        promise, note = _promise(people, names, share, confidence, depth, needed=method == "recall")
        chain = _Chain(people, names, "gaussian" if method == "recall" else method, formula)
        if method == "recall" and promise is not None:
            found = _by_recall(chain, promise, max_loss, sweep=sweep, beta=beta)
        else:
            found = _by_dto(chain, method, beta, max_loss, sweep=sweep)
        found |= {"recall": promise, "recall_note": note}
        short_list = _short_list(people, spec, rank_share)
    who = (people.persons, people.cameras)
    return Calibration(
        **found,
        data=data,
        data_fingerprint=data_fingerprint,
        rendered=rendered,
        persons=len(np.unique(people.persons)),
        pictures=len(people),
        short_list=short_list,
        same_person=fit_same_person(
            people.codes[names[-1]], *who, code=names[-1], false_accepts=false_accepts, gallery=gallery
        ),
        same_person_embedding=_by_embedding(people, false_accepts, gallery),
        attributes=list(attributes),
    )


@dataclass(frozen=True)
class _Chain:
    """What thresholds between an encoder's identity codes are fitted on.

    Attributes:
        people: held-out people.
        names: of the identity codes, shortest first.
        method: shape of the distributions.
        formula: of F_beta.
    """

    people: LabelledCodes
    names: tuple[str, ...]
    method: Method
    formula: Formula

    def fit(self, beta: float) -> Thresholds:
        """DTO's thresholds for one beta."""
        return fit_thresholds(self.histograms, beta=beta, method=self.method, formula=self.formula)

    @cached_property
    def histograms(self) -> dict[str, PairHistogram]:
        """Distances of positive and negative pairs, by code."""
        return pair_histograms(self.codes, self.people.persons, self.people.cameras)

    def sweep(self, beta: float | None) -> BetaSweep:
        """Every beta of `BETAS`, and this one, tried on these people."""
        return sweep_betas(
            self.histograms,
            CodeTable(self.codes),
            self.codes,
            _mean_average_precision(self.people),
            final=self.names[-1],
            betas=sorted({*BETAS, *([] if beta is None else [beta])}),
            method=self.method,
            formula=self.formula,
        )

    def text(self, thresholds: Thresholds) -> str:
        """The cascade with these thresholds."""
        return str(thresholds.cascade(self.names[-1]))

    @property
    def codes(self) -> dict[str, Any]:
        """The identity codes of these people."""
        return {name: self.people.codes[name] for name in self.names}

    def details(self, max_loss: float, tried: BetaSweep | None) -> dict[str, Any]:
        """How thresholds were found, for the record."""
        record: dict[str, Any] = {"formula": self.formula, "max_loss": max_loss, "trials": []}
        if tried is not None:
            record["exhaustive"] = tried.exhaustive
            record["trials"] = [
                {
                    "beta": trial.thresholds.beta,
                    "mAP": trial.score,
                    "loss": trial.loss,
                    "bytes_per_query": trial.bytes_per_query,
                    "cascade": self.text(trial.thresholds),
                }
                for trial in tried.trials
            ]
        return record


def _by_dto(
    chain: _Chain, method: CascadeMethod, beta: float | None, max_loss: float, *, sweep: bool
) -> dict[str, Any]:
    """The cascade by DTO, with the beta that is given or the cheapest that loses no more than ``max_loss``."""
    default = chain.fit(PAPER_BETA)
    tried = chain.sweep(beta) if sweep or beta is None else None
    if beta is None:
        assert tried is not None
        thresholds = tried.choose(max_loss).best.thresholds
    else:
        thresholds = default if beta == PAPER_BETA else chain.fit(beta)
    return {
        "cascade": chain.text(thresholds),
        "method": method,
        "beta": thresholds.beta,
        "default_cascade": chain.text(default),
        "details": chain.details(max_loss, tried) | {"thresholds": thresholds.values},
    }


def _by_recall(
    chain: _Chain, promise: RecallThresholds, max_loss: float, *, sweep: bool, beta: float | None
) -> dict[str, Any]:
    """The cascade by certified thresholds; betas are tried only for the record."""
    return {
        "cascade": str(promise.cascade()),
        "method": "recall",
        "beta": None,
        "default_cascade": chain.text(chain.fit(PAPER_BETA)),
        "details": chain.details(max_loss, chain.sweep(beta) if sweep else None) | {"thresholds": promise.values},
    }


def _by_short_list(people: LabelledCodes, rule: ShortList, max_loss: float) -> dict[str, Any]:
    """The cascade of an encoder with one identity code: attributes first, as far as that loses little."""
    losses = _losses_by_length(rule, people)
    cascade = next((text for text, loss in losses.items() if loss <= max_loss), rule.final)
    return {
        "cascade": cascade,
        "method": SHORT_LIST,
        "beta": None,
        "default_cascade": cascade,
        "recall_note": "the encoder has one identity code, so there are no thresholds between codes",
        "details": {"max_loss": max_loss, "lost": losses},
    }


def _short_list(people: LabelledCodes, spec: CodeSpec, rank_share: float) -> ShortList:
    final = next(name for name in reversed(spec.names) if name.startswith("id"))
    codes = {name: people.codes[name] for name in spec}
    return fit_short_list(codes, people.persons, people.cameras, final=final, rank_share=rank_share)


def _losses_by_length(rule: ShortList, people: LabelledCodes) -> dict[str, float]:
    """The mAP that a short list loses on these people, by its cascade: the rule's, then longer ones up to a half."""
    shares = [rule.share]
    while 2 * shares[-1] <= 0.5:
        shares.append(round(2 * shares[-1], 4))
    cascades = {str(c): c for c in (Cascade([Stage(rule.code, share=s), Stage(rule.final)]) for s in shares)}
    every = Cascade([Stage(rule.final)])
    exhaustive, *listed = measure_cascades({str(every): every, **cascades}, people, people, timed=False)
    return {m.label: exhaustive.metrics.map_standard - m.metrics.map_standard for m in listed}


def _promise(
    people: LabelledCodes,
    names: Sequence[str],
    share: float,
    confidence: float,
    depth: float | None,
    *,
    needed: bool,
) -> tuple[RecallThresholds | None, str]:
    """Certified thresholds, or why there are none."""
    codes = {name: people.codes[name] for name in names}
    try:
        found = recall_thresholds(
            codes, people.persons, people.cameras, share=share, confidence=confidence, depth=depth
        )
    except TooFewPeople as error:
        if needed:
            raise
        return None, str(error)
    return found, ""


def _by_embedding(people: LabelledCodes, false_accepts: float, gallery: int | None) -> SamePerson | None:
    if people.embedding is None:
        return None
    return fit_same_person(
        people.embedding, people.persons, people.cameras, false_accepts=false_accepts, gallery=gallery
    )


def _mean_average_precision(people: LabelledCodes) -> Callable[[SearchResult], float]:
    """MAP of a ranking of all these pictures for each of them."""

    def score(result: SearchResult) -> float:
        judged = evaluate_rankings(result.indices, people.persons, people.cameras, people.persons, people.cameras)
        return judged.map_standard

    return score
