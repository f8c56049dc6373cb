"""The Market-1501 folder layout, which most re-identification data sets can be had in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from swiftreid.data.attributes import ATTRIBUTE_FILE, read_attributes
from swiftreid.data.pictures import PICTURE_SUFFIXES
from swiftreid.data.samples import SPLITS, ReidData, Sample, Split, SplitName
from swiftreid.errors import SwiftReIDError

FOLDERS: Mapping[SplitName, str] = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}

LAYOUT = (
    "expected the Market-1501 layout: folders bounding_box_train (to learn), query and bounding_box_test (to "
    "evaluate), with pictures named PERSON_cCAMERA..., such as 0844_c3s2_107328_01.jpg or 0001_c1_00.jpg"
)

_NAME = re.compile(r"(-1|\d{1,15})_c(\d{1,9})(?!\d)", re.ASCII)


def parse_name(stem: str) -> tuple[int, int] | None:
    """Person and camera that a file name states, or None if it states none.

    Example:
        >>> parse_name("0844_c3s2_107328_01")
        (844, 3)
        >>> parse_name("-1_c1s1_000401_03")
        (-1, 1)
    """
    match = _NAME.match(stem)
    return (int(match[1]), int(match[2])) if match else None


def read_market(
    root: Path | str, *, need: Collection[SplitName] = ("query", "gallery"), attributes: bool = True
) -> ReidData:
    """Read a data set in the Market-1501 layout; pictures are listed, not opened.

    Junk (person -1) and distractors (person 0) are kept as they are; the protocol decides about them. A file
    ``attributes.csv`` beside the folders gives each sample the attributes of its person. Hidden files are ignored, and
    pictures whose names cannot be understood are listed in ``ReidData.unparsable``.

    Args:
        root: the folder that holds ``bounding_box_train``, ``query`` and ``bounding_box_test``.
        need: the splits whose folders must exist; others are empty when their folder is missing.
        attributes: whether to read ``attributes.csv``, if there is one.

    Raises:
        SwiftReIDError: a needed folder is missing or cannot be listed; the message says what layout is expected.
    """
    root = Path(root)
    missing = [FOLDERS[name] for name in SPLITS if name in need and not (root / FOLDERS[name]).is_dir()]
    if missing or not any((root / folder).is_dir() for folder in FOLDERS.values()):
        raise SwiftReIDError(_missing(root, missing or list(FOLDERS.values())))
    table = root / ATTRIBUTE_FILE
    people = read_attributes(table) if attributes and table.is_file() else {}
    unparsable: list[Path] = []
    splits = {name: _read_folder(root / FOLDERS[name], people, unparsable) for name in SPLITS}
    return ReidData(root.resolve().name, root, splits["train"], splits["query"], splits["gallery"], unparsable)


def _read_folder(folder: Path, attributes: Mapping[int, Mapping[str, str]], unparsable: list[Path]) -> Split:
    if not folder.is_dir():
        return []
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    except OSError as error:
        raise SwiftReIDError(f"folder {folder} cannot be listed: {error.strerror}; check its permissions") from error
    samples: Split = []
    for path in paths:
        if path.name.startswith("."):
            continue
        parsed = parse_name(path.stem)
        if parsed is None:
            unparsable.append(path)
        else:
            samples.append(Sample(path, *parsed, attributes=attributes.get(parsed[0])))
    return samples


def _missing(root: Path, folders: list[str]) -> str:
    if not root.exists():
        return f"data folder {root} does not exist; {LAYOUT}"
    if not root.is_dir():
        return f"{root} is a file, not a data folder; {LAYOUT}"
    message = f"data folder {root} has no {' and no '.join(folders)}; {LAYOUT}"
    try:
        inner = [path for path in sorted(root.iterdir()) if (path / FOLDERS["query"]).is_dir()]
    except OSError:
        inner = []
    return f"{message}. Did you mean {inner[0]}?" if inner else message
