"""MSMT17: 4,101 people by 15 cameras, in four list files beside two folders of pictures."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from swiftreid.data.listing import Present, missing_note
from swiftreid.data.samples import ReidData, Sample, Split, SplitName
from swiftreid.errors import SwiftReIDError, UsageError

Version = Literal["v1", "v2"]
TrainChoice = Literal["train+val", "train"]

FOLDERS: dict[Version, tuple[str, str]] = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}
"""Folder names of the training and the test pictures; in version 2 faces are masked."""

LISTS = {name: f"list_{name}.txt" for name in ("train", "val", "query", "gallery")}

TRAIN_PEOPLE = 1041
"""Training people are 0000 to 1040 in the files, and test people start at 0000 again."""


def read_msmt17(
    root: Path | str,
    version: Version,
    *,
    train: TrainChoice = "train+val",
    need: Collection[SplitName] = ("query", "gallery"),
) -> ReidData:
    """Read MSMT17 (Wei et al., CVPR 2018) by its list files; the camera is the third part of a picture's name.

    The files number training and test people both from 0, though they are different people, and 0 means distractor
    elsewhere. Here training person p becomes p + 1 (1 to 1,041) and test person p becomes p + 1,042 (1,042 to 4,101).

    Args:
        root: the folder that holds the list files, or the one above it (``MSMT17_V1`` or ``MSMT17_V2`` inside).
        version: "v1" (folders ``train`` and ``test``) or "v2" (``mask_train_v2`` and ``mask_test_v2``).
        train: "train+val" (32,621 pictures, what most papers train on) or "train" (30,248); stated in the notes.
        need: splits whose list and pictures must be there.

    Raises:
        SwiftReIDError: a list or a folder is missing, a line cannot be understood, or no listed picture is there.
    """
    if train not in ("train+val", "train"):
        raise UsageError(f"train is {train!r}, but must be 'train+val' or 'train'")
    inner = version_folder(Path(root), version)
    if inner is None:
        raise SwiftReIDError(_nothing(Path(root), version))
    root = inner
    name = f"msmt17-{version}"
    data = ReidData(name, root, published=name)
    learning, testing = (Present(root / folder) for folder in FOLDERS[version])
    lists = ["train", "val"] if train == "train+val" else ["train"]
    absent = [LISTS[part] for part in lists if not (root / LISTS[part]).is_file()]
    if absent and "train" in need:
        raise SwiftReIDError(f"{root} has no {' and no '.join(absent)}; fetch the data set's list files again")
    parts = [part for part in lists if LISTS[part] not in absent]
    for part in parts:
        data.train.extend(_read_list(root / LISTS[part], learning, 1, below=TRAIN_PEOPLE))
    for part, samples in (("query", data.query), ("gallery", data.gallery)):
        if (root / LISTS[part]).is_file():
            samples.extend(_read_list(root / LISTS[part], testing, 1 + TRAIN_PEOPLE))
        elif part in need:
            raise SwiftReIDError(f"{root} has no {LISTS[part]}; fetch the data set's list files again")
    for split in need:
        if not data.split(split):
            folder = (learning if split == "train" else testing).folder
            raise SwiftReIDError(f"none of the pictures that the {split} list names is in {folder}; fetch them again")
    data.missing.extend([*learning.missing, *testing.missing])
    used = " and ".join(LISTS[part] for part in parts) or "empty"
    data.notes.append(f"train is {used} ({len(data.train):,} pictures)")
    if absent:
        data.notes.append(f"missing: {' and '.join(absent)}")
    data.notes.append("training and test people are numbered apart: p + 1 and p + 1,042 of the files' numbers")
    data.notes.extend(missing_note(data.missing, "the list files"))
    return data


def version_folder(root: Path, version: Version) -> Path | None:
    """The folder in or at ``root`` that holds this version's lists and pictures."""
    places = [root, root / f"MSMT17_{version.upper()}", root / f"msmt17_{version}", root / "MSMT17", root / "msmt17"]
    for place in places:
        if any((place / name).is_file() for name in LISTS.values()) and any(
            (place / folder).is_dir() for folder in FOLDERS[version]
        ):
            return place
    return None


def parse_line(line: str) -> tuple[str, int, int]:
    """Path, person and camera of one line of a list file.

    Example:
        >>> parse_line("0000/0000_008_01_0303morning_0019_2.jpg 0")
        ('0000/0000_008_01_0303morning_0019_2.jpg', 0, 1)
    """
    path, person = line.rsplit(maxsplit=1)
    return path, int(person), int(path.rsplit("/", 1)[-1].split("_")[2])


def _read_list(source: Path, present: Present, offset: int, below: int | None = None) -> Split:
    try:
        lines = source.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SwiftReIDError(f"list file {source} cannot be read: {error}") from error
    samples: Split = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            listed, person, camera = parse_line(line)
        except (ValueError, IndexError):
            raise SwiftReIDError(
                f"{source} line {number} is {line!r}; expected a picture and its person, such as "
                "0000/0000_008_01_0303morning_0019_2.jpg 0, with the camera third in the picture's name"
            ) from None
        if person < 0 or (below is not None and person >= below):
            raise SwiftReIDError(
                f"{source} line {number}: person {person} is not one of 0 to {(below or 10**9) - 1}; "
                "give the data set's own lists"
            )
        if listed in seen:
            again = f"lists {listed} again (line {seen[listed]}); remove one of them"
            raise SwiftReIDError(f"{source} line {number} {again}")
        seen[listed] = number
        path = present.find(listed)
        if path is not None:
            samples.append(Sample(path, person + offset, camera))
    return samples


def _nothing(root: Path, version: Version) -> str:
    learning, testing = FOLDERS[version]
    return (
        f"no MSMT17 {version} at {root}; looked there and in MSMT17_{version.upper()} for {', '.join(LISTS.values())} "
        f"beside the folders {learning} and {testing}"
    )
