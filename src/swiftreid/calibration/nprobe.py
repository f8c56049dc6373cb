"""How many inverted lists to probe: the smallest share of a gallery that keeps a stated part of the entries.

A probing stage loses an entry if its list is not among the closest lists that hold the share. Each pair of pictures has
a least share that keeps it. It depends on the pair, the centres and how full the lists are. Held-out people show how
these shares are distributed. The promise is that of `recall`: for a new person, drawn like them, the expected part of
the relevant entries (same person, other camera) in probed lists is at least ``share``, with ``confidence`` over the
choice of held-out people. Later thresholds lose entries besides.
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
class Nprobe:
    """A certified share of the gallery to probe, and what the promise rests on.

    Attributes:
        code: the code of the lists.
        nprobe: the share, for a stage's ``nprobe``.
        share: least expected part of a new person's relevant entries that is in probed lists.
        confidence: of that statement.
        certifying: people who certified it.
        kept: the part kept of these people's entries, as measured.
    """

    code: str
    nprobe: float
    share: float
    confidence: float
    certifying: int
    kept: float

    def stage(self) -> Stage:
        """The first stage of a cascade that probes this share."""
        return Stage(self.code, nprobe=self.nprobe)


def fit_nprobe(
    table: CodeTable,
    codes: Mapping[str, NDArray[np.uint8]],
    persons: ArrayLike,
    cameras: ArrayLike,
    *,
    share: float = 0.98,
    confidence: float = recall.CONFIDENCE,
    seed: int = 0,
) -> Nprobe:
    """The smallest certified share of a gallery that a probing stage must probe.

    Args:
        table: the gallery, arranged (`InvertedLists.arrange`).
        codes: of held-out people, uint8 [n, row bytes] under the name of the lists' code; others are ignored.
        persons: int [n]; identities below zero (junk) are left out.
        cameras: int [n].
        share: what is to be kept, between 0 and 1.
        confidence: of the promise, between 0 and 1.
        seed: of the division of the people into those who fix the stake of the bets and those who certify.

    Raises:
        TooFewPeople: fewer people than such a promise takes; the message says how many.
        UsageError: the table has no inverted lists, or arguments do not match.
    """
    lists = table.lists
    if lists is None or not lists.groups:
        raise UsageError("the table has no inverted lists: table = InvertedLists.fit(...).arrange(table)")
    if lists.code not in codes:
        raise UsageError(
            f"the inverted lists are by {lists.code}, which is not among the codes: {', '.join(codes) or 'none'}"
        )
    rows = codes[lists.code]
    people, places = people_and_places(persons, cameras, check_packed(lists.code, rows))
    queries, entries = recall.relevant_pairs(people, places)
    shaping = recall.shaping_people(people[queries], share, confidence, seed)
    held = sum(np.bincount(group.lists, minlength=len(lists.centres)) for group in lists.groups)
    needed = _needed(rows, queries, entries, lists.centres, np.asarray(held))
    chain = np.arange(STEPS, 0, -1)[:, None]
    in_shape = np.isin(people[queries], shaping)
    shape, losses = (
        losses_along(chain, needed[part, None], people[queries[part]], pair_loads(queries[part], people[queries[part]]))
        for part in (in_shape, ~in_shape)
    )
    place = recall.certified_place(shape, losses, share, confidence)
    return Nprobe(
        code=lists.code,
        nprobe=int(chain[place, 0]) / STEPS,
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
    """For each pair the least number of thousandths at which the entry's list is probed."""
    own = kernels.nearest(rows, centres)
    needed = np.empty(len(queries), np.int64)
    for start in range(0, len(rows), 256):
        here = np.flatnonzero((queries >= start) & (queries < start + 256))
        if not len(here):
            continue
        order = np.argsort(kernels.hamming(centres, rows[start : start + 256]), axis=1, kind="stable")
        filled = np.cumsum(held[order], axis=1) - held[order]  # entries in nearer lists
        before = np.empty_like(filled)
        np.put_along_axis(before, order, filled, axis=1)
        # Lists are probed while what they hold is less than the share of all.
        needed[here] = before[queries[here] - start, own[entries[here]]] * STEPS // held.sum() + 1
    return np.minimum(needed, STEPS)
