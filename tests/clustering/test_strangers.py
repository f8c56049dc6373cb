"""Expected strangers and the clusters made of them, against loops, known errors and known people."""

from __future__ import annotations

import numpy as np
import pytest

from swiftreid.clustering.linkage import average_linkage
from swiftreid.clustering.strangers import CAP, FLOOR, Pairs, close_pairs, closest, fit_growth, ranks
from swiftreid.clustering.two_stage import (
    ALONE,
    ClusterSettings,
    KnownPairs,
    centroids_of,
    chance_links,
    cluster_camera,
    cluster_people,
    link_threshold,
    links_between,
    mutually_nearest,
)
from swiftreid.errors import UsageError


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def people(seed: int, persons: int, shots: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings, persons and cameras: two cameras with so many pictures of everybody, in random order."""
    rng = np.random.default_rng(seed)
    who, camera = np.repeat(np.arange(persons), 2 * shots), np.tile(np.repeat([1, 2], shots), persons)
    order = rng.permutation(len(who))
    middle = rng.normal(size=(persons, 24))
    values = middle[who] + noise * rng.normal(size=(len(who), 24))
    return unit(values[order]), who[order], camera[order]


def precision_and_recall(groups: np.ndarray, who: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """Of pairs of pictures, bool [n, n] those that are asked for."""
    same, together = who[:, None] == who[None], (groups[:, None] == groups[None]) & (groups >= 0)[:, None]
    np.fill_diagonal(wanted, False)
    right = (same & together & wanted).sum()
    return right / max(1, (together & wanted).sum()), right / max(1, (same & wanted).sum())


def test_closest_equal_a_full_sort_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    units, _, _ = people(0, 20, 3)
    monkeypatch.setattr("swiftreid.clustering.strangers._BLOCK_BYTES", 4 * len(units) * 7)
    found, distances = closest(units, units, 9, skip_self=True)
    full = np.linalg.norm(units[:, None] - units[None], axis=2)
    np.fill_diagonal(full, np.inf)
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :9], atol=1e-3)
    np.testing.assert_allclose(np.take_along_axis(full, found, axis=1), distances, atol=1e-3)


def test_growth_is_a_least_squares_line() -> None:
    rng = np.random.default_rng(1)
    distances = np.sort(rng.uniform(0.4, 1.2, (5, 60)), axis=1).astype(np.float32)
    growth = fit_growth(distances, 10, 50)
    for row in range(5):
        slope, level = np.polyfit(np.log(distances[row, 10:50]), np.log(np.arange(11, 51)), 1)
        assert growth.slope[row] == pytest.approx(slope, rel=1e-3)
        assert growth.level[row] == pytest.approx(level, rel=1e-3, abs=1e-3)


def test_expectations_of_pairs_equal_a_loop() -> None:
    ours, theirs = people(2, 60, 1)[0], people(3, 45, 1)[0]
    found = close_pairs(ours, theirs)
    got = {
        (i, j): e for i, j, e in zip(*map(np.ndarray.tolist, (found.left, found.right, found.expected)), strict=True)
    }
    full = np.linalg.norm(ours[:, None].astype(np.float64) - theirs[None], axis=2)

    def line(row: np.ndarray) -> np.ndarray:
        window = ranks(len(row))
        assert window is not None
        return np.polyfit(np.log(np.sort(row)[slice(*window)]), np.log(np.arange(window[0] + 1, window[1] + 1)), 1)

    lines = [[line(row) for row in full], [line(row) for row in full.T]]
    count = 0
    for i in range(len(ours)):
        for j in range(len(theirs)):
            logs = [np.polyval(lines[0][i], np.log(full[i, j])), np.polyval(lines[1][j], np.log(full[i, j]))]
            expected = np.exp(np.mean(logs))
            if expected < CAP * 0.98:
                assert got[i, j] == pytest.approx(max(FLOOR, expected), rel=0.02)
                count += 1
    assert count > 50


def test_few_units_have_no_pairs() -> None:
    units = people(4, 10, 1)[0]
    assert ranks(14) is None
    assert len(close_pairs(units[:8], units)) == 0
    assert len(close_pairs(units[:12])) == 0


def naive_linkage(logs: np.ndarray, allowed: np.ndarray, cameras: np.ndarray, limit: float) -> list[set[int]]:
    """Join the two groups with the lowest mean, as often as it is low enough."""
    groups = [{unit} for unit in range(len(logs))]
    while True:
        best = None
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                pairs = [(i, j) for i in groups[a] for j in groups[b]]
                if not any(allowed[i, j] for i, j in pairs):
                    continue
                mean = np.mean([logs[i, j] for i, j in pairs if cameras[i] != cameras[j]])
                if best is None or mean < best[0]:
                    best = (mean, a, b)
        if best is None or best[0] > limit:
            return groups
        groups[best[1]] |= groups.pop(best[2])


@pytest.mark.parametrize("seed", range(8))
def test_average_linkage_equals_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, cameras = 14, rng.integers(0, 3, 14)
    left, right = np.nonzero(np.triu(rng.random((count, count)) < 0.6, 1))
    across = cameras[left] != cameras[right]
    left, right = left[across], right[across]
    expected = rng.uniform(0.001, CAP, len(left)).astype(np.float32)
    may_join = rng.random(len(left)) < 0.7
    logs, allowed = np.full((count, count), np.log(CAP)), np.zeros((count, count), bool)
    logs[left, right] = logs[right, left] = np.log(expected)
    allowed[left, right] = allowed[right, left] = may_join
    got = average_linkage(Pairs(left, right, expected), count, 0.7, may_join=may_join, cameras=cameras)
    groups = naive_linkage(logs, allowed, cameras, np.log(0.7))
    assert {frozenset(np.flatnonzero(got == group).tolist()) for group in np.unique(got)} == set(map(frozenset, groups))
    assert got[0] == 0
    first = [int(np.flatnonzero(got == group)[0]) for group in range(got.max() + 1)]
    assert first == sorted(first), "numbered in the order of their first units"


@pytest.mark.parametrize("seed", range(4))
def test_what_is_known_of_pairs_holds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = np.triu_indices(12, 1)
    pairs = Pairs(left, right, rng.uniform(0.01, 1, len(left)).astype(np.float32))
    assert average_linkage(pairs, 12, 1).max() == 0, "else all are one"
    apart = np.array([[0, 5], [1, 5], [2, 7], [7, 3]])
    got = average_linkage(pairs, 12, 1, apart=apart)
    assert (got[apart[:, 0]] != got[apart[:, 1]]).all()
    assert got.max() < 4
    none = Pairs(*(values[:0] for values in (left, right, pairs.expected)))
    got = average_linkage(none, 12, 1, together=np.array([[0, 5], [5, 7], [7, 0], [3, 4]]), apart=np.array([[0, 7]]))
    assert got[0] == got[5] == got[7] != got[3] == got[4]
    assert got.max() == 8


def test_a_chain_is_not_one_group() -> None:
    chain = Pairs(np.arange(9), np.arange(1, 10), np.full(9, 0.1, np.float32))
    assert average_linkage(chain, 10, 0.5).max() > 2


def test_mutually_nearest_equal_a_loop() -> None:
    ours, theirs = people(5, 60, 1)[0], people(5, 60, 1, noise=0.9)[0]
    found = close_pairs(ours, theirs)
    mutual = mutually_nearest(found, len(ours), len(theirs))
    for row in range(len(found)):
        of_left, of_right = (
            found.expected[found.left == found.left[row]],
            found.expected[found.right == found.right[row]],
        )
        assert mutual[row] == (found.expected[row] == of_left.min() == of_right.min())


@pytest.mark.parametrize("shots", [2, 5])
def test_people_of_two_cameras_are_found_whatever_the_pictures_of_each(shots: int) -> None:
    units, who, cameras = people(6, 150, shots)
    found = cluster_people(units, cameras)
    same_camera = cameras[:, None] == cameras[None]
    for pairs in (same_camera, ~same_camera):
        precision, recall = precision_and_recall(found.people, who, pairs)
        assert precision > 0.9
        assert recall > 0.7
    for cluster in range(found.tracklets.max() + 1):
        assert len(set(cameras[found.tracklets == cluster].tolist())) == 1
    assert found.beyond_chance > 0.5
    assert found.linked > 100
    sizes = np.bincount(found.people[found.people >= 0])
    assert sizes.min() > 1, "whoever is alone is in no group"


def test_single_pictures_by_each_camera_are_linked() -> None:
    units, who, cameras = people(7, 200, 1)
    found = cluster_people(units, cameras)
    precision, recall = precision_and_recall(found.people, who, cameras[:, None] != cameras[None])
    assert precision > 0.8
    assert recall > 0.6


def test_strangers_are_not_taken_for_people() -> None:
    cameras = people(8, 400, 1)[2]
    rng = np.random.default_rng(0)
    alone = np.array([rng.choice(np.flatnonzero(cameras == camera), 200, replace=False) for camera in (1, 2)])
    # 200 people by one camera, 200 others by the other: nobody is seen twice.
    strangers, of = unit(rng.normal(size=(400, 24))), cameras[alone.ravel()]
    assert (cluster_camera(strangers[:200], errors=0.2) == np.arange(200)).all()
    found = cluster_people(strangers, of)
    assert (found.people == ALONE).mean() > 0.8
    assert abs(found.beyond_chance) < 0.1


@pytest.mark.parametrize("count", [25, 60, 500])
def test_chance_links_are_those_of_strangers(count: int) -> None:
    rng, draws = np.random.default_rng(11), 2000 // count
    linked = []
    for _ in range(draws):
        ours, theirs = unit(rng.normal(size=(count, 20))), unit(rng.normal(size=(count, 20)))
        found = close_pairs(ours, theirs)
        linked += found.expected[mutually_nearest(found, count, count)].tolist()
    for limit, place in ((0.2, 9), (0.5, 24), (1.0, 49)):
        share = (np.array(linked) <= limit).sum() / (draws * count)
        assert share == pytest.approx(chance_links(count)[place], abs=0.05)
    assert (np.diff(chance_links(count)) >= 0).all()


def test_pictures_of_one_track_are_one_person_however_many() -> None:
    units, who, cameras = people(12, 80, 4, noise=1.2)
    tracks = np.where(np.arange(len(who)) % 2 == 0, who, -1)  # every other picture is of a track
    found = cluster_people(units, cameras, tracks=tracks)
    for person in range(80):
        for camera in (1, 2):
            own = (tracks == person) & (cameras == camera)
            assert len(set(found.tracklets[own].tolist())) <= 1
    plain = cluster_people(units, cameras)
    wanted = cameras[:, None] == cameras[None]
    assert precision_and_recall(found.people, who, wanted)[1] > precision_and_recall(plain.people, who, wanted)[1]
    none = cluster_people(units, cameras, tracks=np.full(len(who), -1))
    np.testing.assert_array_equal(none.people, plain.people)


def test_answers_about_pairs_hold_within_and_across_cameras() -> None:
    units, who, cameras = people(13, 60, 2, noise=0.9)
    plain = cluster_people(units, cameras)
    rng = np.random.default_rng(0)
    same, other = [], []
    for left, right in rng.permutation(np.stack(np.triu_indices(len(who), 1), axis=1))[:4000].tolist():
        (same if who[left] == who[right] else other).append((left, right))
    known = KnownPairs(np.array(same), np.array(other[:300]))
    found = cluster_people(units, cameras, known=known)
    for left, right in same:
        assert found.people[left] == found.people[right] >= 0
        assert (cameras[left] != cameras[right]) or found.tracklets[left] == found.tracklets[right]
    for left, right in other[:300]:
        assert found.people[left] != found.people[right] or found.people[left] == ALONE
    wanted = np.ones((len(who), len(who)), bool)
    assert min(precision_and_recall(found.people, who, wanted)) > min(precision_and_recall(plain.people, who, wanted))


def test_one_camera_alone_has_clusters_and_no_links() -> None:
    units, who, cameras = people(9, 60, 4)
    own = cameras == 1
    found = cluster_people(units[own], cameras[own])
    assert found.linked == 0
    assert found.threshold == 0
    precision, recall = precision_and_recall(found.people, who[own], np.ones((own.sum(), own.sum()), bool))
    assert precision > 0.9
    assert recall > 0.7
    assert found.beyond_chance == 0


def test_settings_are_checked_and_centroids_have_length_one() -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        ClusterSettings(within_errors=1.5)
    with pytest.raises(UsageError, match="above 0"):
        ClusterSettings(largest=0)
    units, who, _ = people(10, 5, 2)
    np.testing.assert_allclose(np.linalg.norm(centroids_of(units, who, 5), axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_known_names_equal_all_of_their_pairs(seed: int) -> None:
    units, who, cameras = people(seed, 60, 3, noise=0.9)
    rng = np.random.default_rng(seed)
    names = np.where(rng.random(len(who)) < 0.3, rng.integers(0, 25, len(who)), -1)  # most of them wrong
    one, other = np.triu_indices(len(who), 1)
    both = (names[one] >= 0) & (names[other] >= 0)
    pairs = np.stack([one, other], axis=1)
    same = names[one] == names[other]
    known = KnownPairs(pairs[both & same], pairs[both & ~same])
    found = cluster_people(units, cameras, known=KnownPairs(names=names))
    np.testing.assert_array_equal(found.people, cluster_people(units, cameras, known=known).people)
    for name in range(25):
        own = found.people[names == name]
        assert len(set(own.tolist())) <= 1
        assert not len(own) or own[0] == ALONE or own[0] not in found.people[(names >= 0) & (names != name)]


def test_people_of_one_camera_are_not_linked_because_there_are_many_cameras() -> None:
    """Every camera more gives a cluster chance links to one more camera."""
    rng, units, who, cameras = np.random.default_rng(4), [], [], []
    for person in range(300):
        centre = rng.normal(size=24)
        seen_by = rng.choice(6, 3 if person < 100 else 1, replace=False)
        for camera in seen_by.tolist():
            units.append(centre + 0.35 * rng.normal(size=24))
            who.append(person)
            cameras.append(camera)
    found = cluster_people(unit(np.array(units)), np.array(cameras))
    persons = np.array(who)
    precision, recall = precision_and_recall(found.people, persons, np.ones((len(who), len(who)), bool))
    assert precision > 0.8
    assert recall > 0.8
    assert (found.people[persons >= 100] == ALONE).mean() > 0.7


def test_the_threshold_counts_clusters_linked_by_chance() -> None:
    """By loops over clusters and other cameras."""
    rng = np.random.default_rng(2)
    cameras = np.repeat([1, 2, 3, 4], [90, 60, 40, 10])  # the last one has too few
    links = links_between(unit(rng.normal(size=(200, 12))), cameras, np.arange(200))
    at = 24  # half a stranger
    linked = chance = 0.0
    for cluster in range(190):
        here = links.mutual & ((links.pairs.left == cluster) | (links.pairs.right == cluster))
        linked += bool((links.pairs.expected[here] <= 0.5).any())
        own, none = cameras[cluster], 1.0
        for other in {1, 2, 3} - {int(own)}:
            sizes = (cameras == own).sum(), (cameras == other).sum()
            none *= 1 - chance_links(min(sizes))[at] * min(sizes) / sizes[0]
        chance += 1 - none
    assert link_threshold(links, ClusterSettings())[1] == pytest.approx((linked - chance) / 190)


def test_cameras_of_too_few_clusters_are_not_linked() -> None:
    rng = np.random.default_rng(3)
    cameras = np.repeat([1, 2, 3], [60, 60, 20])
    units = unit(rng.normal(size=(140, 16)))
    assert len(close_pairs(units[:60], units[120:])) == 0
    found = links_between(units, cameras, np.arange(140))
    assert len(found.pairs) > 0
    assert cameras[found.pairs.right].max() == 2
