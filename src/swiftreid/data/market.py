"""The Market-1501 folder layout, which most re-identification data sets can be had in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from swiftreid.data.attributes import ATTRIBUTE_FILE, read_attributes
from swiftreid.data.listing import has_pictures, pictures_in, unread_doubts, unread_in
from swiftreid.data.samples import DISTRACTOR, SPLITS, ReidData, Sample, Split, SplitName
from swiftreid.errors import SwiftReIDError

FOLDERS: Mapping[SplitName, str] = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}

MULTI_QUERY_FOLDER = "gt_bbox"

DISTRACTOR_FOLDERS = ("images", "distractors_500k/images", "distractors_500k", "distractors/images", "distractors")

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
    root: Path | str,
    *,
    need: Collection[SplitName] = ("query", "gallery"),
    attributes: bool = True,
    distractors: bool | Path = False,
) -> ReidData:
    """Read a data set in the Market-1501 layout; pictures are listed, not opened.

    Junk (person -1) and distractors (person 0) are kept as they are; the protocol decides about them. A file
    ``attributes.csv`` beside the folders gives each sample the attributes of its person. Hidden files are ignored, and
    pictures with names that cannot be parsed are listed in ``ReidData.unparsable``.

    A folder ``gt_bbox`` becomes ``ReidData.multi_query``: its pictures of a queried person by the camera of that query,
    which the multi-query protocol pools with it (Zheng et al., ICCV 2015).

    Args:
        root: the folder that holds ``bounding_box_train``, ``query`` and ``bounding_box_test``.
        need: the splits whose folders must exist; others are empty when their folder is missing.
        attributes: whether to read ``attributes.csv``, if there is one.
        distractors: also list Market-1501's 500,000 further distractors: True to look for their folder (`images`,
            `distractors_500k/images` and the like, in ``root`` or beside it), or the folder itself.

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
    queried = {(sample.person, sample.camera) for sample in splits["query"]}
    drawn = _read_folder(root / MULTI_QUERY_FOLDER, people, unparsable)
    data = ReidData(root.resolve().name, root, splits["train"], splits["query"], splits["gallery"], unparsable)
    data.multi_query.extend(sample for sample in drawn if (sample.person, sample.camera) in queried)
    there = [root / folder for folder in FOLDERS.values() if (root / folder).is_dir()]
    unread = [path for folder in there for path in unread_in(folder, name=parse_name)]
    advice = f"Put pictures directly into {', '.join(FOLDERS.values())}, as JPEG, PNG or another common format."
    data.doubts.extend(unread_doubts(unread, root, advice))
    if distractors is not False:
        data.distractors.extend(_read_distractors(distractors_of(root) if distractors is True else distractors))
    return data


def distractors_of(root: Path) -> Path:
    """The folder of Market-1501's 500,000 further distractors, in or beside a data set's folder.

    Raises:
        SwiftReIDError: none of the customary places holds one; the message names them.
    """
    if (inside := distractors_inside(root)) is not None:
        return inside
    places = [root.resolve().parent / place for place in DISTRACTOR_FOLDERS]
    for place in places:
        if has_pictures(place):
            return place
    places = [*(root / place for place in DISTRACTOR_FOLDERS), *places]
    raise SwiftReIDError(
        f"no 500,000 distractors at {root}; looked for pictures in {', '.join(map(str, places))}: unpack "
        "distractors_500k.zip there, which makes a folder images, or name that folder in SWIFTREID_MARKET1501_500K"
    )


def distractors_inside(root: Path) -> Path | None:
    """The folder of further distractors in a data set's folder; None if there is none."""
    return next((root / place for place in DISTRACTOR_FOLDERS if has_pictures(root / place)), None)


def _read_distractors(folder: Path) -> Split:
    """Every picture is a distractor (person 0), whatever number its name states.

    The junk rule drops gallery pictures of the query's own person and camera, and person 0 is never queried: the camera
    of a distractor cannot change a figure, so one whose name states none gets camera 0 and is kept. A name's -1 or
    other number does not count: the published gallery of 515,913 holds all of them, and none shows anybody queried.
    """
    parsed = ((path, parse_name(path.stem)) for path in pictures_in(folder))
    return [Sample(path, DISTRACTOR, name[1] if name else 0) for path, name in parsed]


def _read_folder(folder: Path, attributes: Mapping[int, Mapping[str, str]], unparsable: list[Path]) -> Split:
    if not folder.is_dir():
        return []
    samples: Split = []
    for path in pictures_in(folder):
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
        there = [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        there = []
    inner = [path for path in there if (path / FOLDERS["query"]).is_dir()]
    others = [path.name for path in there if path.name not in FOLDERS.values()]
    if others and not inner:
        return f"{message}. There are the folders {', '.join(others[:6])}: rename those that are meant"
    return f"{message}. Did you mean {inner[0]}?" if inner else message
