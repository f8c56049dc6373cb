"""How well attributes are recognised: accuracy and mA of each, and their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.errors import UsageError


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
    """

    name: str
    known: int
    positives: int
    accuracy: float | None
    recall: float | None
    specificity: float | None

    @property
    def balanced(self) -> float | None:
        """Mean of recall and specificity, the attribute's share in mA; None where a class is absent."""
        if self.recall is None or self.specificity is None:
            return None
        return (self.recall + self.specificity) / 2


@dataclass(frozen=True)
class AttributeScores:
    """Figures of all attributes.

    Attributes:
        each: one per attribute, in order.
        accuracy: mean accuracy of the attributes that are known anywhere; None if none is.
        mean_accuracy: mA, the mean of `AttributeScore.balanced` where it is defined; None if it is nowhere.
        undefined: names of the attributes that mA leaves out, because one of their classes is absent.
    """

    each: list[AttributeScore]
    accuracy: float | None
    mean_accuracy: float | None
    undefined: list[str]


def attribute_scores(
    predicted: ArrayLike, truth: ArrayLike, names: Sequence[str], known: ArrayLike | None = None
) -> AttributeScores:
    """Accuracy and mA (Li et al., A richly annotated dataset for pedestrian attribute recognition, 2016, Eq. 4).

    Accuracy flatters rare attributes: never saying 'hat' is right nearly always. mA weighs the two classes alike.

    Example:
        >>> scores = attribute_scores([[1, 0], [0, 0]], [[1, 0], [1, 0]], ["hat", "bag"])
        >>> scores.each[0].accuracy, scores.each[0].balanced, scores.accuracy, scores.undefined
        (0.5, None, 0.75, ['hat', 'bag'])

    Args:
        predicted: bool [n, a].
        truth: bool [n, a].
        names: of the a attributes.
        known: bool [n, a], where the truth is known; all of it by default.

    Raises:
        UsageError: shapes that do not fit together, or values other than 0 and 1.
    """
    guess, right = _flags("predicted", predicted), _flags("truth", truth)
    there = np.ones(right.shape, np.bool_) if known is None else _flags("known", known)
    if not guess.shape == right.shape == there.shape == (len(right), len(names)):
        raise UsageError(
            f"predicted, truth and known must be [n, {len(names)}], got {guess.shape}, {right.shape} and {there.shape}"
        )
    agree = there & (guess == right)
    positive = there & right
    each = [
        AttributeScore(
            name,
            known=int(there[:, i].sum()),
            positives=int(positive[:, i].sum()),
            accuracy=_share(agree[:, i], there[:, i]),
            recall=_share(agree[:, i] & right[:, i], positive[:, i]),
            specificity=_share(agree[:, i] & ~right[:, i], there[:, i] & ~right[:, i]),
        )
        for i, name in enumerate(names)
    ]
    return AttributeScores(
        each,
        accuracy=_mean([score.accuracy for score in each]),
        mean_accuracy=_mean([score.balanced for score in each]),
        undefined=[score.name for score in each if score.balanced is None],
    )


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
