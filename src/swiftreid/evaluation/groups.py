"""How well groups of pictures are people: by pairs, by groups and people, and by pictures (B-cubed)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class GroupScores:
    """Scores of n pictures' groups; each is a share, and 1 is best. A picture that is in no group is one by itself.

    Attributes:
        pair_precision: of the pairs of pictures in one group, those that show one person; 1 where there are none.
        pair_recall: of the pairs that show one person, those in one group; 1 where there are none.
        purity: pictures that show the person whom most pictures of their group show.
        completeness: pictures that are in the group that most pictures of their person are in.
        bcubed_precision: mean over pictures of the share of their group that shows their person (Bagga and Baldwin,
            1998).
        bcubed_recall: mean over pictures of the share of their person's pictures that is in their group.
        groups: of two pictures or more.
        alone: pictures that are in none of these.
    """

    pair_precision: float
    pair_recall: float
    purity: float
    completeness: float
    bcubed_precision: float
    bcubed_recall: float
    groups: int
    alone: int


def group_scores(groups: Ids, people: Ids) -> GroupScores:
    """Compare groups with people.

    Args:
        groups: of each picture, int64 [n]; negative for those that are in none.
        people: whom each shows, int64 [n].

    Raises:
        UsageError: there are no pictures, or not as many people as groups.

    Example:
        >>> scores = group_scores(np.array([0, 0, 0, -1]), np.array([7, 7, 8, 8]))
        >>> round(scores.pair_precision, 3), scores.pair_recall, scores.purity, scores.completeness
        (0.333, 0.5, 0.75, 0.75)
    """
    if len(groups) != len(people) or not len(groups):
        raise UsageError(f"groups and people are of the same pictures, got {len(groups)} and {len(people)}")
    alone = groups.max() + 1 + np.arange(len(groups))
    own, of = np.unique(np.where(groups < 0, alone, groups), return_inverse=True)
    _, person = np.unique(people, return_inverse=True)
    cells, cell, shared = np.unique(of * (person.max() + 1) + person, return_inverse=True, return_counts=True)
    sizes, seen = np.bincount(of), np.bincount(person)
    of_group, of_person = np.divmod(cells, person.max() + 1)
    right = _pairs(shared)
    most, largest = np.zeros(len(own), np.int64), np.zeros(len(seen), np.int64)
    np.maximum.at(most, of_group, shared)
    np.maximum.at(largest, of_person, shared)
    together = shared[cell]
    return GroupScores(
        pair_precision=_share(right, _pairs(sizes)),
        pair_recall=_share(right, _pairs(seen)),
        purity=float(most.sum() / len(groups)),
        completeness=float(largest.sum() / len(groups)),
        bcubed_precision=float((together / sizes[of]).mean()),
        bcubed_recall=float((together / seen[person]).mean()),
        groups=int((sizes > 1).sum()),
        alone=int((sizes == 1).sum()),
    )


def _pairs(counts: Ids) -> int:
    return int((counts * (counts - 1) // 2).sum())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
