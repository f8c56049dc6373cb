"""Which queries have a good match, and why the others have none: the main thing."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from swiftreid.data.doctor.diagnosis import Finding
from swiftreid.data.doctor.words import place_of
from swiftreid.data.samples import JUNK, NumberedSample, ReidData

_JUNK_QUERY = "their person is -1 (junk)"
_ABSENT = "their person is not in the gallery"


def query_findings(data: ReidData) -> tuple[int, list[Finding]]:
    """The number of queries with a good match in the gallery, by the protocol that the data set allows."""
    if not data.query or not data.gallery:
        return 0, []
    cameras: dict[int, set[int]] = defaultdict(set)
    files: dict[int, set[Path]] = defaultdict(set)
    for sample in data.gallery:
        cameras[sample.person].add(sample.camera)
        files[sample.person].add(sample.path)
    reasons = Counter(
        _across_cameras(sample, cameras) if data.cross_camera else _without_cameras(sample, files)
        for sample in data.query
    )
    valid = reasons.pop("", 0)
    if not reasons:
        return valid, []
    parts = ", ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
    if valid:
        message = f"{sum(reasons.values())} of {len(data.query)} queries have no good match and are skipped: {parts}"
        return valid, [Finding("warning", "invalid-queries", message, "Figures will cover the other queries only.")]
    kind, advice = _why_none(data, reasons, set(cameras))
    message = f"no query has a good match in the gallery, so there is nothing to measure: {parts}"
    return 0, [Finding("error", kind, message, advice)]


def _across_cameras(query: NumberedSample, cameras: dict[int, set[int]]) -> str:
    if query.person == JUNK:
        return _JUNK_QUERY
    if query.person not in cameras:
        return _ABSENT
    return (
        ""
        if cameras[query.person] - {query.camera}
        else "the gallery shows their person only by the query's own camera"
    )


def _without_cameras(query: NumberedSample, files: dict[int, set[Path]]) -> str:
    if query.person == JUNK:
        return _JUNK_QUERY
    if query.person not in files:
        return _ABSENT
    return "" if files[query.person] - {query.path} else "there is no other picture of their person"


def _why_none(data: ReidData, reasons: Counter[str], gallery_people: set[int]) -> tuple[str, str]:
    """The kind of failure when no query is valid, and the advice."""
    seen = {sample.camera for sample in data.query + data.gallery}
    gallery = place_of(data, "gallery")
    if data.cross_camera and len(seen) == 1:
        return "one-camera", (
            f"Every picture is by camera {seen.pop()}. If the cameras differ, put the true number after _c in each "
            "name; if they are unknown, evaluate without cameras."
        )
    if reasons[_JUNK_QUERY] == len(data.query):
        return "all-junk", "Give each query the number of its person; -1 means junk."
    if not {sample.person for sample in data.query} & gallery_people:
        return (
            "no-shared-person",
            f"Give people the same numbers in query and {gallery}, and put the test people into both.",
        )
    other = "by other cameras " if data.cross_camera else ""
    return "no-valid-query", f"Put pictures of the queries' people {other}into {gallery}."
