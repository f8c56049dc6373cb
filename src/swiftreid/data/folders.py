"""Plain folders: one for each person, or for each camera and person, with or without folders for the splits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from swiftreid.data.camera_folders import Folders, camera_name, cameras_or_people, check_folders
from swiftreid.data.listing import has_pictures, is_picture, names_in, pictures_in, unread_doubts, unread_in
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
    "expected one folder per person (PERSON/any name.jpg, or PERSON/CAMERA/any name.jpg or CAMERA/PERSON/any name.jpg "
    "with camera folders named like cam1), either directly or in folders query and gallery (and train); or pictures "
    "named PERSON_cCAMERA..., such as 0844_c3s2_107328_01.jpg"
)


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


def read_folders(
    root: Path | str, *, need: Collection[SplitName] = ("query", "gallery"), folders: Folders | None = None
) -> ReidData:
    """Read pictures sorted into one folder per person, or into one per camera and in it one per person.

    - ``root/PERSON/*.jpg``: without splits. Every picture is a query and the gallery at once, and evaluation leaves a
      query's own picture out; or, where only training pictures are needed, every picture is for training.
    - ``root/query/PERSON/*.jpg`` and ``root/gallery/PERSON/*.jpg``, and ``root/train/PERSON/*.jpg`` if there is one.

    Pictures that lie directly in a split's folder, in ``root`` or in a camera's folder must state their person in
    Market-1501's way. Cameras come from folders named like cameras (``cam1``, ``camera_2``, ``cam-A``, ``left``), below
    the person's or above them, or from names; unless every picture has one, and there are at least two,
    ``cross_camera`` is False and every sample has camera 0. Folder names that are all whole numbers are the numbers of
    persons and cameras; otherwise they are numbered 1, 2, ... in the order of their names.

    Args:
        root: the folder.
        need: the splits that must hold pictures.
        folders: what the upper folders are, "people" or "cameras". None: people, unless all are named like cameras and
            what lies in them fits that; that is guessed aloud, in ``doubts``.

    Raises:
        UsageError: ``folders`` is neither, or it is left out and cannot be guessed; the message says what to do.
        SwiftReIDError: there is no picture of a known person, or a needed split is empty.
    """
    check_folders(folders)
    root = Path(root)
    if not root.is_dir():
        what = "is a file" if root.is_file() else "does not exist"
        raise SwiftReIDError(f"data folder {root} {what}; {LAYOUT}")
    unparsable: list[Path] = []
    split_folders = split_folders_of(root)
    whole: SplitName = "query" if "query" in need or "gallery" in need else "train"
    places = {split: root / split for split in split_folders} or {whole: root}
    guessed: list[Doubt] = []
    if folders is None:
        folders, guessed = cameras_or_people(_folders_in(places.values()), root)
    found = {split: list(_pictures_below(place, folders, unparsable)) for split, place in places.items()}
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
        camera_names=names_of(cameras),
    )
    for split, pictures in found.items():
        data.split(split).extend(numbered(picture, persons, cameras) for picture in pictures)
    notes.extend([*notes_on_names("people", persons), *notes_on_names("cameras", cameras)])
    unread = _doubts(root, list(places.values()), folders)
    data.doubts.extend([*guessed, *doubts_on_names("people", persons), *unread])
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
        if path.is_dir() and any(
            (camera_name(name) or camera_name(inner)) and has_pictures(path / inner) for inner in names_in(path)
        ):
            return True
    return False


def _folders_in(places: Iterable[Path]) -> list[Path]:
    """Folders that hold pictures, or folders that do; none, without looking, where no name is a camera's."""
    below = [place / name for place in places for name in names_in(place) if not is_picture(name)]
    if not any(camera_name(folder.name) for folder in below):
        return []
    return [folder for folder in below if folder.is_dir() and any(_picture_or_folder(folder))]


def _picture_or_folder(folder: Path) -> Iterator[bool]:
    for name in names_in(folder):
        yield is_picture(name) or has_pictures(folder / name)


def _pictures_below(place: Path, folders: Folders, unparsable: list[Path]) -> Iterator[NamedSample]:
    for name in names_in(place):
        path = place / name
        if path.is_dir():
            yield from _of_person(name, path) if folders == "people" else _of_camera(name, path, unparsable)
        elif is_picture(name):
            yield from _named(path, None, unparsable)


def _of_person(person: str, folder: Path) -> Iterator[NamedSample]:
    for name in names_in(folder):
        path = folder / name
        if is_picture(name) and not path.is_dir():
            parsed = parse_name(path.stem)
            yield Sample(path, person, str(parsed[1]) if parsed else None)
        elif (camera := camera_name(name)) is not None and path.is_dir():
            for picture in pictures_in(path):
                yield Sample(picture, person, camera)


def _of_camera(name: str, folder: Path, unparsable: list[Path]) -> Iterator[NamedSample]:
    camera = camera_name(name) or name
    for inner in names_in(folder):
        path = folder / inner
        if path.is_dir():
            for picture in pictures_in(path):
                yield Sample(picture, inner, camera)
        elif is_picture(inner):
            yield from _named(path, camera, unparsable)


def _named(picture: Path, camera: str | None, unparsable: list[Path]) -> Iterator[NamedSample]:
    """A picture with its person in its name, and its camera too if no folder gives it."""
    parsed = parse_name(picture.stem)
    if parsed is None:
        unparsable.append(picture)
    else:
        yield Sample(picture, str(parsed[0]), camera or str(parsed[1]))


def _doubts(root: Path, places: Collection[Path], folders: Folders) -> list[Doubt]:
    """Pictures that lie too deep to be read, or in a folder below a person's that is not named like a camera."""
    unread: list[Path] = []
    for upper in (place / name for place in places for name in names_in(place) if not is_picture(name)):
        if upper.is_dir():
            unread += unread_in(upper, folders=False)
            for lower in (upper / name for name in names_in(upper) if not is_picture(name)):
                if lower.is_dir() and folders == "cameras":
                    unread += unread_in(lower)
                elif lower.is_dir() and camera_name(lower.name) is None:
                    unread += pictures_in(lower)
    return unread_doubts(
        unread, root, "Name folders below a person's cam1, cam2, ..., and save pictures as JPEG, PNG or the like."
    )


def _cameras_known(pictures: list[NamedSample]) -> tuple[bool, list[str]]:
    unknown = sum(picture.camera is None for picture in pictures)
    if unknown and unknown < len(pictures):
        note = f"{unknown:,} of {len(pictures):,} pictures state no camera, so no camera is used"
        return False, [note, NO_CAMERAS]
    if unknown:
        return False, [NO_CAMERAS]
    if len({picture.camera for picture in pictures}) == 1:
        return False, [one_camera(pictures[0].camera), NO_CAMERAS]
    return True, []
