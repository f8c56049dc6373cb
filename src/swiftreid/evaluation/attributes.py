"""How well attributes are recognised: accuracy, mA and calibration of each, and their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.errors import UsageError
from swiftreid.search.description import SURELY, attribute_names, log_odds_ratio


@dataclass(frozen=True)
class AttributeScore:
    """Figures of one attribute, over the pictures where it is known.

    Attributes:
        name: the attribute.
        known: pictures where it is known.
        positives: of these, where it is true.
        accuracy: share recognised; None where nothing is known.
        recall: share of positives recognised (TPR); None where there are none.
        specificity: share of negatives recognised (TNR); None where there are none.
        calibration_error: how far stated probabilities are from observed shares (`calibration_error`); None where no
            probabilities were given, or nothing is known.
        sure_recall: of an attribute with a second bit (`search.description.SURELY`), share of positives where that is
            set too; else None.
        sure_specificity: share of negatives where it is not.
    """

    name: str
    known: int
    positives: int
    accuracy: float | None
    recall: float | None
    specificity: float | None
    calibration_error: float | None = None
    sure_recall: float | None = None
    sure_specificity: float | None = None

    @property
    def balanced(self) -> float | None:
        """Mean of recall and specificity, the attribute's share in mA; None where a class is absent."""
        if self.recall is None or self.specificity is None:
            return None
        return (self.recall + self.specificity) / 2

    @property
    def reliability(self) -> dict[str, float]:
        """Weights of its bits as evidence, for searches by description; empty if a class is absent.

        It is by how much the bit, where it is set, raises the logarithm of the odds. With a second bit there are three
        answers, and each bit counts what is between two of them.
        """
        if self.recall is None or self.specificity is None:
            return {}
        positives, negatives = self.positives, self.known - self.positives
        yes, no = round(self.recall * positives), round((1 - self.specificity) * negatives)  # so often the bit is set
        if self.sure_recall is None or self.sure_specificity is None:
            return {self.name: log_odds_ratio(yes, positives - yes, no, negatives - no)}
        sure_yes, sure_no = round(self.sure_recall * positives), round((1 - self.sure_specificity) * negatives)
        return {
            self.name: log_odds_ratio(yes - sure_yes, positives - yes, no - sure_no, negatives - no),
            SURELY + self.name: log_odds_ratio(sure_yes, yes - sure_yes, sure_no, no - sure_no),
        }


@dataclass(frozen=True)
class AttributeScores:
    """Figures of all attributes: one of ``each``, in order, and their means."""

    each: Sequence[AttributeScore]

    @property
    def accuracy(self) -> float | None:
        """Mean accuracy of the attributes that are known anywhere; None if none is."""
        return _mean([score.accuracy for score in self.each])

    @property
    def mean_accuracy(self) -> float | None:
        """mA, the mean of `AttributeScore.balanced` where it is defined; None if it is nowhere."""
        return _mean([score.balanced for score in self.each])

    @property
    def undefined(self) -> list[str]:
        """Names of the attributes that mA leaves out, because one of their classes is absent."""
        return [score.name for score in self.each if score.balanced is None]


def attribute_scores(
    predicted: ArrayLike,
    truth: ArrayLike,
    names: Sequence[str],
    known: ArrayLike | None = None,
    *,
    logits: NDArray[np.floating] | None = None,
    sure: ArrayLike | None = None,
) -> AttributeScores:
    """Accuracy and mA (Li et al., A richly annotated dataset for pedestrian attribute recognition, 2016, Eq. 4).

    Accuracy flatters rare attributes: never saying 'hat' is right nearly always. mA gives both classes the same weight.

    Example:
        >>> scores = attribute_scores([[1, 0], [0, 0]], [[1, 0], [1, 0]], ["hat", "bag"])
        >>> scores.each[0].accuracy, scores.each[0].balanced, scores.accuracy, scores.undefined
        (0.5, None, 0.75, ['hat', 'bag'])

    Args:
        predicted: bool [n, a].
        truth: bool [n, a].
        names: of the a attributes.
        known: bool [n, a], where the truth is known; all of it by default.
        logits: float [n, a]; their sigmoid is the predicted probability, for the calibration errors.
        sure: bool [n, a], the second bits of attributes that have them.

    Raises:
        UsageError: shapes that do not fit together, or values other than 0 and 1.
    """
    guess, right = _flags("predicted", predicted), _flags("truth", truth)
    there = np.ones(right.shape, np.bool_) if known is None else _flags("known", known)
    second = None if sure is None else _flags("sure", sure)
    shapes = {array.shape for array in (guess, right, there, second) if array is not None}
    if shapes != {(len(right), len(names))}:
        raise UsageError(
            f"predicted, truth, known and sure must be [n, {len(names)}], got {', '.join(map(str, sorted(shapes)))}"
        )
    agree = there & (guess == right)
    positive, negative = there & right, there & ~right
    each = [
        AttributeScore(
            name,
            known=int(there[:, i].sum()),
            positives=int(positive[:, i].sum()),
            accuracy=_share(agree[:, i], there[:, i]),
            recall=_share((agree & positive)[:, i], positive[:, i]),
            specificity=_share((agree & negative)[:, i], negative[:, i]),
            calibration_error=None
            if logits is None
            else calibration_error(logits[there[:, i], i], right[there[:, i], i]),
            sure_recall=None if second is None else _share((positive & second)[:, i], positive[:, i]),
            sure_specificity=None if second is None else _share((negative & ~second)[:, i], negative[:, i]),
        )
        for i, name in enumerate(names)
    ]
    return AttributeScores(each)


def calibration_error(logits: NDArray[np.floating], truth: NDArray[np.bool_], bins: int = 15) -> float | None:
    """Expected calibration error (Naeini et al., 'Obtaining Well Calibrated Probabilities', AAAI 2015).

    Pictures are put in ``bins`` bins of equal width by the stated probability; it is the mean, weighted by their
    pictures, of how far the mean probability in a bin is from the share that is true.

    Args:
        logits: float [n]; the probability is their sigmoid.
        truth: bool [n].
        bins: how many.

    Returns:
        0 to 1; None of no pictures.

    Example:
        >>> calibration_error(np.array([0.0, 0.0]), np.array([True, False]))
        0.0
    """
    if not len(truth):
        return None
    stated = 1 / (1 + np.exp(-logits.astype(np.float64).clip(-700, 700)))  # exp(710) is too large for a float64
    bin_of = np.minimum((stated * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(bin_of, weights=stated - truth, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def _flags(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.ndim != 2 or not bool(np.isin(array, (0, 1)).all()):
        raise UsageError(f"{name} must be 0 or 1 in two dimensions [n, attributes], got shape {array.shape}")
    return array.astype(np.bool_)


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float | None:
    total = int(whole.sum())
    return int(part.sum()) / total if total else None


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def score_bits(
    names: Sequence[str],
    bits: NDArray[np.bool_],
    logits: NDArray[np.floating] | None,
    truth: NDArray[np.floating],
    true_names: Sequence[str],
) -> list[AttributeScore]:
    """How accurate attribute bits are, second bits among them, for the attributes that are known.

    Args:
        names: of the b bits, as on an encoder's card.
        bits: bool [n, b].
        logits: float [n, b]; None gives no calibration errors.
        truth: float [n, a]: 1 yes, 0 no, NaN not known.
        true_names: of the a attributes.
    """
    shared = [name for name in attribute_names(names) if name in true_names]
    ours, theirs = [list(names).index(name) for name in shared], [list(true_names).index(name) for name in shared]
    seconds = [list(names).index(SURELY + name) for name in shared if SURELY + name in names]
    known = ~np.isnan(truth[:, theirs])
    scores = attribute_scores(
        bits[:, ours],
        known & (truth[:, theirs] > 0),
        shared,
        known,
        logits=None if logits is None else logits[:, ours],
        sure=bits[:, seconds] if len(seconds) == len(shared) else None,
    )
    return [score for score in scores.each if score.known]
