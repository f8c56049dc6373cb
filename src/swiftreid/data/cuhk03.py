"""CUHK03 under its new protocol (CUHK03-NP): 767 people to train, 700 to test, with labelled or detected boxes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from swiftreid.data.listing import Present, has_pictures, missing_note
from swiftreid.data.market import FOLDERS, read_market
from swiftreid.data.matlab import load_mat, unwrap
from swiftreid.data.samples import SPLITS, ReidData, Sample, SplitName
from swiftreid.errors import SwiftReIDError

Boxes = Literal["labelled", "detected"]

SPELLINGS: dict[Boxes, tuple[str, ...]] = {"labelled": ("labeled", "labelled"), "detected": ("detected",)}

CONFIGS: dict[Boxes, str] = {
    "labelled": "cuhk03_new_protocol_config_labeled.mat",
    "detected": "cuhk03_new_protocol_config_detected.mat",
}

_INDICES: dict[SplitName, str] = {"train": "train_idx", "query": "query_idx", "gallery": "gallery_idx"}


def read_cuhk03(root: Path | str, boxes: Boxes, *, need: Collection[SplitName] = ("query", "gallery")) -> ReidData:
    """Read CUHK03-NP (Zhong et al., CVPR 2017) in either of its layouts.

    - Folders in Market-1501's layout: ``labeled/bounding_box_train`` and so on, in ``root``, in ``root/cuhk03-np``, or
      ``root`` itself. They are preferred, since they need no list.
    - The authors' ``cuhk03_new_protocol_config_labeled.mat`` with a folder of extracted pictures, ``images_labeled``
      (also ``cuhk03_labeled`` or ``labeled``), named ``PAIR_PERSON_CAMERA_INDEX.png``. The file's indices count from 1;
      persons are its ``labels`` (1 to 1,467, one per pair and person), cameras its ``camId`` (1 and 2 of each pair).

    Args:
        root: the data set's folder.
        boxes: "labelled" (drawn by hand) or "detected".
        need: splits that must be there, in the folder layout; and must hold pictures, in the other.

    Raises:
        SwiftReIDError: neither layout is there, the extra ``data`` is missing, or the file does not fit.
    """
    root = Path(root)
    folder = market_folder(root, boxes)
    if folder is not None:
        data = read_market(folder, need=need)
    else:
        config = config_file(root, boxes)
        if config is None:
            raise SwiftReIDError(_nothing(root, boxes))
        data = _read_config(root, config, boxes, need)
    name = f"cuhk03-np-{boxes}"
    return replace(data, name=name, published=name, notes=[*data.notes, f"boxes are the {boxes} ones"])


def market_folder(root: Path, boxes: Boxes) -> Path | None:
    """The folder below ``root``, or ``root`` itself, that holds these boxes in Market-1501's layout."""
    below = [root / above / name for above in ("", "cuhk03-np", "CUHK03-NP") for name in SPELLINGS[boxes]]
    others = {name for other, names in SPELLINGS.items() if other != boxes for name in names}
    itself = [] if root.resolve().name.lower() in others else [root]
    return next((folder for folder in [*below, *itself] if _is_market(folder)), None)


def config_file(root: Path, boxes: Boxes) -> Path | None:
    """The authors' split file in ``root``, if it is there."""
    places = (root, root / "cuhk03-np", root / "CUHK03-NP")
    return next((folder / CONFIGS[boxes] for folder in places if (folder / CONFIGS[boxes]).is_file()), None)


def _is_market(folder: Path) -> bool:
    return (folder / FOLDERS["query"]).is_dir() and (folder / FOLDERS["gallery"]).is_dir()


def _read_config(root: Path, config: Path, boxes: Boxes, need: Collection[SplitName]) -> ReidData:
    content = load_mat(config)
    lacking = [key for key in ("filelist", "labels", *_INDICES.values()) if key not in content]
    if lacking:
        raise SwiftReIDError(f"{config} has no {', '.join(lacking)}; give the authors' {CONFIGS[boxes]}")
    names = [str(unwrap(cell)).strip() for cell in content["filelist"].ravel()]
    persons = _whole(content["labels"], config, "labels")
    cameras = _cameras(content, names, config)
    if not len(names) == len(persons) == len(cameras):
        raise SwiftReIDError(
            f"{config} lists {len(names)} pictures, but {len(persons)} labels and {len(cameras)} cameras; "
            "fetch it again"
        )
    present = Present(_picture_folder(root, config, boxes), any_suffix=True)
    data = ReidData(root.resolve().name, root)
    for split in SPLITS:
        places = _whole(content[_INDICES[split]], config, _INDICES[split]) - 1  # MATLAB counts from 1
        if len(places) and not 0 <= places.min() <= places.max() < len(names):
            raise SwiftReIDError(
                f"{config}: {_INDICES[split]} runs from {places.min() + 1} to {places.max() + 1}, but filelist has "
                f"pictures 1 to {len(names)}; fetch it again"
            )
        for place in places.tolist():
            path = present.find(names[place])
            if path is not None:
                data.split(split).append(Sample(path, int(persons[place]), int(cameras[place])))
    if empty := [split for split in SPLITS if split in need and not data.split(split)]:
        raise SwiftReIDError(
            f"none of the pictures that {config.name} lists for {' and '.join(empty)} is in {present.folder}; extract "
            f"the pictures of cuhk-03.mat there, under names such as {names[0] if names else '1_001_1_01.png'}"
        )
    data.missing.extend(present.missing)
    data.notes.append(f"the splits are those of {config.name}")
    data.notes.extend(missing_note(present.missing, config.name))
    return data


def _picture_folder(root: Path, config: Path, boxes: Boxes) -> Path:
    names = [form.format(name) for name in SPELLINGS[boxes] for form in ("images_{}", "cuhk03_{}", "{}")]
    places = [folder / name for folder in dict.fromkeys((config.parent, root)) for name in names]
    for place in places:
        if has_pictures(place):
            return place
    raise SwiftReIDError(
        f"{config} is there, but no pictures; looked for folders {', '.join(map(str, places))}: extract the "
        f"{boxes} pictures of cuhk-03.mat to one of them, named PAIR_PERSON_CAMERA_INDEX.png such as 1_001_1_01.png"
    )


def _cameras(content: dict[str, Any], names: list[str], config: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    if "camId" in content:
        return _whole(content["camId"], config, "camId")
    try:
        return np.array([int(name.split("_")[2]) for name in names], np.int64)
    except (IndexError, ValueError):
        raise SwiftReIDError(f"{config} has no camId, and its file names contain no cameras; fetch it again") from None


def _whole(values: Any, config: Path, key: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    try:
        return np.asarray(values).ravel().astype(np.int64)  # MATLAB files hold them as uint8, uint16 or double
    except (TypeError, ValueError):
        raise SwiftReIDError(f"{config}: {key} does not hold whole numbers; fetch it again") from None


def _nothing(root: Path, boxes: Boxes) -> str:
    spelling = SPELLINGS[boxes][0]
    return (
        f"no {boxes} CUHK03-NP at {root}; looked for the folder {spelling} with bounding_box_train, query and "
        f"bounding_box_test, and for {CONFIGS[boxes]} beside a folder images_{spelling}"
    )
