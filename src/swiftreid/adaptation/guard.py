"""Whether an encoder got better for some cameras: measured without labels, on pictures that it did not learn from.

In a better embedding more people are found again by another camera than chance would find. How many are, needs no
label: pictures whose nearest lies closer than strangers would (`swiftreid.clustering.strangers`), less the share that
chance gives. Training did not see the clusters that are counted; of their people it may have seen other clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.clustering.two_stage import ClusterSettings, centred, link_threshold, links_between

ENOUGH: Final = 60
"""Possible links between clusters held out from which the guard's figures say anything."""


@dataclass(frozen=True)
class Agreement:
    """What pictures without labels say of an embedding.

    Attributes:
        linked: clusters with a mutually nearest one by another camera, as close as half a stranger would be or closer,
            less what chance gives; a share of those that could have one.
        possible: how many could: the clusters of the smaller camera, of every two with 21 or more each.
    """

    linked: float
    possible: int

    @property
    def deviation(self) -> float:
        """Standard deviation of ``linked`` that the number of possible links leaves."""
        return float(np.sqrt(0.25 / max(1, self.possible)))


def agreement(embeddings: NDArray[np.float32], cameras: NDArray[np.int64], tracklets: NDArray[np.int64]) -> Agreement:
    """Measure an embedding on pictures whose clusters within cameras are given, so that two embeddings compare.

    Args:
        embeddings: float32 [n, d], without what is the cameras'.
        cameras: int64 [n].
        tracklets: clusters within a camera, int64 [n] from 0, as any embedding gave them.
    """
    found = links_between(centred(embeddings), cameras, tracklets)
    _, beyond = link_threshold(found.pairs.expected[found.mutual], found.possible, ClusterSettings())
    return Agreement(beyond, found.possible)


def too_few(measured: Agreement) -> str | None:
    """Why pictures cannot tell whether an encoder got better, in words; None where they can."""
    if measured.possible >= ENOUGH:
        return None
    return f"only {measured.possible} links between clusters held out are possible, and {ENOUGH} would tell"


@dataclass(frozen=True)
class GuardVerdict:
    """Whether the guard believes in an adapted encoder.

    Attributes:
        before: what the held-out pictures say of the encoder as it was.
        after: what they say of the adapted one.
        believed: whether it is better.
        reason: in a sentence.
    """

    before: Agreement
    after: Agreement
    believed: bool
    reason: str


def judge(before: Agreement, after: Agreement) -> GuardVerdict:
    """Believe in an encoder that finds more people again than the one before, by more than chance moves the figure."""
    words = (
        f"{before.linked:.1%} of {before.possible:,} possible links between clusters held out were found beyond chance "
        f"before, and {after.linked:.1%} of {after.possible:,} after"
    )
    if few := too_few(before) or too_few(after):
        return GuardVerdict(before, after, False, few)
    gain = after.linked - before.linked
    if gain <= max(before.deviation, after.deviation):
        return GuardVerdict(before, after, False, f"{words}: no gain that chance could not give")
    return GuardVerdict(before, after, True, words)
