"""Numbers for people and cameras that a data set names in words, and for a person 0 who is a real person."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.samples import DISTRACTOR, JUNK, Doubt, NamedSample, NumberedSample, ReidData, Sample
from swiftreid.errors import UsageError

_LONGEST = 15  # digits of a number that is taken as such
_SHOWN_TWINS = 3


def number_persons(labels: Iterable[str]) -> Mapping[str, int]:
    """A number for each person's name: the number it is, if all are whole numbers from -1 on, else 1, 2, ... in order.

    "-1" (junk) and "0" (distractors) keep their meaning among names.

    Example:
        >>> number_persons(["0012", "-1", "7"])["0012"]
        12
        >>> dict(number_persons(["mia", "jon"]))
        {'jon': 1, 'mia': 2}
        >>> number_persons(["mia", "-1", "0"])["-1"]
        -1
    """
    labels = set(labels)
    nobody = {label: int(label) for label in labels & {str(JUNK), str(DISTRACTOR)}}
    return {**_number(labels - set(nobody), JUNK), **nobody}


def number_cameras(labels: Iterable[str]) -> Mapping[str, int]:
    """A number for each camera's name: the number it is if all are whole numbers, else 1, 2, ... in order."""
    return _number(labels, 0)


def _number(labels: Iterable[str], least: int) -> Mapping[str, int]:
    names = sorted(set(labels))
    numbers = [_whole(name) for name in names]
    if all(number is not None and number >= least for number in numbers):
        return {name: number for name, number in zip(names, numbers, strict=True) if number is not None}
    return {name: number for number, name in enumerate(names, 1)}


def _whole(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST else None


def numbered(sample: NamedSample, persons: Mapping[str, int], cameras: Mapping[str, int]) -> NumberedSample:
    """The same sample with numbers in place of names.

    Args:
        sample: as a reader found it.
        persons: what `number_persons` gave.
        cameras: what `number_cameras` gave; empty gives every sample camera 0.

    Raises:
        UsageError: the sample names no person.

    Example:
        >>> from pathlib import Path
        >>> numbered(Sample(Path("a.jpg"), "mia", "door"), {"jon": 1, "mia": 2}, {"door": 5}).person
        2
    """
    if sample.person is None:
        raise UsageError(f"the person in {sample.path} is not known, so an evaluation cannot use the picture")
    camera = cameras[sample.camera] if cameras and sample.camera is not None else 0
    return Sample(
        sample.path,
        persons[sample.person],
        camera,
        sample.time,
        sample.attributes,
        sample.id,
        sample.tracklet,
        sample.frame,
    )


def numbers_of(names: Iterable[Hashable | None]) -> NDArray[np.int64]:
    """A number for each different name from 0, in the order of their first, int64 [n]; -1 for None.

    Example:
        >>> numbers_of(["b", None, "a", "b"]).tolist()
        [0, -1, 1, 0]
    """
    places: dict[Hashable, int] = {}
    return np.array([-1 if name is None else places.setdefault(name, len(places)) for name in names], np.int64)


def names_of(numbers: Mapping[str, int]) -> dict[int, str]:
    """Number -> name, without names that are the number itself."""
    return {number: name for name, number in numbers.items() if _whole(name) != number}


def notes_on_names(what: str, numbers: Mapping[str, int]) -> list[str]:
    """What people should know of names that were numbered.

    Args:
        what: "people" or "cameras".
        numbers: what `number_persons` or `number_cameras` gave.

    Example:
        >>> notes_on_names("people", {"mia": 2, "jon": 1})
        ['people are numbered 1 to 2 in the order of their names']
    """
    if all(_whole(name) == number for name, number in numbers.items()):
        return []
    return [f"{what} are numbered 1 to {max(numbers.values())} in the order of their names"]


def doubts_on_names(what: str, numbers: Mapping[str, int]) -> list[Doubt]:
    """Names that differ only in case, spaces or Unicode form, and may be meant to be one.

    Example:
        >>> doubts_on_names("people", {"Mia": 1, "mia": 2})[0].message
        "names that differ only in case, spaces or Unicode form count as different people: 'Mia' and 'mia'"
    """
    variants: dict[str, list[str]] = defaultdict(list)
    for name in sorted(numbers):
        variants["".join(unicodedata.normalize("NFKC", name).casefold().split())].append(name)
    twins = [names for names in variants.values() if len(names) > 1]
    if not twins or all(_whole(name) == number for name, number in numbers.items()):
        return []
    examples = ", ".join(f"{_spelt(a, b)} and {_spelt(b, a)}" for a, b, *_ in twins[:_SHOWN_TWINS])
    more = f", and {len(twins) - _SHOWN_TWINS} more" if len(twins) > _SHOWN_TWINS else ""
    return [
        Doubt(
            "near-equal-names",
            f"names that differ only in case, spaces or Unicode form count as different {what}: {examples}{more}",
            "Spell each name in one way, if they are the same.",
        )
    ]


def _spelt(name: str, other: str) -> str:
    """A name that people can distinguish from the other: escaped if both look the same."""
    looks_alike = unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other)
    return ascii(name) if looks_alike else repr(name)


def free_person_zero(data: ReidData) -> ReidData:
    """Give person 0 another number where it is a real person: in the training split or a query.

    Market-1501 keeps 0 for distractors, but people often count from 0 in their own data. A person 0 in the training
    split or among the queries is a person; it becomes the highest number plus one, and a note says so.
    """
    if not any(sample.person == DISTRACTOR for sample in data.train + data.query):
        return data
    new = 1 + max(sample.person for sample in data.train + data.query + data.gallery + data.multi_query)

    moved = data.changed(lambda s: replace(s, person=new) if s.person == DISTRACTOR else s)
    note = f"person 0 is a real person here and has the number {new}, because 0 means distractor"
    return replace(moved, notes=[*data.notes, note])
