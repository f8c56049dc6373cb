"""A contact sheet of clusters: the largest, and those that are most doubtful."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from swiftreid.clustering.strangers import CAP
from swiftreid.clustering.two_stage import ALONE, PeopleClusters
from swiftreid.data.doctor.words import count
from swiftreid.data.samples import NamedSample
from swiftreid.errors import UsageError
from swiftreid.figures.picture_rows import PictureRow, draw_rows

ROWS: Final = 12
"""Clusters of either kind on a sheet, by default."""


def doubts(clusters: PeopleClusters) -> NDArray[np.float64]:
    """How doubtful each group is, float [groups]: strangers expected as close as its clusters of two cameras.

    The geometric mean over its pairs of clusters of different cameras that lie unexpectedly close, where each pair
    that does not counts as `swiftreid.clustering.strangers.CAP`; 0 for groups of one cluster.
    """
    groups = clusters.groups
    group = np.full(int(clusters.tracklets.max(initial=-1)) + 1, ALONE, np.int64)
    group[clusters.tracklets] = clusters.people
    members = np.bincount(group[group != ALONE], minlength=groups)
    close = clusters.close
    inside = (group[close.left] == group[close.right]) & (group[close.left] != ALONE)
    of = group[close.left[inside]]
    sums = np.bincount(of, np.log(close.expected[inside] / CAP), groups)
    # Every cluster is linked to one other at least: a chain of them has one link less than clusters.
    links = np.maximum(np.bincount(of, minlength=groups), np.maximum(members - 1, 1))
    doubt: NDArray[np.float64] = np.where(members > 1, CAP * np.exp(sums / links), 0.0)
    return doubt


def draw_clusters(
    clusters: PeopleClusters,
    samples: Sequence[NamedSample],
    title: str,
    *,
    rows: int = ROWS,
    columns: int = 12,
    crop_height: int = 128,
) -> Image.Image:
    """Draw a row of pictures for each of the largest clusters, and for each of the most doubtful ones.

    Args:
        clusters: over all cameras, of ``samples``.
        samples: pictures with their cameras.
        title: a line above all.
        rows: of either kind, at most.
        columns: pictures in a row, at most.
        crop_height: height of each in pixels; it is half as wide.

    Raises:
        UsageError: there is no cluster, or sizes that cannot be drawn.
    """
    sizes = np.bincount(clusters.people[clusters.people != ALONE])
    if not len(sizes):
        raise UsageError("there is no cluster to draw: every picture is alone")
    doubt = doubts(clusters)
    largest = np.argsort(-sizes, kind="stable")[:rows].tolist()
    doubtful = [group for group in np.argsort(-doubt, kind="stable").tolist() if doubt[group] > 0][:rows]
    drawn = [(f"largest {place}", group) for place, group in enumerate(largest, 1)]
    drawn += [(f"most doubtful {place}", group) for place, group in enumerate(doubtful, 1)]
    lines = [
        _row(words, group, clusters, samples, columns=columns, doubt=float(doubt[group])) for words, group in drawn
    ]
    return draw_rows(lines, columns=columns, crop_height=crop_height, title=title)


def _row(
    words: str, group: int, clusters: PeopleClusters, samples: Sequence[NamedSample], *, columns: int, doubt: float
) -> PictureRow:
    own = [samples[place] for place in np.flatnonzero(clusters.people == group).tolist()]
    own.sort(key=lambda sample: sample.camera or "")
    cameras = sorted({sample.camera or "unknown" for sample in own})
    about = f", {doubt:.2g} strangers expected as close as its cameras' clusters" if doubt else ""
    heading = f"{words}: {count(len(own), 'picture')}, cameras {', '.join(cameras)}{about}"
    # Spread over the cameras: from the first picture to the last.
    chosen = np.unique(np.linspace(0, len(own) - 1, min(columns, len(own))).round().astype(np.int64)).tolist()
    return PictureRow(heading, [(own[place].path, f"camera {own[place].camera or 'unknown'}") for place in chosen])
