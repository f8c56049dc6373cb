"""Manifests: a table that lists pictures, who they show, and what else is known."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from swiftreid.data.folders import NO_CAMERAS, ask_about_all, without_one_camera
from swiftreid.data.listing import Present, missing_note
from swiftreid.data.market import parse_name
from swiftreid.data.numbering import (
    doubts_on_names,
    free_person_zero,
    names_of,
    notes_on_names,
    number_cameras,
    number_persons,
    numbered,
)
from swiftreid.data.samples import SPLITS, NamedSample, ReidData, Sample, Split, SplitName
from swiftreid.data.table_file import Rows, read_table
from swiftreid.data.times import seconds
from swiftreid.errors import SwiftReIDError, UsageError

COLUMNS = ("path", "person", "camera", "split", "time", "track")

SPLIT_NAMES = (*SPLITS, "distractors", "multi_query")

LAYOUT = (
    "a manifest has a header with the columns path and person, and may have camera, split (train, query or gallery), "
    "time and track; every other column is an attribute"
)


def read_manifest(
    manifest: Path | str, *, root: Path | str | None = None, need: Collection[SplitName] = ("query", "gallery")
) -> ReidData:
    """Read a data set that a CSV or Parquet file lists.

    Columns: ``path`` (relative to ``root``), ``person`` (a number or a name; -1 is junk), and optionally ``camera``,
    ``split`` (train, query, gallery; also distractors and multi_query), ``time`` (Unix seconds or ISO 8601) and
    ``track`` (name of the track that the picture is of). Every other column becomes an attribute where its cell is not
    empty. Without ``person`` or ``camera``, file names in
    Market-1501's way serve if all state them. Without cameras ``cross_camera`` is False; without ``split`` every
    picture is a query against all others, or for training if only that is needed.

    Args:
        manifest: the file; its suffix gives the format (.csv, .parquet).
        root: folder that the paths start from; default the manifest's own.
        need: the splits that must hold pictures.

    Raises:
        SwiftReIDError: the file cannot be read, no listed picture exists, or a needed split is empty.
        UsageError: a column or cell is missing or cannot be understood; the message names the line.
    """
    manifest = Path(manifest)
    columns, rows = read_table(manifest)
    _check(manifest, columns, rows)
    folder = manifest.parent if root is None else Path(root)
    if any(Path(row["path"]).is_absolute() for _, row in rows):  # then all are: they need one root
        folder = Path(os.path.abspath(folder))  # noqa: PTH100 (links stay as they are)
    present = Present(folder)
    persons = _column("person", manifest, columns, rows)
    if persons is None or (blank := [line for (line, _), cell in zip(rows, persons, strict=True) if not cell]):
        where = f"{manifest} line {blank[0]} has no person" if persons else f"{manifest} has no column 'person'"
        raise UsageError(f"{where}; write -1 for junk, or 0 for a distractor; {LAYOUT}")
    cameras = _column("camera", manifest, columns, rows)
    person_numbers = number_persons(persons)
    camera_numbers = {} if cameras is None else number_cameras(cameras)
    notes = _notes(person_numbers, camera_numbers, cameras)
    data = ReidData(
        manifest.stem,
        _root_of(folder, rows),
        cross_camera=cameras is not None,
        notes=notes,
        person_names=names_of(person_numbers),
        camera_names=names_of(camera_numbers),
    )
    splits = _splits(manifest, columns, rows, need)
    homes: dict[str, Split] = {name: data.split(name) for name in SPLITS}
    homes |= {"distractors": data.distractors, "multi_query": data.multi_query}
    for position, (line, row) in enumerate(rows):
        path = present.find(row["path"])
        if path is None:
            continue
        sample: NamedSample = Sample(
            path,
            persons[position],
            None if cameras is None else cameras[position],
            seconds(row["time"], f"{manifest} line {line}") if row.get("time") else None,
            {name: cell for name, cell in row.items() if name not in COLUMNS and cell} or None,
            tracklet=row.get("track") or None,
        )
        homes[splits[position]].append(numbered(sample, person_numbers, camera_numbers))
    data.doubts.extend([*doubts_on_names("people", person_numbers), *doubts_on_names("cameras", camera_numbers)])
    data.missing.extend(present.missing)
    data.notes.extend(missing_note(present.missing, manifest.name))
    if len(present.missing) == len(rows):
        raise SwiftReIDError(
            f"none of the {len(rows):,} pictures in {manifest} exists, the first would be {present.missing[0]}; paths "
            "start from the manifest's folder unless another root is given"
            + (", and have / between folders, not \\" if "\\" in rows[0][1]["path"] else "")
        )
    data = free_person_zero(data)
    data = without_one_camera(data)
    if "split" not in columns and data.query:
        ask_about_all(data)
    if empty := [split for split in SPLITS if split in need and not data.split(split)]:
        raise SwiftReIDError(f"{manifest} lists no existing picture with the split {' or '.join(empty)}; {LAYOUT}")
    return data


def _check(manifest: Path, columns: list[str], rows: Rows) -> None:
    if (misspelt := next((name for name in columns if name.strip().lower() == "path" != name), None)) is not None:
        raise UsageError(f"{manifest} has the column {misspelt!r}: names of columns are in lower case, without spaces")
    if "path" not in columns:
        raise UsageError(
            f"{manifest} needs a header line with a column 'path'; it has {columns or 'nothing'}; {LAYOUT}"
        )
    if repeated := [name for name, count in Counter(columns).items() if count > 1 or not name.strip()]:
        raise UsageError(f"{manifest} has the column {repeated[0]!r} twice or without a name; rename it")
    if not rows:
        raise UsageError(f"{manifest} lists no picture; {LAYOUT}")
    seen: dict[str, int] = {}
    for line, row in rows:
        if not row["path"]:
            raise UsageError(f"{manifest} line {line} has no path")
        key = f"{os.path.normpath(row['path'])}\n{row.get('split', '')}"
        if key in seen:
            raise UsageError(f"{manifest} line {line} lists {row['path']} again (line {seen[key]}); remove one of them")
        seen[key] = line


def _column(name: str, manifest: Path, columns: list[str], rows: Rows) -> list[str] | None:
    """The cells of ``person`` or ``camera``, or what the pictures' names state; None if neither has it for all."""
    cells = [row.get(name, "").strip() for _, row in rows]
    if name in columns and any(cells):
        blank = [line for (line, _), cell in zip(rows, cells, strict=True) if not cell]
        if blank:
            raise UsageError(
                f"{manifest} line {blank[0]} has no {name}, but others have one; fill the column in"
                + (" (-1 for junk)" if name == "person" else ", or remove it to evaluate without cameras")
            )
        return cells
    parsed = [parse_name(Path(row["path"]).stem) for _, row in rows]
    stated = [str(found[name == "camera"]) for found in parsed if found is not None]
    return stated if len(stated) == len(rows) else None


def _splits(manifest: Path, columns: list[str], rows: Rows, need: Collection[SplitName]) -> list[str]:
    if "split" not in columns:
        return ["query" if "query" in need or "gallery" in need else "train"] * len(rows)
    for line, row in rows:
        if row["split"].strip().lower() not in SPLIT_NAMES:
            raise UsageError(
                f"{manifest} line {line} has the split {row['split']!r}; write one of {', '.join(SPLIT_NAMES)}, or "
                "remove the column to make every picture a query against all others"
            )
    return [row["split"].strip().lower() for _, row in rows]


def _notes(persons: Mapping[str, int], cameras: Mapping[str, int], known: list[str] | None) -> list[str]:
    notes = notes_on_names("people", persons) + notes_on_names("cameras", cameras)
    return [*notes, NO_CAMERAS] if known is None else notes


def _root_of(folder: Path, rows: Rows) -> Path:
    """The folder, or what all pictures have in common where some lie outside of it."""
    paths = (Path(row["path"]) for _, row in rows)
    outside = [path for path in paths if path.is_absolute() and not path.is_relative_to(folder)]
    return Path(os.path.commonpath([folder, *(path.parent for path in outside)])) if outside else folder
