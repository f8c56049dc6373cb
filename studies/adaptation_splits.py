"""Data sets to adapt to that nobody chose settings on: parts of two real ones, drawn by seed.

    python studies/adaptation_splits.py cuhk03-np-pair1 campus splits --rendered place3 place6

``campus`` is the folder of CUHK01's pictures (PPPPSSS.png; pictures 1 and 2 are by one camera, 3 and 4 by another).
Written in Market-1501's layout; the training pictures are what is adapted to, and nobody is in both halves:

- ``one-camera``: of half of pair-1's training people, the pictures by one camera only.
- ``uneven``: of every training person of pair-1, one to five pictures by each camera, few of them with many.
- ``strangers``: of every training person of pair-1 a single picture, so that nobody is seen twice.
- ``cuhk01-half``: half of CUHK01's people, two pictures by each camera; the others are the test people.
- ``--rendered``: manifests ``NAME.csv`` of data sets by `swiftreid synth`: of half of the training people the pictures
  by one camera only, and what a camera saw of a person is one track.
"""

from __future__ import annotations

import argparse
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from program import run

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
SIZE = (128, 256)  # width and height, those of Market-1501
People = Mapping[int, Mapping[int, list[Path]]]
"""Pictures by person and camera."""


def people_in(folder: Path) -> People:
    """Pictures named PPPP_cC_... by person and camera, in the order of their names."""
    found: dict[int, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("*.jpg")):
        person, camera = path.stem.split("_")[:2]
        found[int(person)][int(camera[1:].partition("s")[0])].append(path)
    return found


def copy_all(kept: People, out: Path) -> None:
    for cameras in kept.values():
        for path in (path for paths in cameras.values() for path in paths):
            shutil.copy2(path, out / path.name)


def one_camera(people: People, rng: np.random.Generator) -> People:
    half = set(rng.permutation(sorted(people))[: len(people) // 2].tolist())
    return {
        person: {camera: cameras[camera] for camera in [rng.choice(sorted(cameras))]} if person in half else cameras
        for person, cameras in people.items()
    }


def uneven(people: People, rng: np.random.Generator) -> People:
    # One picture is as common as two to five together.
    chances = np.array([8, 4, 2, 1, 1]) / 16
    return {
        person: {camera: paths[: 1 + int(rng.choice(5, p=chances))] for camera, paths in cameras.items()}
        for person, cameras in people.items()
    }


def strangers(people: People, rng: np.random.Generator) -> People:
    return {
        person: {camera: [cameras[camera][int(rng.integers(len(cameras[camera])))]]}
        for person, cameras in people.items()
        for camera in [int(rng.choice(sorted(cameras)))]
    }


def save(source: Path, target: Path) -> None:
    with Image.open(source) as picture:
        picture.convert("RGB").resize(SIZE, Image.Resampling.BICUBIC).save(target, quality=90)


def halve(campus: Path, out: Path, rng: np.random.Generator) -> None:
    """Half of CUHK01's people to adapt to, the others to test, with one picture by each camera."""
    persons = sorted({path.stem[:4] for path in campus.glob("*.png")})
    learned = set(rng.permutation(persons)[: len(persons) // 2].tolist())
    for path in sorted(campus.glob("*.png")):
        person, shot = path.stem[:4], int(path.stem[4:])
        camera = 1 if shot <= 2 else 2
        if person in learned:
            save(path, out / TRAIN / f"{person}_c{camera}_{shot:02d}.jpg")
        elif shot in (1, 3):
            save(path, out / (QUERY if shot == 1 else GALLERY) / f"{person}_c{camera}_{shot:02d}.jpg")


def track(source: Path, out: Path, rng: np.random.Generator) -> None:
    """A manifest of a rendered data set with tracks, in which half of the training people were seen by one camera."""
    rows = ["path,person,camera,split,track"]
    for part, split in ((TRAIN, "train"), (QUERY, "query"), (GALLERY, "gallery")):
        people = people_in(source / part)
        for person, cameras in (one_camera(people, rng) if part == TRAIN else people).items():
            for camera, paths in cameras.items():
                name = f"{person}-{camera}" if part == TRAIN else ""
                rows += [f"{path.absolute()},{person},{camera},{split},{name}" for path in paths]
    out.write_text("\n".join(rows) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pair1", type=Path, help="Data set in Market-1501's layout.")
    parser.add_argument("campus", type=Path, help="Folder of CUHK01's pictures.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--rendered", type=Path, nargs="*", default=[], help="Data sets by `swiftreid synth`.")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    people = people_in(args.pair1 / TRAIN)
    for number, (name, draw) in enumerate(
        [("one-camera", one_camera), ("uneven", uneven), ("strangers", strangers), ("cuhk01-half", None)]
    ):
        rng, folder = np.random.default_rng([args.seed, number]), args.out / name
        for part in (TRAIN, QUERY, GALLERY):
            (folder / part).mkdir(parents=True)
        if draw is None:
            halve(args.campus, folder, rng)
        else:
            copy_all(draw(people, rng), folder / TRAIN)
            for part in (QUERY, GALLERY):
                copy_all(people_in(args.pair1 / part), folder / part)
        print(name, *(f"{part} {len(list((folder / part).iterdir())):,}" for part in (TRAIN, QUERY, GALLERY)))
    for number, source in enumerate(args.rendered):
        track(source, args.out / f"{source.resolve().name}.csv", np.random.default_rng([args.seed, 10 + number]))


if __name__ == "__main__":
    run(main)
