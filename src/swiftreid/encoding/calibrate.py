"""Calibrating an encoder: thresholds of its coarse-to-fine cascade, fitted on held-out identities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from swiftreid.data.samples import DISTRACTOR
from swiftreid.encoding.card import Calibration
from swiftreid.encoding.encoder import Encoder, build_encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.benchmark import LabelledCodes
from swiftreid.evaluation.protocol import evaluate_rankings
from swiftreid.search.codes import CodeSpec
from swiftreid.search.pairs import pair_histograms
from swiftreid.search.results import SearchResult
from swiftreid.search.table import CodeTable
from swiftreid.search.thresholds import Formula, Method, choose_beta, fit_thresholds

BETA = 2.0
"""The paper's, from its cross-validation (section 4.2)."""


def fit_calibration(
    held_out: LabelledCodes,
    spec: CodeSpec,
    *,
    data: str,
    data_fingerprint: str,
    beta: float | None = BETA,
    max_loss: float = 0.005,
    method: Method = "gaussian",
    formula: Formula = "derived",
) -> Calibration:
    """Fit thresholds for the cascade of all identity codes, shortest first, to pairs of held-out identities.

    Args:
        held_out: people that the encoder has not been trained on, some of them seen by two cameras. Distractors and
            junk are left out: their pictures show many people under one number.
        spec: the encoder's codes.
        data: the data set's name, for the record.
        data_fingerprint: of its pictures.
        beta: weight of recall in F_beta (methods.md section 2); None chooses the one with the least bytes compared that
            loses at most ``max_loss`` mAP on the held-out identities themselves.
        max_loss: in mAP, 0.01 = 1 point; counts when ``beta`` is None.
        method: how distance distributions are fitted.
        formula: the F_beta formula, derived or as printed.

    Raises:
        UsageError: fewer than two codes, or no person was seen by two cameras.
    """
    names = tuple(name for name in spec if name.startswith("id"))
    if len(names) < 2:
        raise UsageError(f"a cascade needs two codes at least; the code spec is {spec}")
    held_out = held_out.take(held_out.persons > DISTRACTOR)
    codes = {name: held_out.codes[name] for name in names}
    histograms = pair_histograms(codes, held_out.persons, held_out.cameras)
    default = fit_thresholds(histograms, beta=BETA, method=method, formula=formula)
    trials: list[dict[str, Any]] = []
    if beta is None:
        choice = choose_beta(
            histograms,
            CodeTable(codes),
            codes,
            _mean_average_precision(held_out),
            final=names[-1],
            max_loss=max_loss,
            method=method,
            formula=formula,
        )
        thresholds = choice.best.thresholds
        trials = [
            {"beta": t.thresholds.beta, "mAP": t.score, "loss": t.loss, "bytes_per_query": t.bytes_per_query}
            for t in choice.trials
        ]
    else:
        thresholds = fit_thresholds(histograms, beta=beta, method=method, formula=formula)
    return Calibration(
        cascade=str(thresholds.cascade(names[-1])),
        method=method,
        beta=thresholds.beta,
        default_cascade=str(default.cascade(names[-1])),
        data=data,
        data_fingerprint=data_fingerprint,
        persons=len(np.unique(held_out.persons)),
        pictures=len(held_out),
        details={"formula": formula, "thresholds": thresholds.values, "max_loss": max_loss, "trials": trials},
    )


def calibrated(encoder: Encoder, calibration: Calibration) -> Encoder:
    """The same encoder, its fingerprint unchanged, with this calibration on its card."""
    return build_encoder(encoder.card.model_copy(update={"calibration": calibration}), encoder.tensors)


def _mean_average_precision(people: LabelledCodes) -> Callable[[SearchResult], float]:
    """MAP of a ranking of all these pictures for each of them."""

    def score(result: SearchResult) -> float:
        judged = evaluate_rankings(result.indices, people.persons, people.cameras, people.persons, people.cameras)
        return judged.map_standard

    return score
