"""DBSCAN on Jaccard distances and the tests of its clusters, against dense formulas, loops and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from dense_reciprocal import dense_jaccard
from swiftreid.clustering.dbscan import OUTLIER, dbscan
from swiftreid.clustering.jaccard import Edges, jaccard_edges
from swiftreid.clustering.self_paced import DensitySettings, density_people, overlap, reliable_clusters
from swiftreid.errors import UsageError


def people(seed: int, persons: int, pictures: int, noise: float, length: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of so many pictures of everybody, in random order, and whom they show."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(persons), pictures)
    order = rng.permutation(len(who))
    values = rng.normal(size=(persons, length))[who] + noise * rng.normal(size=(len(who), length))
    return values[order].astype(np.float32), who[order]


def dense(values: np.ndarray, k1: int, k2: int) -> np.ndarray:
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    cosines = units @ units.T
    return dense_jaccard(1 - cosines, 2 - 2 * cosines, k1, k2)


def edges_of(distances: np.ndarray, eps: float) -> Edges:
    left, right = np.nonzero(np.triu(distances <= eps, 1))
    return Edges(left, right, distances[left, right].astype(np.float32))


def naive_dbscan(distances: np.ndarray, eps: float, least: int) -> np.ndarray:
    """The paper's algorithm: a cluster grows from its first core picture until nothing is within reach."""
    neighbours = [np.flatnonzero(row <= eps) for row in distances]
    labels, cluster = np.full(len(distances), OUTLIER), 0
    for start in range(len(distances)):
        if labels[start] != OUTLIER or len(neighbours[start]) < least:
            continue
        waiting = [start]
        while waiting:
            picture = waiting.pop()
            if labels[picture] != OUTLIER:
                continue
            labels[picture] = cluster
            if len(neighbours[picture]) >= least:
                waiting.extend(neighbours[picture].tolist())
        cluster += 1
    return labels


@pytest.mark.parametrize("k2", [1, 3])
def test_pairs_are_those_of_the_dense_jaccard_distances(k2: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values, _ = people(0, 12, 5, 0.6)
    monkeypatch.setattr("swiftreid.clustering.jaccard.BLOCK_BYTES", 32 * len(values) * 7)  # several blocks
    seen: list[int] = []
    found = jaccard_edges(
        values, k1=8, k2=k2, threshold=0.8, progress=lambda _, done, _total, *_more: seen.append(done)
    )
    assert seen == [*range(7, 60, 7), 60]
    wanted = dense(values, 8, k2)
    got = dict(zip(zip(found.left.tolist(), found.right.tolist(), strict=True), found.distances.tolist(), strict=True))
    assert got.keys() == {(i, j) for i in range(60) for j in range(i + 1, 60) if wanted[i, j] <= 0.8}
    assert 50 < len(got) < 60 * 59 / 2
    for pair, distance in got.items():
        assert distance == pytest.approx(wanted[pair], abs=1e-5)
    close = found.within(0.3)
    assert {*zip(close.left.tolist(), close.right.tolist(), strict=True)} == {p for p, d in got.items() if d <= 0.3}


def test_one_picture_has_no_pairs() -> None:
    found = jaccard_edges(np.ones((1, 4), np.float32), k1=5, k2=2, threshold=0.5)
    assert len(found.left) == len(found.right) == len(found.distances) == 0
    assert dbscan(found, 1, least=2).tolist() == [OUTLIER]
    assert dbscan(found, 1, least=1).tolist() == [0]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("least", [1, 2, 4])
def test_dbscan_is_the_papers_and_scikit_learns(seed: int, least: int) -> None:
    points = np.random.default_rng(seed).random((80, 2)).astype(np.float32)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    eps = 0.08
    ours = dbscan(edges_of(distances, eps), 80, least=least)
    naive = naive_dbscan(distances, eps, least)
    np.testing.assert_array_equal(ours, naive)
    assert 1 <= naive.max() < 80
    cluster = pytest.importorskip("sklearn.cluster")
    theirs = cluster.DBSCAN(eps=eps, min_samples=least, metric="precomputed").fit_predict(distances)
    np.testing.assert_array_equal(ours, theirs)


def test_long_chains_are_one_cluster_whatever_their_order() -> None:
    order = np.random.default_rng(1).permutation(5000)
    left, right = np.minimum(order[:-1], order[1:]), np.maximum(order[:-1], order[1:])
    found = dbscan(Edges(left, right, np.zeros(4999, np.float32)), 5002, least=2)
    assert set(found[:5000].tolist()) == {0}
    assert found[5000:].tolist() == [OUTLIER, OUTLIER]


def test_overlap_equals_sets() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = rng.integers(-1, 6, 50), rng.integers(-1, 5, 50)
    got = overlap(ours, theirs)

    def members(labels: np.ndarray, picture: int) -> set[int]:
        return {picture} if labels[picture] == OUTLIER else set(np.flatnonzero(labels == labels[picture]).tolist())

    for picture in range(50):
        a, b = members(ours, picture), members(theirs, picture)
        assert got[picture] == pytest.approx(len(a & b) / len(a | b))


def naive_reliable(distances: np.ndarray, how: DensitySettings, independence: float | None) -> list[set[int]]:
    """Clusters that pass, from matrices of who is with whom, as the authors' code has it."""
    kinds = [naive_dbscan(distances, eps, how.least) for eps in (how.eps, how.eps + how.gap, how.eps - how.gap)]
    together = []
    for labels in kinds:
        same = (labels[:, None] == labels[None]) & (labels != OUTLIER)[:, None]
        np.fill_diagonal(same, True)
        together.append(same.astype(float))
    main, loose, tight = together
    independent = np.minimum(main, loose).sum(1) / np.maximum(main, loose).sum(1)
    compact = np.minimum(main, tight).sum(1) / np.maximum(main, tight).sum(1)
    count = kinds[0].max() + 1
    best = [independent[kinds[0] == cluster].max() for cluster in range(count)]
    if independence is None:
        independence = sorted(best, reverse=True)[min(count - 1, round(count * how.independent))]
    found = []
    for cluster in range(count):
        own = np.flatnonzero(kinds[0] == cluster)
        if best[cluster] >= independence:
            kept = own[compact[own] == compact[own].max()]
            if len(kept) > 1:
                found.append(set(kept.tolist()))
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("independence", [None, 0.7])
def test_reliable_clusters_are_those_of_matrices(seed: int, independence: float | None) -> None:
    values, _ = people(seed, 15, 6, 0.7)
    how = DensitySettings(k1=8, k2=3, eps=0.503, least=3, gap=0.081, independent=0.7)
    found = reliable_clusters(values, how, independence=independence)
    got = [set(np.flatnonzero(found.clusters == cluster).tolist()) for cluster in range(found.clusters.max() + 1)]
    distances = dense(values, 8, 3)
    assert not (np.abs(distances[..., None] - [0.422, 0.503, 0.584]) < 1e-5).any(), "no pair on the edge"
    assert got == naive_reliable(distances, how, independence)
    assert 2 < len(got) <= found.found
    if independence is not None:
        assert found.independence == independence


def test_what_fails_is_taken_apart() -> None:
    """Clusters of people stay whole; with an independence that none has, everybody is alone."""
    values, who = people(5, 25, 8, 0.25)
    found = reliable_clusters(values, DensitySettings(k1=10))
    assert found.found == 25
    kept = found.clusters != OUTLIER
    assert kept.mean() > 0.6
    assert all(len(set(who[found.clusters == cluster].tolist())) == 1 for cluster in range(found.clusters.max() + 1))
    strict = reliable_clusters(values, DensitySettings(k1=10), independence=1.01)
    assert (strict.clusters == OUTLIER).all()
    assert strict.found == 25


def test_strangers_are_in_no_cluster() -> None:
    values = np.random.default_rng(5).normal(size=(40, 64)).astype(np.float32)
    found = reliable_clusters(values, DensitySettings(eps=0.1, k1=5))
    assert (found.clusters == OUTLIER).all()
    assert found.found == 0


def test_clusters_for_all_cameras_have_a_tracklet_for_each() -> None:
    values, _ = people(3, 12, 10, 0.25)
    cameras = np.random.default_rng(4).integers(3, 6, len(values))
    found = density_people(values, cameras, DensitySettings(k1=8))
    assert found.people.max() + 1 == 12
    for tracklet in range(found.tracklets.max() + 1):
        own = found.tracklets == tracklet
        assert len(set(cameras[own].tolist())) == len(set(found.people[own].tolist())) == 1
    expected = {(p, c) for p, c in zip(found.people.tolist(), cameras.tolist(), strict=True) if p != OUTLIER}
    assert len(expected) + int((found.people == OUTLIER).sum()) == found.tracklets.max() + 1
    assert len(found.close) == 0


@pytest.mark.parametrize(
    "wrong", [{"eps": 0.01}, {"eps": 0.99}, {"eps": 0.5, "gap": 0.5}, {"gap": -0.1}, {"least": 0}, {"independent": 0}]
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="eps" if {"eps", "gap"} & {*wrong} else "least"):
        DensitySettings(**wrong)  # type: ignore[arg-type]
