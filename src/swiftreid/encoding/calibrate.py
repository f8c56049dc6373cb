"""Calibrating an encoder: how its distances are to be read, fitted on held-out identities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from swiftreid.calibration.pairs import pair_histograms
from swiftreid.calibration.recall import CONFIDENCE, DEPTH, SHARE, RecallThresholds, TooFewPeople, recall_thresholds
from swiftreid.calibration.same_person import FALSE_ACCEPTS, SamePerson, fit_same_person
from swiftreid.calibration.short_list import RANK_SHARE, ShortList, fit_short_list
from swiftreid.calibration.thresholds import BETAS, PAPER_BETA, Formula, Method, fit_thresholds, sweep_betas
from swiftreid.data.samples import DISTRACTOR, Split
from swiftreid.data.schemas import attribute_bits, schema_of, unusable
from swiftreid.encoding.card import SHORT_LIST, Calibration
from swiftreid.encoding.encoder import Encoder, build_encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.attributes import AttributeScore, attribute_scores
from swiftreid.evaluation.measure import LabelledCodes, measure_cascades
from swiftreid.evaluation.protocol import evaluate_rankings
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import CodeSpec, unpack_bits
from swiftreid.search.description import SURELY, attribute_names
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
    short list has the length of the w rule, or a multiple of it that loses at most ``max_loss`` on these people; where
    that would be more than half of them, search is exhaustive. ``method`` and ``beta`` are not used.

    Certified thresholds (`search.recall`), the w rule (`search.shortlist`) and the same-person threshold
    (`search.same_person`) are fitted besides, whatever the method of the cascade.

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
        attributes: how well each is told, for the record (`told_attributes`).

    Raises:
        UsageError: fewer than two identity codes and no attributes, or no person was seen by two cameras, or an
            argument is out of range.
        TooFewPeople: ``method`` is ``recall`` and there are too few for the promise. (With another method the
            calibration says so in ``recall_note``.)
    """
    names = tuple(name for name in spec if name.startswith("id"))
    if not names or len(spec) < 2:
        raise UsageError(f"a cascade needs two codes at least; the code spec is {spec}")
    held_out = held_out.take(held_out.persons > DISTRACTOR)
    codes = {name: held_out.codes[name] for name in names}
    who = (held_out.persons, held_out.cameras)

    def besides() -> dict[str, Any]:
        return {
            "data": data,
            "data_fingerprint": data_fingerprint,
            "rendered": rendered,
            "persons": len(np.unique(held_out.persons)),
            "pictures": len(held_out),
            "short_list": fit_short_list(
                {name: held_out.codes[name] for name in spec}, *who, final=names[-1], rank_share=rank_share
            ),
            "same_person": fit_same_person(
                codes[names[-1]], *who, code=names[-1], false_accepts=false_accepts, gallery=gallery
            ),
            "same_person_embedding": _by_embedding(held_out, false_accepts, gallery),
            "attributes": list(attributes),
        }

    if len(names) == 1:
        found = besides()
        lost = _lost_by_length(found["short_list"], held_out)
        cascade = next((text for text, loss in lost.items() if loss <= max_loss), names[-1])
        note = "the encoder has one identity code, so there are no thresholds between codes"
        return Calibration(
            cascade=cascade,
            method=SHORT_LIST,
            beta=None,
            default_cascade=cascade,
            recall_note=note,
            details={"max_loss": max_loss, "lost": lost},
            **found,
        )
    histograms = pair_histograms(codes, *who)
    promise, note = _promise(codes, held_out, share, confidence, depth, needed=method == "recall")
    shape: Method = "gaussian" if method == "recall" else method
    default = fit_thresholds(histograms, beta=PAPER_BETA, method=shape, formula=formula)
    details: dict[str, Any] = {"formula": formula, "max_loss": max_loss, "trials": []}
    thresholds = default if beta is None else fit_thresholds(histograms, beta=beta, method=shape, formula=formula)
    if sweep or (beta is None and method != "recall"):
        tried = sweep_betas(
            histograms,
            CodeTable(codes),
            codes,
            _mean_average_precision(held_out),
            final=names[-1],
            betas=sorted({*BETAS, *([] if beta is None else [beta])}),
            method=shape,
            formula=formula,
        )
        details["exhaustive"] = tried.exhaustive
        details["trials"] = [
            {
                "beta": t.thresholds.beta,
                "mAP": t.score,
                "loss": t.loss,
                "bytes_per_query": t.bytes_per_query,
                "cascade": str(t.thresholds.cascade(names[-1])),
            }
            for t in tried.trials
        ]
        if beta is None:
            thresholds = tried.choose(max_loss).best.thresholds
    if method == "recall" and promise is not None:
        cascade, details["thresholds"] = str(promise.cascade()), promise.values
    else:
        cascade, details["thresholds"] = str(thresholds.cascade(names[-1])), thresholds.values
    return Calibration(
        cascade=cascade,
        method=method,
        beta=None if method == "recall" else thresholds.beta,
        default_cascade=str(default.cascade(names[-1])),
        details=details,
        recall=promise,
        recall_note=note,
        **besides(),
    )


def told_attributes(encoder: Encoder, people: LabelledCodes, samples: Split) -> list[AttributeScore]:
    """How well an encoder tells the attributes of people of whom they are known, those that it and they have both.

    Args:
        encoder: it, or one with its codes, encoded the people.
        people: their codes and embeddings, and their paths.
        samples: among which these paths are.

    Returns:
        In the order of the encoder's attributes; empty where it has none, or none of theirs is known, or they are not
        as a schema has them (`swiftreid.data.schemas.unusable`).
    """
    names, schema = encoder.card.attributes, schema_of(samples)
    if not names or schema is None or not people.paths or unusable(samples):
        return []
    sample_of = {sample.path: sample for sample in samples}
    bits, known = attribute_bits([sample_of[path] for path in people.paths], schema)
    code = f"attr{len(names)}"
    told = unpack_bits(people.codes[code], len(names)).astype(np.bool_)
    logits = None if people.embedding is None else encoder.values_of(people.embedding)[code]
    return scored(names, told, logits, np.where(known, bits, np.nan), schema.names)


def scored(
    names: Sequence[str],
    told: NDArray[np.bool_],
    logits: NDArray[np.floating] | None,
    truth: NDArray[np.floating],
    true_names: Sequence[str],
) -> list[AttributeScore]:
    """How well bits of these names, second ones among them, tell attributes of those names.

    Args:
        names: of the b bits, as on an encoder's card.
        told: the bits, bool [n, b].
        logits: float [n, b]; None gives no calibration errors.
        truth: float [n, a]: 1 yes, 0 no, NaN not known.
        true_names: of the a attributes.
    """
    shared = [name for name in attribute_names(names) if name in true_names]
    ours, theirs = [list(names).index(name) for name in shared], [list(true_names).index(name) for name in shared]
    seconds = [list(names).index(SURELY + name) for name in shared if SURELY + name in names]
    known = ~np.isnan(truth[:, theirs])
    scores = attribute_scores(
        told[:, ours],
        known & (truth[:, theirs] > 0),
        shared,
        known,
        logits=None if logits is None else logits[:, ours],
        sure=told[:, seconds] if len(seconds) == len(shared) else None,
    )
    return [score for score in scores.each if score.known]


def calibrated(encoder: Encoder, calibration: Calibration) -> Encoder:
    """The same encoder, its fingerprint unchanged, with this calibration on its card and bound to it.

    Raises:
        UsageError: the calibration is bound to another encoder, whose distances mean something else.
    """
    if calibration.encoder not in ("", encoder.fingerprint):
        raise UsageError(
            f"this calibration is for the encoder {calibration.encoder[:12]}; the distances of {encoder.card.name} "
            f"({encoder.card.short_fingerprint}) mean something else: calibrate it on held-out people"
        )
    bound = calibration.model_copy(update={"encoder": encoder.fingerprint})
    return build_encoder(encoder.card.model_copy(update={"calibration": bound}), encoder.tensors)


def _lost_by_length(rule: ShortList, people: LabelledCodes) -> dict[str, float]:
    """The mAP that a short list loses on these people, by its cascade: the rule's, then longer ones up to a half."""
    shares = [rule.share]
    while 2 * shares[-1] <= 0.5:
        shares.append(round(2 * shares[-1], 4))
    cascades = {str(c): c for c in (Cascade([Stage(rule.code, share=s), Stage(rule.final)]) for s in shares)}
    every = Cascade([Stage(rule.final)])
    exhaustive, *listed = measure_cascades({str(every): every, **cascades}, people, people, timed=False)
    return {m.label: exhaustive.metrics.map_standard - m.metrics.map_standard for m in listed}


def _promise(
    codes: dict[str, Any], people: LabelledCodes, share: float, confidence: float, depth: float | None, *, needed: bool
) -> tuple[RecallThresholds | None, str]:
    """Certified thresholds, or why there are none."""
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
