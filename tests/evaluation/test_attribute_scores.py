"""Attribute figures against scikit-learn and a loop over pictures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from swiftreid.errors import UsageError
from swiftreid.evaluation.attributes import attribute_scores, calibration_error


def test_agrees_with_scikit_learn_where_it_is_defined() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        truth, guess, known = (rng.random((40, 6)) < p for p in (rng.choice([0.05, 0.5]), 0.4, 0.8))
        names = [f"a{i}" for i in range(6)]
        scores = attribute_scores(guess, truth, names, known)
        defined = []
        for i, score in enumerate(scores.each):
            there = known[:, i]
            t, g = truth[there, i], guess[there, i]
            assert score.accuracy == pytest.approx(accuracy_score(t, g), abs=1e-12)
            assert (score.known, score.positives) == (there.sum(), t.sum())
            if len(set(t.tolist())) == 2:
                defined.append(balanced_accuracy_score(t, g))
                assert score.balanced == pytest.approx(defined[-1], abs=1e-12)
            else:
                assert score.balanced is None
                assert score.name in scores.undefined
        if defined:
            assert scores.mean_accuracy == pytest.approx(np.mean(defined), abs=1e-12)
        else:
            assert scores.mean_accuracy is None
        assert scores.accuracy == pytest.approx(np.mean([s.accuracy for s in scores.each]), abs=1e-12)


def test_absent_classes_are_undefined_and_not_nan() -> None:
    scores = attribute_scores([[1, 0, 1]] * 3, [[1, 0, 1]] * 3, ["always", "never", "unknown"], [[1, 1, 0]] * 3)
    always, never, unknown = scores.each
    assert (always.recall, always.specificity, always.balanced, always.accuracy) == (1, None, None, 1)
    assert (never.recall, never.specificity) == (None, 1)
    assert (unknown.known, unknown.accuracy, unknown.recall, unknown.specificity) == (0, None, None, None)
    assert scores.accuracy == 1
    assert scores.mean_accuracy is None
    assert scores.undefined == ["always", "never", "unknown"]
    assert attribute_scores(np.zeros((0, 1)), np.zeros((0, 1)), ["x"]).accuracy is None


@pytest.mark.parametrize(
    ("predicted", "truth", "names"),
    [([[1, 0]], [[1]], ["a"]), ([[1]], [[1]], ["a", "b"]), ([1], [1], ["a"]), ([[2]], [[1]], ["a"])],
)
def test_wrong_arguments_are_explained(predicted, truth, names: list[str]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=r"attributes|must be"):
        attribute_scores(predicted, truth, names)


def test_calibration_error_is_the_mean_gap_of_bins() -> None:
    rng = np.random.default_rng(0)
    logits, truth = rng.standard_normal(500) * 2, rng.random(500) < 0.4
    stated = 1 / (1 + np.exp(-logits))
    expected = 0.0
    for low in range(10):
        inside = (stated >= low / 10) & (stated < (low + 1) / 10)
        if inside.any():
            expected += inside.mean() * abs(stated[inside].mean() - truth[inside].mean())
    assert calibration_error(logits, truth, bins=10) == pytest.approx(expected)


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_not() -> None:
    sure = np.array([50.0, -50.0])
    assert calibration_error(sure, np.array([True, False])) == pytest.approx(0)
    assert calibration_error(sure, np.array([False, True])) == pytest.approx(1)
    assert calibration_error(np.empty(0), np.empty(0, np.bool_)) is None


def test_reliability_is_the_log_odds_ratio_of_the_counts() -> None:
    truth = np.array([[1]] * 10 + [[0]] * 30)
    told = np.array([[1]] * 8 + [[0]] * 2 + [[1]] * 3 + [[0]] * 27)
    (score,) = attribute_scores(told, truth, ["hat"]).each
    assert score.reliability == {"hat": pytest.approx(np.log(8.5 * 27.5 / (2.5 * 3.5)))}
    assert attribute_scores([[1]], [[1]], ["hat"]).each[0].reliability == {}, "nobody is without it"


def test_with_second_bits_both_reliabilities_add_up_to_the_odds_of_the_answer() -> None:
    truth = np.array([[1]] * 20 + [[0]] * 60)
    told = np.array([[1]] * 15 + [[0]] * 5 + [[1]] * 6 + [[0]] * 54)
    sure = np.array([[1]] * 9 + [[0]] * 11 + [[1]] * 1 + [[0]] * 59)
    (score,) = attribute_scores(told, truth, ["hat"], sure=sure).each
    assert (score.sure_recall, score.sure_specificity) == (9 / 20, 59 / 60)
    odds = [np.log((yes + 0.5) / (no + 0.5)) for yes, no in ((5, 54), (6, 5), (9, 1))]  # no, yes, surely
    first, second = score.reliability["hat"], score.reliability["surely_hat"]
    assert first == pytest.approx(odds[1] - odds[0])
    assert second == pytest.approx(odds[2] - odds[1])
    assert (score.recall, score.accuracy) == (15 / 20, 69 / 80), "which the second bit has no part in"


def test_logits_give_each_attribute_its_calibration_error() -> None:
    rng = np.random.default_rng(1)
    logits, truth, known = rng.standard_normal((60, 2)), rng.random((60, 2)) < 0.5, rng.random((60, 2)) < 0.8
    scores = attribute_scores(logits > 0, truth, ["a", "b"], known, logits=logits)
    for i, score in enumerate(scores.each):
        there = known[:, i]
        assert score.calibration_error == calibration_error(logits[there, i], truth[there, i])
    assert attribute_scores(logits > 0, truth, ["a", "b"]).each[0].calibration_error is None
