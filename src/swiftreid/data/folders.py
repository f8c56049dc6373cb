"""Plain folders: one folder per person, with or without folders for the splits, with or without cameras."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from swiftreid.data.listing import is_picture, names_in, pictures_in, unread_doubts, unread_in
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
from swiftreid.data.samples import JUNK, SPLITS, Doubt, NamedSample, ReidData, Sample, SplitName
from swiftreid.errors import SwiftReIDError

LAYOUT = (
    "expected one folder per person (PERSON/any name.jpg, or PERSON/CAMERA/any name.jpg with camera folders named like "
    "cam1), either directly or in folders query and gallery (and train); or pictures named PERSON_cCAMERA..., such as "
    "0844_c3s2_107328_01.jpg"
)

_CAMERA_FOLDER = re.compile(r"(?:c|cam|camera)[-_ ]?(\d{1,9})", re.ASCII | re.IGNORECASE)


def one_camera(camera: int | str | None) -> str:
    """A sentence for `ReidData.notes` about pictures that are all by one camera."""
    return f"every picture states the same camera, {camera}, so it is not used"


def without_one_camera(data: ReidData) -> ReidData:
    """The data set without cameras where all its test pictures are by one camera: nothing is across cameras then."""
    cameras = {sample.camera for sample in data.query + data.gallery}
    if len(cameras) != 1 or not data.cross_camera:
        return data
    notes = [*data.notes, one_camera(cameras.pop()), NO_CAMERAS]
    return replace(data.changed(lambda sample: replace(sample, camera=0)), cross_camera=False, notes=notes)


EVERY_PICTURE = "there are no splits: every picture is a query against all others"
NO_CAMERAS = (
    "cameras are unknown: pictures by the same camera count as matches, so figures are higher than across cameras"
)


def read_folders(root: Path | str, *, need: Collection[SplitName] = ("query", "gallery")) -> ReidData:
    """Read pictures sorted into one folder per person.

    - ``root/PERSON/*.jpg``: without splits. Every picture is a query and the gallery at once, and evaluation leaves a
      query's own picture out; or, where only training pictures are needed, every picture is for training.
    - ``root/query/PERSON/*.jpg`` and ``root/gallery/PERSON/*.jpg``, and ``root/train/PERSON/*.jpg`` if there is one.

    Pictures that lie directly in a split's folder, or in ``root``, must state their person in Market-1501's way.
    Cameras come from folders below the person's (``cam1``, ``camera_2``) or from names; unless every picture has one,
    and there are at least two, ``cross_camera`` is False and every sample has camera 0. Folder names that are all whole
    numbers are the persons' numbers; otherwise persons are numbered 1, 2, ... in the order of their names.

    Args:
        root: the folder.
        need: the splits that must hold pictures.

    Raises:
        SwiftReIDError: no picture is there whose person is known, or a needed split is empty.
    """
    root = Path(root)
    if not root.is_dir():
        what = "is a file" if root.is_file() else "does not exist"
        raise SwiftReIDError(f"data folder {root} {what}; {LAYOUT}")
    unparsable: list[Path] = []
    split_folders = split_folders_of(root)
    if split_folders:
        found = {split: list(_people_below(root / split, unparsable)) for split in split_folders}
    else:
        whole: SplitName = "query" if "query" in need or "gallery" in need else "train"
        found = {whole: list(_people_below(root, unparsable))}
    if empty := [split for split in SPLITS if split in need and split_folders and not found.get(split)]:
        raise SwiftReIDError(f"data folder {root} has no picture for {' and '.join(empty)}; {LAYOUT}")
    everything = [picture for pictures in found.values() for picture in pictures]
    if not everything:
        raise SwiftReIDError(f"no picture in {root} states its person; {LAYOUT}; or list them in a manifest (CSV)")
    persons = number_persons(picture.person for picture in everything if picture.person is not None)
    cross_camera, notes = _cameras_known(everything)
    cameras = number_cameras(picture.camera for picture in everything if picture.camera) if cross_camera else {}
    data = ReidData(
        root.resolve().name,
        root,
        unparsable=unparsable,
        cross_camera=cross_camera,
        notes=notes,
        person_names=names_of(persons),
    )
    for split, pictures in found.items():
        data.split(split).extend(numbered(picture, persons, cameras) for picture in pictures)
    notes.extend(notes_on_names("people", persons))
    data.doubts.extend([*doubts_on_names("people", persons), *_doubts(root, split_folders)])
    data = free_person_zero(data)
    if not split_folders and data.query:
        ask_about_all(data)
    return data


def ask_about_all(data: ReidData) -> None:
    """Make every picture of a data set without splits, now in ``query``, a query against all; junk is only ranked."""
    data.gallery.extend(data.query)
    data.query[:] = [sample for sample in data.query if sample.person != JUNK]
    data.notes.append(EVERY_PICTURE)


def split_folders_of(root: Path) -> list[SplitName]:
    """Folders ``train``, ``query`` and ``gallery`` of a root that has splits; empty if it has none."""
    there = [split for split in SPLITS if (root / split).is_dir()]
    return there if {"query", "gallery"} <= set(there) else []


def has_people(root: Path) -> bool:
    """Whether a folder looks like plain folders: split folders, a folder with pictures, or pictures with names."""
    if split_folders_of(root):
        return True
    for name in names_in(root):
        path = root / name
        if is_picture(name) and parse_name(path.stem):
            return True
        if path.is_dir() and any(is_picture(inner) for inner in names_in(path)):
            return True
        if path.is_dir() and any(pictures_in(path / inner) for inner in names_in(path) if _camera_folder(path / inner)):
            return True
    return False


def _people_below(folder: Path, unparsable: list[Path]) -> Iterator[NamedSample]:
    for name in names_in(folder):
        path = folder / name
        if path.is_dir():
            yield from _pictures_of(name, path)
        elif is_picture(name):
            parsed = parse_name(path.stem)
            if parsed is None:
                unparsable.append(path)
            else:
                yield Sample(path, str(parsed[0]), str(parsed[1]))


def _pictures_of(person: str, folder: Path) -> Iterator[NamedSample]:
    for name in names_in(folder):
        path = folder / name
        if is_picture(name) and not path.is_dir():
            parsed = parse_name(path.stem)
            yield Sample(path, person, str(parsed[1]) if parsed else None)
        elif (camera := _camera_folder(path)) is not None:
            for picture in pictures_in(path):
                yield Sample(picture, person, camera)


def _doubts(root: Path, split_folders: Collection[str]) -> list[Doubt]:
    """Pictures below a person's folder that are not read, since their folder is not named like a camera."""
    unread: list[Path] = []
    for above in [root / split for split in split_folders] or [root]:
        for person in (above / name for name in names_in(above) if not is_picture(name)):
            if person.is_dir():
                unread += unread_in(person, folders=False)
                below = (person / name for name in names_in(person) if not is_picture(name))
                for folder in below:
                    if folder.is_dir() and _camera_folder(folder) is None:
                        unread += pictures_in(folder)
    return unread_doubts(
        unread, root, "Name folders below a person's cam1, cam2, ..., and save pictures as JPEG, PNG or the like."
    )


def _camera_folder(path: Path) -> str | None:
    match = _CAMERA_FOLDER.fullmatch(path.name)
    return str(int(match[1])) if match and path.is_dir() else None


def _cameras_known(pictures: list[NamedSample]) -> tuple[bool, list[str]]:
    unknown = sum(picture.camera is None for picture in pictures)
    if unknown and unknown < len(pictures):
        told = f"{unknown:,} of {len(pictures):,} pictures state no camera, so no camera is used"
        return False, [told, NO_CAMERAS]
    if unknown:
        return False, [NO_CAMERAS]
    if len({picture.camera for picture in pictures}) == 1:
        return False, [one_camera(pictures[0].camera), NO_CAMERAS]
    return True, []
