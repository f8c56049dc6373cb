"""Questions about pairs: what is known is not asked, and answers to what is asked mend groups faster than others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from swiftreid.clustering.questions import NOBODY, informative_pairs
from swiftreid.clustering.strangers import NO_PAIRS, Pairs
from swiftreid.clustering.two_stage import ALONE, KnownPairs, PeopleClusters, cluster_people

Pair = tuple[int, int]
Ask = Callable[[PeopleClusters, KnownPairs, int], list[Pair]]


def people(seed: int, persons: int, shots: int = 2, noise: float = 0.9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings, persons and cameras; two pictures of a person by one camera are much the same."""
    rng = np.random.default_rng(seed)
    who, camera = np.repeat(np.arange(persons), 2 * shots), np.tile(np.repeat([0, 1], shots), persons)
    seen = 2 * who + camera
    values = rng.normal(size=(persons, 24))[who] + noise * rng.normal(size=(2 * persons, 24))[seen]
    values += 0.2 * rng.normal(size=values.shape)
    return values.astype(np.float32), who, camera


def known(pairs: list[Pair], who: np.ndarray) -> KnownPairs:
    every = np.array(pairs, np.int64).reshape(-1, 2)
    same = who[every[:, 0]] == who[every[:, 1]]
    return KnownPairs(every[same], every[~same])


def f_score(groups: np.ndarray, who: np.ndarray) -> float:
    same, together = who[:, None] == who[None], (groups[:, None] == groups[None]) & (groups != ALONE)[:, None]
    np.fill_diagonal(same, False)
    np.fill_diagonal(together, False)
    return 2 * float((same & together).sum()) / float(same.sum() + together.sum())


def test_answers_to_the_questions_mend_groups_faster_than_answers_about_random_close_pairs() -> None:
    embeddings, who, cameras = people(3, 120)
    start = cluster_people(embeddings, cameras)
    rng = np.random.default_rng(0)

    def ours(found: PeopleClusters, so_far: KnownPairs, count: int) -> list[Pair]:
        asked = informative_pairs(found, embeddings, cameras, known=so_far, count=count)
        return [(question.one, question.other) for question in asked]

    def at_random(found: PeopleClusters, _: KnownPairs, count: int) -> list[Pair]:
        rows = rng.choice(len(found.close), count, replace=False)
        first = [int(np.flatnonzero(found.tracklets == cluster)[0]) for cluster in range(found.tracklets.max() + 1)]
        return [(first[found.close.left[row]], first[found.close.right[row]]) for row in rows.tolist()]

    def after(ask: Ask) -> float:
        answered: list[Pair] = []
        for _ in range(6):
            answered += ask(start, known(answered, who), 10)
        return f_score(cluster_people(embeddings, cameras, known=known(answered, who)).people, who)

    before, asked, random = f_score(start.people, who), after(ours), after(at_random)
    assert asked - before > 2 * (random - before) > 0


def found_by_hand() -> tuple[PeopleClusters, np.ndarray, np.ndarray]:
    """Five clusters of a picture each: 0, 1 and 2 by camera 0, 3 and 4 by camera 1; 0 and 3 are one group."""
    close = Pairs(np.array([0, 0, 1, 2]), np.array([3, 4, 4, 4]), np.array([0.1, 1.0, 0.2, 0.4], np.float32))
    found = PeopleClusters(np.array([0, -1, -1, 0, -1]), np.arange(5), close, 1, 0.5, 0.1)
    return found, np.eye(5, dtype=np.float32), np.array([0, 0, 0, 1, 1])


def test_chances_are_shares_of_what_competes() -> None:
    found, embeddings, cameras = found_by_hand()
    asked = {(q.one, q.other): q for q in informative_pairs(found, embeddings, cameras)}
    # 1 and 4: 4 competes with nobody on the side of 1, but 0 and 2 compete for 4.
    ours, theirs = 5 / (NOBODY + 5), 5 / (NOBODY + 1 + 5 + 2.5)
    assert asked[1, 4].chance == pytest.approx(np.sqrt(ours * theirs))
    assert not asked[1, 4].grouped
    ours, theirs = 10 / (NOBODY + 10 + 1), 10 / (NOBODY + 10)
    assert asked[0, 3].chance == pytest.approx(np.sqrt(ours * theirs))
    assert asked[0, 3].grouped
    assert list(asked) == [(1, 4), (0, 3)], "each group once, what changes most first"


def test_what_is_known_or_follows_is_not_asked_again() -> None:
    found, embeddings, cameras = found_by_hand()

    def asked(known: KnownPairs, skipped: list[Pair] | None = None) -> set[Pair]:
        given = None if skipped is None else np.array(skipped)
        return {(q.one, q.other) for q in informative_pairs(found, embeddings, cameras, known=known, skipped=given)}

    assert (1, 4) not in asked(KnownPairs(together=np.array([[4, 1]])))
    assert asked(KnownPairs(apart=np.array([[4, 1]]))) == {(2, 4), (0, 3)}
    # 4 is 1, and 1 is not 2: so 4 is not 2.
    follows = KnownPairs(np.array([[1, 4]]), np.array([[1, 2]]))
    assert (2, 4) not in asked(follows)
    assert asked(KnownPairs(), skipped=[(4, 1)]) == {(2, 4), (0, 3)}
    # Whoever is one person with 1 leaves little chance to the others by that camera.
    taken = KnownPairs(np.array([[1, 4]]))
    chances = {(q.one, q.other): q.chance for q in informative_pairs(found, embeddings, cameras, known=taken)}
    assert chances[2, 4] < 0.1


def test_pictures_of_one_camera_and_too_few_pictures() -> None:
    embeddings, who, _ = people(5, 60)
    one = np.zeros(len(who), np.int64)
    found = cluster_people(embeddings, one)
    for question in informative_pairs(found, embeddings, one, count=5):
        assert found.tracklets[question.one] != found.tracklets[question.other]
    assert len(informative_pairs(found, embeddings, one, count=5)) == 5
    few, _, cameras = found_by_hand()
    assert informative_pairs(replace(few, close=NO_PAIRS), np.eye(5, dtype=np.float32), cameras) == []
