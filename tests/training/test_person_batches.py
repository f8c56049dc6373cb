from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swiftreid.errors import UsageError
from swiftreid.training.person_batches import PersonBatches


def take(batches: PersonBatches, count: int) -> list[np.ndarray]:
    stream = iter(batches)
    return [next(stream) for _ in range(count)]


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(1, 6), min_size=2, max_size=9),
    p=st.integers(2, 12),
    k=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_a_batch_is_p_persons_with_k_pictures(counts: list[int], p: int, k: int, seed: int) -> None:
    persons = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)) * 7 - 3, counts))
    batches = PersonBatches(persons, persons_per_batch=p, pictures_per_person=k, rng=np.random.default_rng(seed))
    for batch in take(batches, 4):
        drawn = persons[batch].reshape(min(p, len(counts)), k)
        assert (drawn == drawn[:, :1]).all()
        assert len(set(drawn[:, 0].tolist())) == len(drawn)
        for row, block in zip(drawn, batch.reshape(drawn.shape), strict=True):
            owned = int((persons == row[0]).sum())
            assert len(set(block.tolist())) == k if owned >= k else set(persons[block]) == {row[0]}


def test_every_person_comes_before_any_comes_again() -> None:
    persons = np.repeat(np.arange(12), 3)
    batches = PersonBatches(persons, persons_per_batch=4, pictures_per_person=2, rng=np.random.default_rng(0))
    seen = np.concatenate([persons[b][::2] for b in take(batches, 3)])
    assert sorted(seen) == list(range(12))


def test_the_seed_decides() -> None:
    persons = np.repeat(np.arange(12), 3)
    first, again, other = (
        np.stack(
            take(PersonBatches(persons, persons_per_batch=4, pictures_per_person=2, rng=np.random.default_rng(seed)), 5)
        )
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(("persons", "p", "k"), [([1, 1, 1], 4, 2), ([1, 2], 1, 2), ([1, 2], 2, 0), ([], 2, 2)])
def test_impossible_batches_are_refused(persons: list[int], p: int, k: int) -> None:
    with pytest.raises(UsageError, match=r"2 persons|at least 2"):
        PersonBatches(np.array(persons), persons_per_batch=p, pictures_per_person=k, rng=np.random.default_rng(0))
