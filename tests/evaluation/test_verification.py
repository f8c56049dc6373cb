"""TAR at FAR against all pairs, listed one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve
from test_measure_codes import bits, people

from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import measure_cascades, measure_embedding
from swiftreid.evaluation.protocol import Protocol
from swiftreid.evaluation.ranking_metrics import metrics_of_cascade, pairs_of
from swiftreid.evaluation.verification import COSINE_STEPS, Roc
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable


def listed(query: LabelledCodes, gallery: LabelledCodes, distance, protocol: Protocol):  # type: ignore[no-untyped-def]
    """Genuine and other pairs' distances, pair by pair."""
    genuine, others, own = [], [], protocol.own(len(query))
    for i in range(len(query)):
        for j in range(len(gallery)):
            if gallery.persons[j] == -1 or own[i] == j:
                continue
            if protocol.cross_camera and gallery.cameras[j] == query.cameras[i]:
                continue
            (genuine if gallery.persons[j] == query.persons[i] else others).append(distance(i, j))
    return np.array(genuine), np.array(others)


@pytest.mark.parametrize("cross_camera", [True, False])
def test_hamming_is_exact(cross_camera: bool) -> None:
    query, gallery = people(15, 1), people(120, 2)
    query.persons[query.persons == -1] = 3
    own = np.random.default_rng(4).integers(-1, 120, 15)
    protocol = Protocol(cross_camera=cross_camera, self_positions=own)
    pairs = pairs_of(query, gallery, protocol, 129)
    metrics_of_cascade(
        Cascade.parse("id128"), CodeTable(dict(gallery.codes)), query, gallery, protocol=protocol, pairs=pairs
    )
    genuine, others = listed(
        query, gallery, lambda i, j: bits(query.codes["id128"][i], gallery.codes["id128"][j]), protocol
    )
    assert pairs.genuine.tolist() == np.bincount(genuine, minlength=129).tolist()
    assert pairs.others.tolist() == np.bincount(others, minlength=129).tolist()
    roc = pairs.roc()
    assert (roc.genuine, roc.others) == (len(genuine), len(others))
    for level in (0.01, 0.05, 0.1, 0.5):
        expected = max(
            (np.mean(genuine <= t) for t in range(129) if np.mean(others <= t) <= level), default=0.0
        )  # the definition, threshold by threshold
        assert roc.tar_at(level) == pytest.approx(expected, abs=1e-12)
    labels, scores = np.r_[np.ones(len(genuine)), np.zeros(len(others))], -np.r_[genuine, others]
    far, tar, _ = roc_curve(labels, scores, drop_intermediate=False)
    for x, y in zip(far, tar, strict=True):
        assert y in roc.tar[np.abs(roc.far - x) < 1e-12] or x == y == 0


def test_cosine_is_counted_in_steps() -> None:
    query, gallery = people(15, 1, embedding=True), people(150, 2, embedding=True)
    assert query.embedding is not None
    assert gallery.embedding is not None
    left, right = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (query.embedding, gallery.embedding))
    genuine, others = listed(query, gallery, lambda i, j: 1 - float(left[i] @ right[j]), Protocol())
    measured = measure_embedding(query, gallery, timed=False)
    step = 2 / COSINE_STEPS
    assert set(measured.tar_at_far) == {"0.1", "0.01"}, "1,500 pairs do not support 0.001"
    for level, tar in measured.tar_at_far.items():
        threshold = np.sort(others)[int(float(level) * len(others))] - 1e-6
        assert np.mean(genuine <= threshold - 2 * step) - 1e-12 <= tar <= np.mean(genuine <= threshold + 2 * step)


def test_levels_that_the_pairs_cannot_support_are_missing() -> None:
    roc = Roc.of([10, 0], [0, 1000])
    assert roc.tar_at_far() == {"0.1": 1.0, "0.01": 1.0}
    assert Roc.of([0, 10], [5, 995]).tar_at(0.01) == 0.0, "accepts only what no genuine pair reaches"
    assert Roc.of([0, 10], [1000, 0]).tar_at_far() == {"0.1": 0.0, "0.01": 0.0}
    assert Roc.of([0, 0], [0, 1000]).tar_at_far() == {}, "no genuine pair"
    assert Roc.of([3], [0]).tar_at_far() == {}
    with pytest.raises(UsageError, match="one length"):
        Roc.of([1, 2], [1])


def test_only_rankings_by_one_distance_have_a_curve() -> None:
    texts = ("id128", "id32<=13 > id128", "id128:top=5")
    one, cascade, cut = measure_cascades(
        {text: Cascade.parse(text) for text in texts}, people(20, 1), people(150, 2), timed=False
    )
    assert one.tar_at_far
    assert cut.tar_at_far == one.tar_at_far
    assert cascade.tar_at_far == {}
    assert [m.codes for m in (one, cascade)] == [("id128",), ("id32", "id128")]
