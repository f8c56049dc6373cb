"""Which pictures are learned from when: a step's batches follow from the labels, the seed and its number alone.

So a run that was stopped resumes with the very batches it would have had, and several processes can share out the
batches of a step without talking.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from swiftreid.training.network.recipe import Batches
from swiftreid.training.person_batches import PersonBatches


def steps_of_epoch(pictures: int, groups: int | None, batches: Batches, per_epoch: int | None = None) -> int:
    """Steps of one epoch, the same for all epochs of a run.

    Args:
        pictures: all that may be learned from.
        groups: persons or clusters, where they are the same in every epoch; batches are smaller where there are fewer
            than P. None where they change: then P of them are assumed.
        batches: P, K, and batches a step.
        per_epoch: pictures that count as an epoch; None for as many as there are.
    """
    largest = batches.persons if groups is None else min(batches.persons, groups)
    size = largest * batches.pictures
    drawn = max(1, pictures // size) if per_epoch is None else round(per_epoch / size)
    return max(1, drawn // batches.per_step)


class EpochBatches:
    """The batches of each step of one epoch.

    Args:
        rows: places of the pictures that are learned from, int [m].
        groups: person or cluster of each of these, int [m].
        batches: P, K, and batches a step.
        seed: of the run.
        epoch: from 0.
        steps: steps of the epoch.
        domains: of each, where a batch takes P groups of every domain, int [m].
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        groups: NDArray[np.int64],
        batches: Batches,
        *,
        seed: int,
        epoch: int,
        steps: int,
        domains: NDArray[np.int64] | None = None,
    ) -> None:
        of = np.zeros(len(rows), np.int64) if domains is None else domains
        parts = []
        for domain in np.unique(of).tolist():
            places = np.flatnonzero(of == domain)
            drawn = PersonBatches(
                groups[places],
                persons_per_batch=batches.persons,
                pictures_per_person=batches.pictures,
                rng=np.random.default_rng([seed, 1, epoch] if domain == 0 else [seed, 1, epoch, domain]),
            )
            parts.append([places[batch] for batch in islice(drawn, steps * batches.per_step)])
        self._batches = [np.concatenate(batch) for batch in zip(*parts, strict=True)]
        self._rows = rows
        self._per_step = batches.per_step

    def of_step(self, step: int) -> list[tuple[NDArray[np.intp], NDArray[np.int64]]]:
        """The batches of a step of the epoch, from 0: places in ``rows`` and among all pictures, int [P * K each]."""
        first = step * self._per_step
        return [(places, self._rows[places]) for places in self._batches[first : first + self._per_step]]
