"""Files: missing, unreadable, without a person in their name, and the same picture more than once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from swiftreid.data.doctor.diagnosis import Finding, Severity
from swiftreid.data.doctor.duplicates import find_duplicates
from swiftreid.data.doctor.words import PURPOSE, count, has_market_folders, place_of, some
from swiftreid.data.market import FOLDERS
from swiftreid.data.msmt17 import LISTS
from swiftreid.data.pictures import PICTURE_SUFFIXES
from swiftreid.data.samples import SPLITS, NumberedSample, ReidData, Split, SplitName

Group = list[tuple[str, NumberedSample]]
"""Samples of the same content, each with its split's name."""


def empty_findings(data: ReidData) -> Iterable[Finding]:
    """Splits that hold nothing."""
    for name in SPLITS:
        if data.split(name):
            continue
        message, advice = _why_empty(data, name)
        if name == "train" and data.undivided:
            message = "there are no splits: evaluation takes every picture for a query and for the gallery"
            advice = (
                "`swiftreid train`, `hash` and `calibrate` learn from every picture too: measure what they make on "
                "other people."
            )
        elif name == "train":
            advice = f"Evaluation does without; `swiftreid train`, `hash` and `calibrate` need it. {advice}"
        yield Finding("note" if name == "train" else "error", f"no-{name}", message, advice.rstrip())


def _why_empty(data: ReidData, name: SplitName) -> tuple[str, str]:
    purpose = f"so there is nothing to {PURPOSE[name]}"
    if not has_market_folders(data.root):
        advice = f"Folders {name}/PERSON may stand beside the others." if (data.root / "gallery").is_dir() else ""
        return f"the split {name} holds no picture, {purpose}", advice
    folder = data.root / FOLDERS[name]
    if not folder.is_dir():
        advice = f"Make it, with pictures such as {folder.name}/0844_c3s2_107328_01.jpg."
        return f"there is no folder {folder.name}, {purpose}", advice
    if any(path.parent == folder for path in data.unparsable):
        return (
            f"no picture in {folder.name} has a name that states person and camera",
            "Rename them to PERSON_cCAMERA..., such as 0844_c3s2_107328_01.jpg.",
        )
    deeper = any(path.suffix.lower() in PICTURE_SUFFIXES for path in folder.glob("*/*"))
    advice = "Its subfolders hold some: move them up." if deeper else "Put pictures into it."
    return f"the folder {folder.name} holds no picture, {purpose}", advice


def name_findings(data: ReidData) -> Iterable[Finding]:
    """Pictures left out, as nothing states who they show."""
    if data.unparsable:
        names = some([path.name for path in data.unparsable])
        message = (
            f"{count(len(data.unparsable), 'picture')} left out, as their names state no person and camera ({names})"
        )
        advice = "Name them PERSON_cCAMERA..., such as 0844_c3s2_107328_01.jpg, if they belong to the data set."
        yield Finding("warning", "unparsable", message, advice)


def missing_findings(data: ReidData) -> Iterable[Finding]:
    """Lists that are not there, and listed pictures that are not."""
    if data.published is not None and data.published.startswith("msmt17"):
        for part, file in LISTS.items():
            if not (data.root / file).is_file():
                severity: Severity = "error" if part in ("query", "gallery") else "warning"
                message = f"the list file {file} is missing, so its pictures are in no split"
                yield Finding(severity, "missing-list", message, "Fetch the data set's list files again.")
    if data.missing:
        message = (
            f"listed pictures that do not exist are left out: {count(len(data.missing), 'picture')} "
            f"({some(path.name for path in data.missing)})"
        )
        yield Finding("warning", "missing-pictures", message, "Fetch them again; figures would cover fewer pictures.")


def unreadable_findings(data: ReidData, unreadable: Mapping[str, str]) -> Iterable[Finding]:
    """Pictures that cannot be decoded, and splits that hold no other."""
    if not unreadable:
        return
    examples = some([f"{Path(name).name}: {reason}" for name, reason in unreadable.items()], "; ")
    message = f"{count(len(unreadable), 'picture')} cannot be read ({examples})"
    yield Finding("warning", "unreadable", message, "Fetch them again or remove them; they are skipped.")
    for name in SPLITS:
        if data.split(name) and not readable(data.split(name), unreadable):
            message = f"no picture in {place_of(data, name)} can be read, so there is nothing to {PURPOSE[name]}"
            severity: Severity = "warning" if name == "train" else "error"
            yield Finding(severity, f"no-{name}", message, "Fetch the data set again.")


def readable(samples: Split, unreadable: Mapping[str, str]) -> Split:
    """The samples with readable pictures."""
    return [sample for sample in samples if str(sample.path) not in unreadable]


def duplicate_groups(data: ReidData) -> list[Group]:
    """Samples with files of the same content, of all splits together; see `duplicate_findings`."""
    return find_duplicates({sample.path: (name, sample) for name in SPLITS for sample in data.split(name)})


def duplicate_findings(data: ReidData, groups: list[Group]) -> Iterable[Finding]:
    """What it means that the same picture is there more than once."""
    leaks, torn = leaks_of(groups), torn_of(groups)
    if leaks:
        message = f"training and test share pictures, byte for byte: {count(len(leaks), 'picture')}"
        advice = f"Remove them from {place_of(data, 'train')} ({some(group[0][1].path.name for group in leaks)})."
        yield Finding("warning", "train-test-duplicates", message, advice)
    if torn:
        message = f"the same picture, byte for byte, under several persons or cameras: {count(len(torn), 'picture')}"
        examples = some(
            " = ".join(f"{sample.path.parent.name}/{sample.path.name}" for _, sample in group[:2]) for group in torn
        )
        yield Finding("warning", "torn-duplicates", message, f"Find out which name is right ({examples}).")
    reported = {id(group) for group in [*leaks, *torn]}
    other_groups = [group for group in groups if id(group) not in reported]
    if copied := [group for group in other_groups if {"query", "gallery"} <= {name for name, _ in group}]:
        message = (
            "queries are in the gallery too, byte for byte, for the same person and camera: "
            f"{count(len(copied), 'picture')}"
        )
        names = some(group[0][1].path.name for group in copied)
        if data.cross_camera:
            advice = (
                "Cross-camera evaluation ignores them. Remove them before one without cameras, where they would be "
                f"found first and count as right ({names})."
            )
            yield Finding("note", "query-in-gallery", message, advice)
        else:
            advice = f"Remove them: without cameras they are found first and count as right ({names})."
            yield Finding("warning", "query-in-gallery", message, advice)
    if repeated := len(other_groups) - len(copied):
        others = [group for group in other_groups if not any(group is other for other in copied)]
        examples = some(" = ".join(sample.path.name for _, sample in group[:2]) for group in others)
        message = (
            f"the same picture, byte for byte, more than once for one person and camera: {count(repeated, 'picture')} "
            f"({examples})"
        )
        yield Finding("note", "duplicates", message)


def leaks_of(groups: list[Group]) -> list[Group]:
    """Pictures that both training and test hold."""
    return [group for group in groups if len({name == "train" for name, _ in group}) > 1]


def torn_of(groups: list[Group]) -> list[Group]:
    """Pictures under several persons or cameras."""
    return [group for group in groups if len({(sample.person, sample.camera) for _, sample in group}) > 1]
