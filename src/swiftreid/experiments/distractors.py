"""Distractors that join a gallery: how many, and which, so that fewer of them are always part of more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from swiftreid.data.published import MARKET_500K
from swiftreid.data.samples import ReidData, Split
from swiftreid.errors import UsageError

DISTRACTOR_SEED: Final = 0
"""Of the order in which distractors join the gallery."""

Size = int | Literal["all"]
"""A number of distractors."""


def distractor_sizes(wanted: Sequence[Size] | None, data: ReidData) -> list[int]:
    """Numbers of distractors to measure with, ascending.

    Args:
        wanted: the numbers; None adds none, except to the published data set that is named after its distractors,
            which has all of them.
        data: the data set.

    Raises:
        UsageError: it does not have so many, or a number is negative.

    Example:
        >>> from pathlib import Path
        >>> distractor_sizes(["all", 0], ReidData("empty", Path()))
        [0]
    """
    there = len(data.distractors)
    if wanted is None:
        return [there] if data.published == MARKET_500K else [0]
    sizes = {there if size == "all" else size for size in wanted}
    if not sizes or min(sizes) < 0:
        raise UsageError(f"numbers of distractors are 0 or more, or 'all', not {list(wanted)}")
    if max(sizes) > there or (not there and sizes != {0}):
        raise UsageError(
            f"{max(sizes):,} distractors are asked for: data set {data.name} has {there:,} distractors"
            + ("" if there else "; open one that has, such as market1501+500k or a folder with distractors/ or images/")
        )
    return sorted(sizes)


def first_distractors(distractors: Split, count: int) -> Split:
    """The first ``count`` distractors of a fixed random order."""
    if not count:
        return []
    order = np.random.default_rng(DISTRACTOR_SEED).permutation(len(distractors))
    return [distractors[i] for i in order[:count]]
