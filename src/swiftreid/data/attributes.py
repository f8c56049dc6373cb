"""Attribute files: one row per person, columns bound by name and never by position."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from swiftreid.errors import SwiftReIDError

ATTRIBUTE_FILE = "attributes.csv"


def read_attributes(source: Path) -> Mapping[int, Mapping[str, str]]:
    """Read an ``attributes.csv``: person id -> attribute name -> value, both as text.

    The first column is ``person``; each other column is one attribute. Columns may come in any order from file to file
    (Market-1501's own attributes do between train and test), so values are bound by the column's name.

    Args:
        source: a UTF-8 CSV file.

    Raises:
        SwiftReIDError: the file cannot be read, or a row is short, long, repeated or without a person number.
    """
    try:
        with source.open(encoding="utf-8-sig", newline="") as lines:
            return _parse(csv.reader(lines, strict=True), source)
    except FileNotFoundError:
        raise SwiftReIDError(
            f"attribute file {source} does not exist; give a CSV file with a column 'person'"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SwiftReIDError(f"attribute file {source} cannot be read as UTF-8 CSV: {error}") from error


def _parse(rows: Iterator[list[str]], source: Path) -> dict[int, Mapping[str, str]]:
    header = [name.strip() for name in next(rows, [])]
    if not header or header[0] != "person":
        raise SwiftReIDError(
            f"attribute file {source} starts with the column {header[0] if header else ''!r}; "
            "its first line must name the columns, 'person' first, as in: person,gender,upper,lower"
        )
    names = header[1:]
    if len(set(names)) != len(names) or "" in names:
        raise SwiftReIDError(f"attribute file {source} has an empty or repeated column name in {names}; rename it")
    people: dict[int, Mapping[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        where = f"attribute file {source}, row {number}"
        if len(row) != len(header):
            raise SwiftReIDError(f"{where} has {len(row)} cells, the header has {len(header)}; fill in or remove cells")
        try:
            person = int(row[0])
        except ValueError:
            raise SwiftReIDError(
                f"{where}: person {row[0]!r} is not a whole number; give it as file names do"
            ) from None
        if person in people:
            raise SwiftReIDError(f"{where}: person {person} has a row already; keep one row per person")
        people[person] = dict(zip(names, (cell.strip() for cell in row[1:]), strict=True))
    return people
