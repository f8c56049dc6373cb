"""How far a cells stage must look: the smallest share of a gallery that keeps what was asked for, with a promise.

A cells stage loses an entry where its cell is not among the nearest that hold the share. For a pair of pictures there
is a least share from which on it is kept, which depends on this pair, the centres and how full the cells are. Held-out
people show how these shares are distributed; the promise is that of `recall`: for a new person, drawn like them, the
expected part of his relevant entries (same person, other camera) whose cell is looked into is at least ``share``, with
``confidence`` over the choice of held-out people. Thresholds behind it lose on their own account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.calibration import recall
from swiftreid.calibration.labels import people_and_places
from swiftreid.calibration.threshold_chains import losses_along, pair_loads
from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.codes import check_packed
from swiftreid.search.stages import Stage
from swiftreid.search.table import CodeTable

STEPS = 1000
"""Shares are whole numbers of thousandths."""


@dataclass(frozen=True)
class ProbeShare:
    """A certified share of the gallery to look into, and what the promise rests on.

    Attributes:
        code: whose cells they are.
        cells: the share, for a stage's ``cells``.
        share: least expected part of a new person's relevant entries that is looked into.
        confidence: of that statement.
        certifying: people who certified it.
        kept: the part kept of these people's entries, as measured.
    """

    code: str
    cells: float
    share: float
    confidence: float
    certifying: int
    kept: float

    def stage(self) -> Stage:
        """The first stage of a cascade that looks so far."""
        return Stage(self.code, cells=self.cells)


def probe_share(
    table: CodeTable,
    codes: Mapping[str, NDArray[np.uint8]],
    persons: ArrayLike,
    cameras: ArrayLike,
    *,
    share: float = 0.98,
    confidence: float = recall.CONFIDENCE,
    seed: int = 0,
) -> ProbeShare:
    """The smallest certified share of a gallery that a cells stage must look into.

    Args:
        table: the gallery, arranged (`Partition.arrange`).
        codes: of held-out people, uint8 [n, row bytes] under the name of the partition's code; others are ignored.
        persons: int [n]; identities below zero (junk) are left out.
        cameras: int [n].
        share: what is to be kept, between 0 and 1.
        confidence: of the promise, between 0 and 1.
        seed: of the division of the people into those who fix the stake of the bets and those who certify.

    Raises:
        TooFewPeople: fewer people than such a promise takes; the message says how many.
        UsageError: the table has no cells, or arguments do not match.
    """
    if table.arrangement is None or not table.arrangement.shelves:
        raise UsageError("the table has no cells: table = Partition.fit(...).arrange(table)")
    partition = table.arrangement.partition
    if partition.code not in codes:
        raise UsageError(f"cells are by {partition.code}, which is not among the codes: {', '.join(codes) or 'none'}")
    rows = codes[partition.code]
    people, places = people_and_places(persons, cameras, check_packed(partition.code, rows))
    queries, entries = recall.relevant_pairs(people, places)
    shaping = recall.shaping_people(people[queries], share, confidence, seed)
    held = sum(np.bincount(shelf.cells, minlength=len(partition.centres)) for shelf in table.arrangement.shelves)
    needed = _needed(rows, queries, entries, partition.centres, np.asarray(held))
    chain = np.arange(STEPS, 0, -1)[:, None]
    in_shape = np.isin(people[queries], shaping)
    shape, losses = (
        losses_along(chain, needed[part, None], people[queries[part]], pair_loads(queries[part], people[queries[part]]))
        for part in (in_shape, ~in_shape)
    )
    place = recall.certified_place(shape, losses, share, confidence)
    return ProbeShare(
        code=partition.code,
        cells=int(chain[place, 0]) / STEPS,
        share=share,
        confidence=confidence,
        certifying=len(losses),
        kept=float(1 - losses[:, place].mean()),
    )


def _needed(
    rows: NDArray[np.uint8],
    queries: NDArray[np.intp],
    entries: NDArray[np.intp],
    centres: NDArray[np.uint8],
    held: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For each pair the least number of thousandths at which the entry's cell is looked into."""
    cell = kernels.nearest(rows, centres)
    needed = np.empty(len(queries), np.int64)
    for start in range(0, len(rows), 256):
        here = np.flatnonzero((queries >= start) & (queries < start + 256))
        if not len(here):
            continue
        order = np.argsort(kernels.hamming(centres, rows[start : start + 256]), axis=1, kind="stable")
        filled = np.cumsum(held[order], axis=1) - held[order]  # entries in nearer cells
        before = np.empty_like(filled)
        np.put_along_axis(before, order, filled, axis=1)
        # Cells are looked into while what they hold is less than the share of all.
        needed[here] = before[queries[here] - start, cell[entries[here]]] * STEPS // held.sum() + 1
    return np.minimum(needed, STEPS)
