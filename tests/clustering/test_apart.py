"""People who cannot be one: in one frame, or at one time under cameras without overlap; against a loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swiftreid.clustering.apart import apart_pairs
from swiftreid.data.samples import NamedSample, Sample
from swiftreid.errors import UsageError


def picture(
    camera: str | None, *, time: float | None = None, frame: int | None = None, track: str | None = None
) -> NamedSample:
    return Sample(Path("a.jpg"), None, camera, time=time, frame=frame, tracklet=track)


def test_people_in_one_frame_are_two() -> None:
    samples = [
        picture("door", frame=5, track="a"),
        picture("door", frame=5, track="b"),
        picture("door", frame=6, track="a"),
        picture("yard", frame=5, track="c"),
        picture("door", frame=5, track="a"),  # a second box of the same track
        picture("door", frame=5, time=99.0, track="d"),  # another video's frame 5
        picture(None, frame=5),
        picture(None, frame=5),
    ]
    assert apart_pairs(samples).tolist() == [[0, 1], [1, 4]]


def test_people_at_one_time_under_cameras_without_overlap_are_two() -> None:
    rng = np.random.default_rng(0)
    names, times = rng.choice(["door", "yard", "roof"], 60), rng.uniform(0, 8, 60).round(1)
    samples = [picture(str(name), time=float(time)) for name, time in zip(names, times, strict=True)]
    samples += [picture("door"), picture("yard")]  # no time, no pair
    found = apart_pairs(samples, no_overlap=[("yard", "door")], at_once=0.35)
    expected = [
        [one, other]
        for one in range(60)
        for other in range(one + 1, 60)
        if {names[one], names[other]} == {"door", "yard"} and abs(times[one] - times[other]) <= 0.35
    ]
    assert len(expected) > 10
    assert found.tolist() == expected
    assert apart_pairs(samples).shape == (0, 2)


@pytest.mark.parametrize("pair", [("door", "door"), ("door", "gate")])
def test_cameras_that_are_not_there_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=r"the cameras are door, yard"):
        apart_pairs([picture("door"), picture("yard")], no_overlap=[pair])


def test_cameras_without_times_are_refused() -> None:
    samples = [picture("door", time=3.0), picture("yard")]
    with pytest.raises(UsageError, match="no picture by camera 'yard' has a time"):
        apart_pairs(samples, no_overlap=[("door", "yard")])
