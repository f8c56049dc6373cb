"""Numbers for people and cameras that a data set names in words, and for a person 0 who is somebody."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from swiftreid.data.samples import DISTRACTOR, JUNK, ReidData

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


def notes_on_names(what: str, numbers: Mapping[str, int]) -> list[str]:
    """What people should know of names that were numbered: the order, and names that may be meant to be one.

    Args:
        what: "people" or "cameras".
        numbers: what `number_persons` or `number_cameras` gave.

    Example:
        >>> notes_on_names("people", {"Mia": 1, "mia": 2})
        ['people are numbered 1 to 2 in the order of their names', "'Mia' and 'mia' count as two people"]
    """
    if all(_whole(name) == number for name, number in numbers.items()):
        return []
    notes = [f"{what} are numbered 1 to {max(numbers.values())} in the order of their names"]
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(numbers):
        alike["".join(unicodedata.normalize("NFKC", name).casefold().split())].append(name)
    twins = [names for names in alike.values() if len(names) > 1]
    notes += [f"{names[0]!r} and {names[1]!r} count as two {what}" for names in twins[:_SHOWN_TWINS]]
    if len(twins) > _SHOWN_TWINS:
        notes.append(f"{len(twins) - _SHOWN_TWINS} more pairs of nearly equal names count as two {what} each")
    return notes


def free_person_zero(data: ReidData) -> ReidData:
    """Give person 0 another number where it is somebody: taught or looked for, and not only a wrong answer.

    Market-1501 keeps 0 for distractors, but people often count from 0 in their own data. A person 0 in the training
    split or among the queries is a person; it becomes the highest number plus one, and a note says so.
    """
    if not any(sample.person == DISTRACTOR for sample in data.train + data.query):
        return data
    new = 1 + max(sample.person for sample in data.train + data.query + data.gallery + data.multi_query)

    moved = data.changed(lambda s: replace(s, person=new) if s.person == DISTRACTOR else s)
    told = f"person 0 is somebody here and is numbered {new}, as 0 stands for distractors"
    return replace(moved, notes=[*data.notes, told])
