"""The figures against what published evaluation programs compute, re-typed from their definitions, and scikit-learn.

- Market-1501's own Matlab program (Zheng et al., 2015): junk lists, trapezoidal AP by its loop, CMC by first match.
- torchreid's `eval_market1501` (Zhou and Xiang, 2019): order filtered by camera, AP by cumulated precision.
- AGW's mINP (Ye et al., 2021), in its program's terms.
- `sklearn.metrics.average_precision_score`, on scores that fall with the rank.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from swiftreid.errors import SwiftReIDError
from swiftreid.evaluation.protocol import evaluate_rankings


def market_program(order, good, junk, length):  # type: ignore[no-untyped-def]
    """`compute_AP`: walks down the list; junk moves the counters back; ends when all good pictures were met."""
    cmc, ap, old_recall, old_precision, met, step, junk_met = np.zeros(length), 0.0, 0.0, 1.0, 0, 0, 0
    for position, entry in enumerate(order):
        hit = False
        if entry in good:
            cmc[position - junk_met :] = 1
            hit = True
            met += 1
        if entry in junk:
            junk_met += 1
            continue
        recall, precision = met / len(good), met / (step + 1)
        ap += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision, step = recall, precision, step + 1
        if hit and met == len(good):
            break
    return ap, cmc


def torchreid_program(order, person, camera, persons, cameras, max_rank):  # type: ignore[no-untyped-def]
    """One query of `eval_market1501`, on a gallery without the junk that its data set class drops; None if invalid."""
    order = order[persons[order] != -1]
    remove = (persons[order] == person) & (cameras[order] == camera)
    raw_cmc = (persons[order] == person).astype(np.int32)[~remove]
    if not raw_cmc.any():
        return None
    cmc = raw_cmc.cumsum()
    precision = cmc / np.arange(1, len(cmc) + 1)
    ap = (precision * raw_cmc).sum() / raw_cmc.sum()
    last = np.flatnonzero(raw_cmc).max()
    inp = cmc[last] / (last + 1.0)  # AGW's addition to the same loop
    capped = np.minimum(cmc, 1)[:max_rank]
    return ap, inp, np.pad(capped, (0, max_rank - len(capped)), mode="edge")


def problem(rng: np.random.Generator):  # type: ignore[no-untyped-def]
    """Ten queries; junk, distractors, distances with many ties, and persons who have no good match."""
    entries = int(rng.integers(30, 90))
    persons, cameras = rng.integers(-1, 6, entries), rng.integers(1, 4, entries)
    asked, by = rng.integers(0, 8, 10), rng.integers(1, 4, 10)
    distances = rng.integers(0, rng.choice([4, 12, 1000]), (10, entries))
    return np.argsort(distances, axis=1, kind="stable"), asked, by, persons, cameras


def test_1000_random_rankings_agree_with_public_programs() -> None:
    rng = np.random.default_rng(11)
    judged = skipped = 0
    for _ in range(100):
        orders, asked, by, persons, cameras = problem(rng)
        metrics = evaluate_rankings(orders, asked, by, persons, cameras, max_rank=25)
        curves, theirs = [], []
        for i, order in enumerate(orders):
            found = torchreid_program(order, asked[i], by[i], persons, cameras, 25)
            if found is None:
                skipped += 1
                assert np.isnan(metrics.ap_standard[i])
                continue
            judged += 1
            ap, inp, cmc = found
            assert abs(metrics.ap_standard[i] - ap) < 1e-12
            assert abs(metrics.inp[i] - inp) < 1e-12
            same = persons == asked[i]
            good = set(np.flatnonzero(same & (cameras != by[i])).tolist())
            junk = set(np.flatnonzero((same & (cameras == by[i])) | (persons == -1)).tolist())
            trapezoid, curve = market_program(order, good, junk, 100)
            assert abs(metrics.ap_trapezoid[i] - trapezoid) < 1e-12
            assert curve[:25].tolist() == cmc.tolist()
            kept = [e for e in order if e not in junk]
            scores = average_precision_score([e in good for e in kept], -np.arange(len(kept)))
            assert abs(metrics.ap_standard[i] - scores) < 1e-12
            curves.append(cmc)
            theirs.append((ap, trapezoid, inp))
        means = np.mean(theirs, axis=0)
        assert np.abs(means - [metrics.map_standard, metrics.map_trapezoid, metrics.minp]).max() < 1e-12
        assert np.abs(np.mean(curves, axis=0) - metrics.cmc).max() < 1e-12
        assert metrics.valid == len(theirs)
    assert (judged + skipped, judged > 600, skipped > 100) == (1000, True, True)


def test_rankings_that_miss_good_matches_agree_with_market_s_program() -> None:
    rng = np.random.default_rng(12)
    missed = 0
    for _ in range(100):
        orders, asked, by, persons, cameras = problem(rng)
        cut = [order[: rng.integers(0, len(order) + 1)] for order in orders]
        try:
            metrics = evaluate_rankings(cut, asked, by, persons, cameras, empty="zero")
        except SwiftReIDError:
            continue
        for i, order in enumerate(cut):
            same = persons == asked[i]
            good = set(np.flatnonzero(same & (cameras != by[i])).tolist())
            junk = set(np.flatnonzero((same & (cameras == by[i])) | (persons == -1)).tolist())
            expected = market_program(order, good, junk, 100)[0] if good else 0.0
            assert abs(metrics.ap_trapezoid[i] - expected) < 1e-12
            missed += bool(good - set(order.tolist()))
        assert metrics.ap_trapezoid.mean() == pytest.approx(metrics.map_trapezoid, abs=1e-12), "no good match counts 0"
    assert missed > 200
