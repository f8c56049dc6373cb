"""People: shared by training and test, seen by one camera only, junk, distractors, and cameras that are unknown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from swiftreid.data.doctor.diagnosis import Finding
from swiftreid.data.doctor.words import count, place_of, some
from swiftreid.data.samples import DISTRACTOR, JUNK, NOBODY, ReidData, Split


def people_findings(data: ReidData) -> Iterable[Finding]:
    """Findings about the numbers of persons and cameras."""
    train, tested = people(data.train), people(data.query + data.gallery)
    if both := sorted(train & tested):
        message = (
            f"training and test share people, so figures would be too high: {count(len(both), 'person', 'people')}"
        )
        names = some(map(data.called, both))
        advice = f"Give test people other numbers or take them out of {place_of(data, 'train')} ({names})."
        yield Finding("warning", "people-in-both", message, advice)
    if not data.cross_camera:
        message = (
            "cameras are unknown, so same-camera pictures count as matches and only the query's own picture is ignored"
        )
        advice = (
            "Figures are higher than across cameras, and not comparable with them. State cameras in names (_c3), in "
            "folders (PERSON/cam3) or in a manifest's column 'camera', if they are known."
        )
        yield Finding("note", "no-cameras", message, advice)
    else:
        yield from _one_camera(data, train)
    if nobody := sum(sample.person in NOBODY for sample in data.train):
        message = (
            "junk (person -1) and distractors (person 0) in the training split are not used for training: "
            f"{count(nobody, 'picture')}"
        )
        yield Finding("note", "junk-in-train", message, "Number people from 1 if they are real persons.")
    if zeros := sum(sample.person == DISTRACTOR for sample in data.query):
        message = f"person 0, which means distractor in Market-1501, is a query ({count(zeros, 'picture')})"
        yield Finding("warning", "person-0-queried", message, "Number people from 1, unless 0 is a real person here.")
    if junk := sum(sample.person == JUNK for sample in data.gallery):
        yield Finding(
            "note", "junk", f"junk (person -1) in the gallery is ignored in rankings: {count(junk, 'picture')}"
        )
    if wrong := sum(sample.person == DISTRACTOR for sample in data.gallery):
        message = f"distractors (person 0) in the gallery are wrong for every query: {count(wrong, 'picture')}"
        yield Finding("note", "distractors", message)
    if further := len(data.distractors):
        message = f"there are further distractors, which join the gallery on request: {count(further, 'picture')}"
        yield Finding("note", "further-distractors", message, "State how many when you evaluate.")


def _one_camera(data: ReidData, train: set[int]) -> Iterable[Finding]:
    if single := _in_one_camera(data.train):
        message = f"{len(single)} of {len(train)} training people are seen by one camera only"
        yield Finding(
            "note",
            "one-camera-people",
            message,
            "A network learns nothing about differences between cameras from them.",
        )
    tested = data.query + data.gallery
    if data.query and (single := sorted(set(_in_one_camera(tested)) & people(data.query))):
        message = f"{len(single)} of {len(people(data.query))} queried people are seen by one camera only"
        advice = f"Their queries cannot be answered across cameras and are skipped ({some(map(data.called, single))})."
        yield Finding("note", "one-camera-queries", message, advice)


def people(samples: Split) -> set[int]:
    """Persons, without junk and distractors."""
    return {sample.person for sample in samples} - NOBODY


def _in_one_camera(samples: Split) -> list[int]:
    cameras: dict[int, set[int]] = defaultdict(set)
    for sample in samples:
        cameras[sample.person].add(sample.camera)
    return sorted(person for person in people(samples) if len(cameras[person]) == 1)
