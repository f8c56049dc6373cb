"""Rows of a table file as text by column name: CSV, or Parquet through pyarrow."""

from __future__ import annotations

import csv
from itertools import zip_longest
from pathlib import Path
from typing import Any

from swiftreid.errors import SwiftReIDError, UsageError

TABLE_SUFFIXES = (".csv", ".parquet", ".pq")

Rows = list[tuple[int, dict[str, str]]]


def read_table(source: Path, called: str = "manifest") -> tuple[list[str], Rows]:
    """Columns, and rows with the line (of a CSV file) or row number (of a Parquet file) to name in errors.

    A line of commas only is passed over: spreadsheets leave some at the end. Empty cells, and cells that a line lacks
    at its end, are empty text. Parquet's numbers, dates and booleans become text as a CSV file would hold them; 3.0
    becomes 3, since columns with gaps often turn into floats.

    Raises:
        SwiftReIDError: the file cannot be read, or the extra ``data`` is missing.
        UsageError: a line has more fields than the header, or fields are not separated by commas.
    """
    if source.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(source, called)
    try:
        with source.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            columns = next(reader, [])
            lines = [(reader.line_num, fields) for fields in reader if any(fields)]
    except FileNotFoundError as error:
        raise SwiftReIDError(f"no {called} at {source}") from error
    except csv.Error as error:
        raise SwiftReIDError(f"{source} line {reader.line_num} cannot be read as CSV: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SwiftReIDError(f"{source} is not a CSV file in UTF-8 ({error}): save it as 'CSV UTF-8'") from error
    if len(columns) == 1 and (other := next((mark for mark in ";\t|" if mark in columns[0]), None)):
        name = {";": "semicolons", "\t": "tabs", "|": "upright strokes"}[other]
        raise UsageError(f"{source} separates its fields with {name}: save it with commas")
    for line, fields in lines:
        if len(fields) > len(columns):
            raise UsageError(
                f"{source} line {line} has {len(fields)} fields, but the header {len(columns)}: put fields that hold "
                "commas in quotation marks"
            )
    return columns, [(line, dict(zip_longest(columns, fields, fillvalue=""))) for line, fields in lines]


def _read_parquet(source: Path, called: str) -> tuple[list[str], Rows]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise SwiftReIDError(
            f"{source} is a Parquet file, which needs pyarrow: pip install 'swiftreid[data]', or save it as CSV"
        ) from error
    try:
        table: Any = parquet.read_table(source)
    except FileNotFoundError as error:
        raise SwiftReIDError(f"no {called} at {source}") from error
    except (OSError, pyarrow.ArrowException) as error:
        raise SwiftReIDError(f"{source} cannot be read as a Parquet file: {error}") from error
    rows = [
        (number, {name: _text(value) for name, value in row.items()}) for number, row in enumerate(table.to_pylist(), 1)
    ]
    return list(table.column_names), rows


def _text(value: Any) -> str:
    if value is None or value != value:  # noqa: PLR0124 (NaN)
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
