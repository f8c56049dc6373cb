"""Who cannot be one person: people in one frame, and people at one time under cameras that do not overlap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.samples import NamedSample
from swiftreid.errors import UsageError

AT_ONCE: Final = 0.5
"""Seconds between two pictures that are taken at one time, at most."""


def apart_pairs(
    samples: Sequence[NamedSample],
    *,
    no_overlap: Collection[tuple[str, str]] = (),
    at_once: float = AT_ONCE,
) -> NDArray[np.int64]:
    """Pairs of pictures that show two people, int64 [p, 2], the lower place first.

    Args:
        samples: pictures. Those of one camera with one frame number (and one time, where times are known) are of one
            frame, and show different people unless they are of one track.
        no_overlap: pairs of cameras that see no place in common: whoever is under one is not under the other.
        at_once: seconds between two pictures that are taken at one time, at most.

    Raises:
        UsageError: a camera of ``no_overlap`` is none of the samples', has no picture with a time, or is in a pair with
            itself.

    Example:
        >>> from pathlib import Path
        >>> from swiftreid.data.samples import Sample
        >>> two = [Sample(Path(name), None, "door", frame=7) for name in ("a.jpg", "b.jpg")]
        >>> apart_pairs(two).tolist()
        [[0, 1]]
    """
    names = {sample.camera for sample in samples}
    timed_cameras = {sample.camera for sample in samples if sample.time is not None}
    for one, other in no_overlap:
        if one == other or not {one, other} <= names:
            known = ", ".join(sorted(name for name in names if name is not None))
            raise UsageError(f"cameras {one!r} and {other!r} cannot be a pair without overlap; the cameras are {known}")
        if untimed := sorted({one, other} - timed_cameras):
            raise UsageError(f"no picture by camera {untimed[0]!r} has a time, so overlap decides nothing: give times")
    frames: dict[tuple[str, int, float | None], list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        if sample.frame is not None and sample.camera is not None:
            frames[sample.camera, sample.frame, sample.time].append(place)
    found = {
        (one, other)
        for places in frames.values()
        for one, other in combinations(places, 2)
        if samples[one].tracklet is None or samples[one].tracklet != samples[other].tracklet
    }
    disjoint = {frozenset(pair) for pair in no_overlap}
    timed = sorted((sample.time, place) for place, sample in enumerate(samples) if sample.time is not None)
    first = 0
    for row, (time, later) in enumerate(timed if disjoint else []):
        while timed[first][0] < time - at_once:
            first += 1
        for _, earlier in timed[first:row]:
            if frozenset((samples[later].camera, samples[earlier].camera)) in disjoint:
                found.add((min(earlier, later), max(earlier, later)))
    return np.array(sorted(found), np.int64).reshape(-1, 2)
