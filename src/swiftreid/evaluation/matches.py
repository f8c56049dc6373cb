"""Which gallery pictures are right for a query, and which are ignored: the junk rules of the protocols."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.samples import JUNK


@dataclass(frozen=True)
class Matches:
    """Who stands in the gallery, and the rules for good matches and ignored pictures.

    A good match is another picture of the query's person. Ignored are junk (person -1) and, across cameras, the
    query's person by the query's own camera; without cameras, the query's own picture. Market-1501's distractors
    (person 0) need no rule: no query carries that number, so they stay and are wrong.

    Attributes:
        persons: person id of each gallery entry, int64 [n].
        cameras: camera id of each gallery entry, int64 [n]; None without cameras.
    """

    persons: NDArray[np.int64]
    cameras: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.persons)

    @cached_property
    def _by_person(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.persons, kind="stable")
        return order, self.persons[order]

    @cached_property
    def junk(self) -> NDArray[np.int64]:
        """Positions of junk, ascending."""
        return np.flatnonzero(self.persons == JUNK)

    def of(self, person: int, camera: int, own: int = -1) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For one query: positions of the good matches, ascending, and of what is ignored.

        Args:
            person: the query's person.
            camera: the query's camera; not used without cameras.
            own: the query's own position in the gallery; -1 if it is not there.
        """
        order, persons = self._by_person
        same = order[np.searchsorted(persons, person) : np.searchsorted(persons, person, "right")]
        left_out = same == own
        if self.cameras is not None:
            left_out |= self.cameras[same] == camera
        if person == JUNK:
            left_out[:] = True
        ignored = [self.junk, same[left_out] if person != JUNK else same[:0]]
        if own >= 0 and self.persons[own] not in (person, JUNK):
            ignored.append(np.array([own]))
        return same[~left_out], np.concatenate(ignored)
