"""The doctor: why a data set would not evaluate, or would evaluate to figures that mislead, and what to do about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from swiftreid.data.attributes import ATTRIBUTE_FILE, read_attributes
from swiftreid.data.diagnosis import SEVERITIES, Diagnosis, Finding, Severity, SplitCounts
from swiftreid.data.duplicates import find_duplicates
from swiftreid.data.market import FOLDERS, read_market
from swiftreid.data.pictures import PICTURE_SUFFIXES, BadPicture, read_picture
from swiftreid.data.samples import DISTRACTOR, JUNK, SPLITS, ReidData, Split, SplitName
from swiftreid.errors import SwiftReIDError

__all__ = ["Diagnosis", "Finding", "SplitCounts", "diagnose"]

Progress = Callable[[int, int], None]

_EXAMPLES = 3
_THREADS = 2
_CHUNK = 16


def diagnose(root: Path, *, decode: bool = True, progress: Progress | None = None) -> Diagnosis:
    """Examine a data set in the Market-1501 layout.

    Args:
        root: the folder that should hold ``bounding_box_train``, ``query`` and ``bounding_box_test``.
        decode: whether to decode every picture, which finds the unreadable ones.
        progress: called with pictures done and pictures in all while decoding.

    Raises:
        SwiftReIDError: a folder cannot be listed.
    """
    try:
        data = read_market(root, need=(), attributes=False)
    except SwiftReIDError as error:
        if any((root / folder).is_dir() for folder in FOLDERS.values()):
            raise
        kind, advice = "no-layout", "Make those folders, or give the folder that holds them."
        if not root.is_dir():
            kind, advice = "no-folder", "Check the spelling of the path, and where it starts from."
        empty = {name: SplitCounts.of([]) for name in SPLITS}
        return Diagnosis(empty, findings=[Finding("error", kind, str(error), advice)], decoded=decode)

    unreadable = _decode_all(data, progress) if decode else {}
    valid, findings = _query_findings(_without(data, unreadable))
    findings += _folder_findings(data)
    findings += _name_findings(data)
    findings += _unreadable_findings(data, unreadable)
    findings += _split_findings(data)
    findings += _duplicate_findings(data)
    findings += _attribute_findings(data)
    return Diagnosis(
        counts={name: SplitCounts.of(data.split(name)) for name in SPLITS},
        valid_queries=valid,
        unreadable=unreadable,
        unparsable=[str(path) for path in data.unparsable],
        findings=sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)),
        decoded=decode,
    )


def _query_findings(data: ReidData) -> tuple[int, list[Finding]]:
    """Valid queries, and why the others are not: the main thing."""
    if not data.query or not data.gallery:
        return 0, []
    cameras: dict[int, set[int]] = defaultdict(set)
    for sample in data.gallery:
        cameras[sample.person].add(sample.camera)
    reasons = Counter(_reason(sample.person, sample.camera, cameras) for sample in data.query)
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


def _why_none(data: ReidData, reasons: Counter[str], gallery_people: set[int]) -> tuple[str, str]:
    """The kind of failure when no query is valid, and the advice."""
    seen = {sample.camera for sample in data.query + data.gallery}
    if len(seen) == 1:
        return "one-camera", (
            f"Every picture is by camera {seen.pop()}. If the cameras differ, put the true number after _c in each "
            "name; if they are unknown, evaluate in Python with evaluate_rankings(..., cross_camera=False)."
        )
    if reasons[_JUNK_QUERY] == len(data.query):
        return "all-junk", "Give the queries their person's number; -1 stands for junk."
    if not {sample.person for sample in data.query} & gallery_people:
        return "no-shared-person", (
            "Number people alike in query and bounding_box_test, and put the test people into both."
        )
    return "no-valid-query", "Put pictures of the queries' people by other cameras into bounding_box_test."


_JUNK_QUERY = "their person is -1 (junk)"


def _reason(person: int, camera: int, cameras: dict[int, set[int]]) -> str:
    if person == JUNK:
        return _JUNK_QUERY
    if person not in cameras:
        return "their person is not in the gallery"
    return "" if cameras[person] - {camera} else "the gallery shows their person only by the query's own camera"


def _folder_findings(data: ReidData) -> Iterable[Finding]:
    for name in SPLITS:
        folder = data.root / FOLDERS[name]
        if data.split(name):
            continue
        tested = name != "train"
        if not folder.is_dir():
            advice = f"Make it, with pictures such as {folder.name}/0844_c3s2_107328_01.jpg."
            message = f"there is no folder {folder.name}, so there is nothing to {_PURPOSE[name]}"
        elif any(path.parent == folder for path in data.unparsable):
            message = f"no picture in {folder.name} has a name that states person and camera"
            advice = "Rename them to PERSON_cCAMERA..., such as 0844_c3s2_107328_01.jpg."
        else:
            message = f"the folder {folder.name} holds no picture, so there is nothing to {_PURPOSE[name]}"
            deeper = any(path.suffix.lower() in PICTURE_SUFFIXES for path in folder.glob("*/*"))
            advice = "Its subfolders hold some: move them up." if deeper else "Put pictures into it."
        if not tested:
            advice = f"Evaluation does without; `swiftreid hash` and `swiftreid calibrate` need it. {advice}"
        yield Finding("error" if tested else "note", f"no-{name}", message, advice)


_PURPOSE: dict[SplitName, str] = {"train": "learn from", "query": "look for", "gallery": "look among"}


def _name_findings(data: ReidData) -> Iterable[Finding]:
    if data.unparsable:
        names = _some([path.name for path in data.unparsable])
        message = (
            f"{_count(len(data.unparsable), 'picture')} left out, as their names state no person and camera ({names})"
        )
        advice = "Name them PERSON_cCAMERA..., such as 0844_c3s2_107328_01.jpg, if they belong to the data set."
        yield Finding("warning", "unparsable", message, advice)


def _unreadable_findings(data: ReidData, unreadable: Mapping[str, str]) -> Iterable[Finding]:
    if not unreadable:
        return
    shown = _some([f"{Path(name).name}: {reason}" for name, reason in unreadable.items()], "; ")
    message = f"{_count(len(unreadable), 'picture')} cannot be read ({shown})"
    yield Finding("warning", "unreadable", message, "Fetch them again or remove them; they are skipped.")
    for name in SPLITS:
        if data.split(name) and not _readable(data.split(name), unreadable):
            message = f"no picture in {FOLDERS[name]} can be read, so there is nothing to {_PURPOSE[name]}"
            severity: Severity = "warning" if name == "train" else "error"
            yield Finding(severity, f"no-{name}", message, "Fetch the data set again.")


def _without(data: ReidData, unreadable: Mapping[str, str]) -> ReidData:
    query, gallery = (_readable(split, unreadable) for split in (data.query, data.gallery))
    return replace(data, query=query, gallery=gallery)


def _readable(samples: Split, unreadable: Mapping[str, str]) -> Split:
    return [sample for sample in samples if str(sample.path) not in unreadable]


def _split_findings(data: ReidData) -> Iterable[Finding]:
    train, tested = _people(data.train), _people(data.query + data.gallery)
    if both := sorted(train & tested):
        message = (
            f"training and test share people, so figures would be too good: {_count(len(both), 'person', 'people')}"
        )
        advice = f"Give test people other numbers or take them out of bounding_box_train ({_some(map(str, both))})."
        yield Finding("warning", "people-in-both", message, advice)
    if single := _in_one_camera(data.train):
        message = f"{len(single)} of {len(train)} training people are seen by one camera only"
        yield Finding("note", "one-camera-people", message, "They teach nothing about how cameras differ.")
    if nobody := sum(sample.person in (JUNK, DISTRACTOR) for sample in data.train):
        message = (
            "junk (person -1) and distractors (person 0) in the training split are left out of learning: "
            f"{_count(nobody, 'picture')}"
        )
        yield Finding("note", "junk-in-train", message, "Number people from 1 if they are somebody.")
    if zeros := sum(sample.person == DISTRACTOR for sample in data.query):
        message = f"person 0, which Market-1501 keeps for distractors, is queried ({_count(zeros, 'picture')})"
        yield Finding("warning", "person-0-queried", message, "Number people from 1, unless 0 is a real person here.")
    if junk := sum(sample.person == JUNK for sample in data.gallery):
        yield Finding(
            "note", "junk", f"junk (person -1) in the gallery is ignored in rankings: {_count(junk, 'picture')}"
        )
    if wrong := sum(sample.person == DISTRACTOR for sample in data.gallery):
        yield Finding(
            "note",
            "distractors",
            f"distractors (person 0) in the gallery are wrong for every query: {_count(wrong, 'picture')}",
        )


def _duplicate_findings(data: ReidData) -> Iterable[Finding]:
    groups = find_duplicates({sample.path: (name, sample) for name in SPLITS for sample in data.split(name)})
    leaks = [group for group in groups if len({name == "train" for name, _ in group}) > 1]
    torn = [group for group in groups if len({(sample.person, sample.camera) for _, sample in group}) > 1]
    if leaks:
        message = f"training and test share pictures, byte for byte: {_count(len(leaks), 'picture')}"
        advice = f"Remove them from bounding_box_train ({_some(group[0][1].path.name for group in leaks)})."
        yield Finding("warning", "train-test-duplicates", message, advice)
    if torn:
        message = f"the same picture, byte for byte, under several persons or cameras: {_count(len(torn), 'picture')}"
        examples = _some(" = ".join(sample.path.name for _, sample in group[:2]) for group in torn)
        yield Finding("warning", "torn-duplicates", message, f"Find out which name is right ({examples}).")
    told = {id(group) for group in [*leaks, *torn]}
    alike = [group for group in groups if id(group) not in told]
    if copied := [group for group in alike if {"query", "gallery"} <= {name for name, _ in group}]:
        message = (
            "queries are in the gallery too, byte for byte, for the same person and camera: "
            f"{_count(len(copied), 'picture')}"
        )
        advice = (
            "Cross-camera evaluation ignores them. Remove them before one without cameras, where they would be found "
            f"first and count as right ({_some(group[0][1].path.name for group in copied)})."
        )
        yield Finding("note", "query-in-gallery", message, advice)
    if repeated := len(alike) - len(copied):
        message = (
            f"the same picture, byte for byte, more than once for one person and camera: {_count(repeated, 'picture')}"
        )
        yield Finding("note", "duplicates", message)


def _attribute_findings(data: ReidData) -> Iterable[Finding]:
    table = data.root / ATTRIBUTE_FILE
    if not table.is_file():
        return
    try:
        described = set(read_attributes(table))
    except SwiftReIDError as error:
        yield Finding("error", "attributes", str(error), f"Mend {ATTRIBUTE_FILE} or remove it.")
        return
    missing = sorted(_people(data.train + data.query + data.gallery) - described)
    if missing:
        message = f"{ATTRIBUTE_FILE} has no row for {_count(len(missing), 'person', 'people')}"
        yield Finding(
            "note", "attributes-missing", message, f"Add rows if they are known ({_some(map(str, missing))})."
        )


def _decode_all(data: ReidData, progress: Progress | None) -> dict[str, str]:
    paths = [sample.path for name in SPLITS for sample in data.split(name)] + data.unparsable
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    unreadable: dict[str, str] = {}
    done = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="doctor") as pool:
        try:
            for chunk, bad in zip(chunks, pool.map(_bad_in, chunks), strict=True):
                unreadable.update(bad)
                done += len(chunk)
                if progress is not None:
                    progress(done, len(paths))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return unreadable


def _bad_in(paths: Sequence[Path]) -> dict[str, str]:
    bad = {}
    for path in paths:
        try:
            read_picture(path)
        except BadPicture as error:
            bad[error.name] = error.reason
    return bad


def _people(samples: Split) -> set[int]:
    return {sample.person for sample in samples} - {JUNK, DISTRACTOR}


def _in_one_camera(samples: Split) -> list[int]:
    cameras: dict[int, set[int]] = defaultdict(set)
    for sample in samples:
        cameras[sample.person].add(sample.camera)
    return sorted(person for person in _people(samples) if len(cameras[person]) == 1)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _some(names: Iterable[str], between: str = ", ") -> str:
    listed = list(names)
    rest = f"{between}and {len(listed) - _EXAMPLES} more" if len(listed) > _EXAMPLES else ""
    return between.join(listed[:_EXAMPLES]) + rest
