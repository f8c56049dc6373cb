"""Answers about pairs of pictures: a CSV file that is written as they come, and read by what learns from them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from swiftreid.clustering.two_stage import KnownPairs
from swiftreid.data.table_file import read_table
from swiftreid.durable import PRIVATE_FILE, save_bytes
from swiftreid.errors import UsageError

COLUMNS: Final = ("one", "other", "same")
_SAME: Final = {"yes": True, "no": False}


@dataclass(frozen=True)
class PairAnswer:
    """Whether two pictures show one person.

    Attributes:
        one: id of a picture.
        other: id of another.
        same: whether they do.
    """

    one: str
    other: str
    same: bool


def load_answers(path: Path) -> list[PairAnswer]:
    """Read a file of answers; of several about one pair the last counts.

    Args:
        path: CSV with the columns ``one``, ``other`` and ``same``, which is ``yes`` or ``no``.

    Raises:
        UsageError: a column is missing, or a line is no answer; the message names it.
        SwiftReIDError: the file cannot be read.
    """
    columns, rows = read_table(path, called="file of answers")
    if not {*COLUMNS} <= {*columns}:
        raise UsageError(
            f"{path} needs a header line with the columns {', '.join(COLUMNS)}; it has {columns or 'none'}"
        )
    found: dict[tuple[str, str], PairAnswer] = {}
    for line, row in rows:
        one, other, same = (row[name] for name in COLUMNS)
        if not one or not other or one == other or same not in _SAME:
            raise UsageError(
                f"{path}, line {line}: give two different ids, and yes or no; got {one!r}, {other!r}, {same!r}"
            )
        pair = (min(one, other), max(one, other))
        found.pop(pair, None)
        found[pair] = PairAnswer(one, other, _SAME[same])
    return list(found.values())


def save_answers(path: Path, answers: Sequence[PairAnswer]) -> None:
    """Write a file of answers, whole and durable; its owner alone may read it.

    Raises:
        SwiftReIDError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((answer.one, answer.other, "yes" if answer.same else "no") for answer in answers)
    save_bytes(path, text.getvalue().encode(), mode=PRIVATE_FILE)


def known_pairs(answers: Sequence[PairAnswer], ids: Sequence[str]) -> KnownPairs:
    """Answers as pairs of places in a list of pictures; those about other pictures are left out.

    Example:
        >>> known_pairs([PairAnswer("b", "a", True), PairAnswer("a", "x", False)], ["a", "b"]).together.tolist()
        [[1, 0]]
    """
    places = {name: place for place, name in enumerate(ids)}
    found: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for answer in answers:
        if answer.one in places and answer.other in places:
            found[answer.same].append((places[answer.one], places[answer.other]))
    together, apart = (np.array(found[same], np.int64).reshape(-1, 2) for same in (True, False))
    return KnownPairs(together, apart)
