"""The doctor: why a data set would not evaluate, or would evaluate to figures that mislead, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from swiftreid.data.attribute_files import with_attributes
from swiftreid.data.attributes import ATTRIBUTE_FILE, read_attributes
from swiftreid.data.camera_folders import Folders
from swiftreid.data.doctor.diagnosis import SEVERITIES, Diagnosis, Finding, SplitCounts
from swiftreid.data.doctor.files import (
    Group,
    duplicate_findings,
    duplicate_groups,
    empty_findings,
    missing_findings,
    name_findings,
    readable,
    unreadable_findings,
)
from swiftreid.data.doctor.people import people, people_findings
from swiftreid.data.doctor.published_counts import published_findings
from swiftreid.data.doctor.queries import query_findings
from swiftreid.data.doctor.words import count, has_market_folders, some
from swiftreid.data.msmt17 import TrainChoice
from swiftreid.data.pictures import BadPicture, read_picture
from swiftreid.data.samples import SPLITS, ReidData, Split
from swiftreid.data.schemas import unusable
from swiftreid.data.sources import WithdrawnData, open_data
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.progress import Progress, no_progress

__all__ = ["Diagnosis", "Examination", "Finding", "SplitCounts", "diagnose", "examine"]


_THREADS = 2
_CHUNK = 16


@dataclass(frozen=True)
class Examination:
    """A diagnosis and what it rests on.

    Attributes:
        diagnosis: the findings.
        data: the data set; None if it could not be opened.
        duplicates: samples whose files have the same content.
    """

    diagnosis: Diagnosis
    data: ReidData | None = None
    duplicates: Sequence[Group] = ()


def diagnose(source: Path | str, *, decode: bool = True, progress: Progress = no_progress) -> Diagnosis:
    """Examine a data set: what `examine` finds.

    Args:
        source: whatever `open_data` takes.
        decode: whether to decode every picture, which finds the unreadable ones.
        progress: takes pictures decoded and pictures in all.

    Raises:
        SwiftReIDError: a folder cannot be listed.
    """
    return examine(source, decode=decode, progress=progress).diagnosis


def examine(
    source: Path | str,
    *,
    kind: str | None = None,
    train: TrainChoice = "train+val",
    root: Path | None = None,
    folders: Folders | None = None,
    decode: bool = True,
    progress: Progress = no_progress,
) -> Examination:
    """Examine a data set, and keep what the findings rest on.

    Args:
        source: as for `open_data`, like ``kind``, ``train``, ``root`` and ``folders``.
        kind: what kind of data set it is.
        train: for MSMT17, "train+val" or "train".
        root: for a manifest, the folder that its paths start from.
        folders: whether plain folders are people or cameras.
        decode: as for `diagnose`, like ``progress``.
        progress: as for `diagnose`.

    Raises:
        SwiftReIDError: a folder cannot be listed.
        UsageError: the folder can be read as several kinds, or options do not fit.
    """
    opened = partial(open_data, source, kind=kind, train=train, root=root, folders=folders, attributes=False)
    try:
        try:
            data = opened()
        except SwiftReIDError:  # less may be there, which findings will tell
            data = opened(need=())
    except UsageError:
        raise
    except SwiftReIDError as error:
        return Examination(_unopened(Path(source), error, decode))

    unreadable = _decode_all(data, progress) if decode else {}
    counts: dict[str, SplitCounts] = {name: SplitCounts.of(samples) for name, samples in _parts(data).items()}
    duplicates = duplicate_groups(data)
    valid, findings = query_findings(_without(data, unreadable))
    findings += [Finding("warning", doubt.kind, doubt.message, doubt.advice) for doubt in data.doubts]
    findings += empty_findings(data)
    findings += name_findings(data)
    findings += missing_findings(data)
    findings += unreadable_findings(data, unreadable)
    findings += published_findings(data, counts, train)
    findings += people_findings(data)
    findings += duplicate_findings(data, duplicates)
    findings += _attribute_findings(data)
    diagnosis = Diagnosis(
        counts=counts if data.cross_camera else {name: replace(c, cameras=0) for name, c in counts.items()},
        valid_queries=valid,
        unreadable=unreadable,
        unparsable=[str(path) for path in data.unparsable],
        missing=[str(path) for path in data.missing],
        findings=sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)),
        decoded=decode,
        published=data.published,
        cross_camera=data.cross_camera,
        notes=list(data.notes),
    )
    return Examination(diagnosis, data, duplicates)


def _unopened(source: Path, error: SwiftReIDError, decode: bool) -> Diagnosis:
    """The diagnosis of a data set that could not be opened; the error itself where a folder could not be listed."""
    kind, advice = "no-layout", "Give the folder that holds them, or see the documentation on data sets for layouts."
    if source.is_file():
        kind, advice = "bad-manifest", "Correct the file."
    elif isinstance(error, WithdrawnData):
        kind, advice = "withdrawn", "Use another data set."
    elif not source.exists():
        kind, advice = "no-folder", "Check the spelling of the path, and where it starts from."
    elif has_market_folders(source):
        raise error
    empty: dict[str, SplitCounts] = {name: SplitCounts.of([]) for name in SPLITS}
    return Diagnosis(empty, findings=[Finding("error", kind, str(error), advice)], decoded=decode)


def _parts(data: ReidData) -> dict[str, Split]:
    """The three splits, and what the data set brings besides."""
    parts: dict[str, Split] = {name: data.split(name) for name in SPLITS}
    extra = {"distractors": data.distractors, "multi_query": data.multi_query}
    return parts | {name: samples for name, samples in extra.items() if samples}


def _without(data: ReidData, unreadable: Mapping[str, str]) -> ReidData:
    query, gallery = (readable(split, unreadable) for split in (data.query, data.gallery))
    return replace(data, query=query, gallery=gallery)


def _attribute_findings(data: ReidData) -> Iterable[Finding]:
    table = data.root / ATTRIBUTE_FILE
    if not table.is_file() or not has_market_folders(data.root):
        return  # nothing else reads it
    try:
        described = read_attributes(table)
    except SwiftReIDError as error:
        yield Finding("error", "attributes", str(error), f"Correct {ATTRIBUTE_FILE} or remove it.")
        return
    described_data = with_attributes(data, described)
    if why := unusable([*described_data.train, *described_data.query, *described_data.gallery]):
        advice = "Correct it: until then no attributes are learned or measured. Rank-1 and mAP do not need them."
        yield Finding("warning", "attributes-unusable", f"{ATTRIBUTE_FILE}: {why}", advice)
    missing = sorted(people(data.train + data.query + data.gallery) - set(described))
    if missing:
        message = f"{ATTRIBUTE_FILE} has no row for {count(len(missing), 'person', 'people')}"
        yield Finding(
            "note", "attributes-missing", message, f"Add rows if they are known ({some(map(data.called, missing))})."
        )


def _decode_all(data: ReidData, progress: Progress) -> dict[str, str]:
    paths = list(dict.fromkeys(sample.path for samples in _parts(data).values() for sample in samples))
    paths += data.unparsable
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    unreadable: dict[str, str] = {}
    done = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="doctor") as pool:
        try:
            for chunk, bad in zip(chunks, pool.map(_bad_in, chunks), strict=True):
                unreadable.update(bad)
                done += len(chunk)
                progress("decoding", done, len(paths))
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
