"""Which pictures are learned from when: every step's batches follow from the seed and the step's number alone.

So a run that was stopped goes on with the very batches it would have had, and several processes can share out the
batches of a step without talking.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from swiftreid.training.network.recipe import Batches
from swiftreid.training.person_batches import PersonBatches


class StepBatches:
    """The batches of each step of a run.

    Args:
        persons: person of each picture, int [n].
        batches: P, K, and batches a step.
        seed: of the run.
        per_epoch: pictures that count as a pass; None for as many as there are.
    """

    def __init__(
        self, persons: NDArray[np.integer], batches: Batches, seed: int, *, per_epoch: int | None = None
    ) -> None:
        self._persons = persons
        self._batches = batches
        self._seed = seed
        self._epoch = -1
        self._steps: list[list[NDArray[np.intp]]] = []
        drawn = self._drawn(0).batches_per_epoch
        if per_epoch is not None:
            drawn = round(per_epoch / (min(batches.persons, len(np.unique(persons))) * batches.pictures))
        self.steps_per_epoch = max(1, drawn // batches.per_step)
        """Steps of one pass over the pictures."""

    def of_step(self, step: int) -> list[NDArray[np.intp]]:
        """Positions of the pictures of each batch of a step, counted from 0: ``per_step`` arrays int [P * K]."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            count = self._batches.per_step
            drawn = list(islice(self._drawn(epoch), self.steps_per_epoch * count))
            self._steps = [drawn[i : i + count] for i in range(0, len(drawn), count)]
            self._epoch = epoch
        return self._steps[place]

    def _drawn(self, epoch: int) -> PersonBatches:
        return PersonBatches(
            self._persons,
            persons_per_batch=self._batches.persons,
            pictures_per_person=self._batches.pictures,
            rng=np.random.default_rng([self._seed, 1, epoch]),
        )
