"""P x K batches: a few persons, a few pictures of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError


class PersonBatches:
    """Endless batches of ``persons_per_batch`` persons with ``pictures_per_person`` pictures each.

    Persons come in rounds, each round all persons in random order; a batch that spans two rounds leaves those whom it
    already holds out of the second. A person's pictures are drawn without replacement; one with fewer than K pictures
    is drawn with replacement. Sets with fewer persons than P give smaller batches.

    Args:
        persons: person of each picture, int [n]; any numbers.
        persons_per_batch: P.
        pictures_per_person: K.
        rng: source of all randomness.

    Raises:
        UsageError: there are fewer than two persons, or P < 2, or K < 1.
    """

    def __init__(
        self,
        persons: NDArray[np.integer],
        *,
        persons_per_batch: int,
        pictures_per_person: int,
        rng: np.random.Generator,
    ) -> None:
        if persons_per_batch < 2 or pictures_per_person < 1:
            raise UsageError(
                "a batch needs at least 2 persons and 1 picture of each, "
                f"got {persons_per_batch} persons and {pictures_per_person} pictures"
            )
        names = np.unique(persons)
        if len(names) < 2:
            raise UsageError(f"training needs pictures of at least 2 persons, got {len(names)}")
        self._pictures = [np.flatnonzero(persons == name) for name in names]
        self._persons_per_batch = min(persons_per_batch, len(names))
        self._pictures_per_person = pictures_per_person
        self._rng = rng
        self.batches_per_epoch = max(1, len(persons) // (self._persons_per_batch * pictures_per_person))

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """Positions of the pictures of one batch after another, int [P * K], persons in blocks of K."""
        waiting: list[int] = []
        count = self._pictures_per_person
        while True:
            chosen: list[int] = []
            while len(chosen) < self._persons_per_batch:
                if not waiting:
                    waiting = [int(p) for p in self._rng.permutation(len(self._pictures)) if p not in chosen]
                chosen.append(waiting.pop())
            yield np.concatenate(
                [self._rng.choice(own, count, replace=len(own) < count) for own in (self._pictures[p] for p in chosen)]
            )
