"""Miniature copies of every data set's layout, with the names and oddities of the real ones, from drawn figures."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from drawn_figures import draw_person
from swiftreid.data.samples import Split

Expected = list[tuple[str, int, int]]


@dataclass
class Miniature:
    """A data set on disk, and the (path from its root, person, camera) that a reader must find, split by split."""

    root: Path
    expected: dict[str, Expected] = field(default_factory=dict)

    def draw(self, split: str, name: str, person: int, camera: int, *, shown: int | None = None) -> Path:
        """Draw a picture, and expect it in ``split``; ``shown`` is the figure to draw where it is not the person."""
        path = paint(self.root / name, person if shown is None else shown, camera)
        self.expected.setdefault(split, []).append((name, person, camera))
        return path

    def found(self, samples: Split) -> Expected:
        """What a reader found, in the form of ``expected``."""
        return [(Path(os.path.relpath(s.path, self.root)).as_posix(), s.person, s.camera) for s in samples]


def paint(path: Path, person: int, camera: int) -> Path:
    """Save a small drawn figure; the suffix tells the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shot = sum(path.name.encode())
    draw_person(abs(person), camera, shot, (16, 32)).save(path)
    return path


def clutter(folder: Path) -> None:
    """What unpacking and looking leave behind: no reader may take these for pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0 not a picture")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "._0001_c1s1_001051_00.jpg").write_bytes(b"\0\5\x16\7 resource fork")


def market1501(root: Path, *, distractors: str | None = None) -> Miniature:
    """Market-1501: 3 people to train, 3 to test, junk, distractors, gt_bbox; ``distractors`` is the +500k folder."""
    mini = Miniature(root)
    for person in (2, 7, 10):
        for camera in (1, 3, 6):
            mini.draw("train", f"bounding_box_train/{person:04}_c{camera}s1_{451 + person:06}_03.jpg", person, camera)
    for person in (1, 3, 1501):
        for camera in (1, 2):
            mini.draw("query", f"query/{person:04}_c{camera}s1_{1051 + person:06}_00.jpg", person, camera)
            mini.draw("gallery", f"bounding_box_test/{person:04}_c{camera}s1_{1076 + person:06}_01.jpg", person, camera)
            for shot in (1, 2):
                name = f"gt_bbox/{person:04}_c{camera}s1_{1051 + shot:06}_00.jpg"
                mini.draw("multi_query", name, person, camera)
        mini.draw("gallery", f"bounding_box_test/{person:04}_c5s3_{52000 + person:06}_05.JPG", person, 5)
        paint(root / f"gt_bbox/{person:04}_c5s3_052000_00.jpg", person, 5)  # no query by this camera
    paint(root / "gt_bbox/0002_c1s1_000451_00.jpg", 2, 1)  # gt_bbox holds training people too
    mini.draw("gallery", "bounding_box_test/-1_c1s1_000401_03.jpg", -1, 1, shown=90)
    mini.draw("gallery", "bounding_box_test/-1_c4s2_010101_02.jpg", -1, 4, shown=91)
    mini.draw("gallery", "bounding_box_test/0000_c1s1_000151_01.jpg", 0, 1, shown=92)
    mini.draw("gallery", "bounding_box_test/0000_c6s4_019152_02.jpg", 0, 6, shown=93)
    for folder in ("bounding_box_train", "query", "bounding_box_test", "gt_bbox"):
        clutter(root / folder)
    (root / "readme.txt").write_text("Market-1501 in miniature\n")
    if distractors is not None:
        for number in range(1, 6):
            name = f"{distractors}/0000_c{number}s1_{number:06}_00.jpg"
            mini.draw("distractors", name, 0, number, shown=100 + number)
        mini.draw("distractors", f"{distractors}/-1_c6s1_000006_00.jpg", 0, 6, shown=106)
        mini.draw("distractors", f"{distractors}/extra7.jpg", 0, 0, shown=107)
        clutter(root / distractors)
    return _in_order(mini)


def dukemtmc(root: Path) -> Miniature:
    """DukeMTMC-reID: the same folders, frames of seven digits, people in the gallery who are never queried."""
    mini = Miniature(root)
    for person in (1, 22):
        for camera in (1, 2):
            mini.draw("train", f"bounding_box_train/{person:04}_c{camera}_f{46182 + person:07}.jpg", person, camera)
    for person in (5, 7139):
        mini.draw("query", f"query/{person:04}_c2_f{46985 + person:07}.jpg", person, 2)
        mini.draw("gallery", f"bounding_box_test/{person:04}_c5_f{61185 + person:07}.jpg", person, 5)
    mini.draw("gallery", "bounding_box_test/0014_c8_f0133447.jpg", 14, 8)
    return _in_order(mini)


def cuhk03_folders(root: Path) -> dict[str, Miniature]:
    """CUHK03-NP in Market-1501's layout: ``labeled`` and ``detected``, by boxes."""
    minis = {}
    for boxes, folder in (("labelled", "labeled"), ("detected", "detected")):
        mini = minis[boxes] = Miniature(root / folder)
        for person in (1, 2):
            for camera in (1, 2):
                mini.draw("train", f"bounding_box_train/{person:04}_c{camera}_{person}.png", person, camera)
        for person in (3, 4):
            mini.draw("query", f"query/{person:04}_c1_{person}.png", person, 1)
            mini.draw("gallery", f"bounding_box_test/{person:04}_c2_{person + 10}.png", person, 2)
        if boxes == "detected":
            mini.draw("gallery", "bounding_box_test/0004_c2_99.png", 4, 2)
        _in_order(mini)
    return minis


def cuhk03_config(root: Path, boxes: str = "labelled", *, suffix: str = ".png", images: str = "images_{}") -> Miniature:
    """CUHK03-NP as its authors give it: a MATLAB file with indices from 1, and pictures extracted to one folder."""
    from scipy.io import savemat

    spelling = {"labelled": "labeled", "detected": "detected"}[boxes]
    mini = Miniature(root)
    names, labels, cameras = [], [], []
    indices: dict[str, list[int]] = {"train": [], "query": [], "gallery": []}
    people = [(1, 1), (1, 2), (1, 3), (2, 1), (5, 49)]  # camera pair, person within the pair
    for label, (pair, person) in enumerate(people, 1):
        for index in (1, 2, 6, 7):
            camera = 1 if index <= 5 else 2
            names.append(f"{pair}_{person:03}_{camera}_{index:02}.png")
            labels.append(label)
            cameras.append(camera)
            # The first picture of all is number 1, and the last one is in use: counting from 0 would miss either.
            split = "train" if label in (1, 3) else "query" if index in (2, 7) else "gallery"
            indices[split].append(len(names))
            stem = names[-1].removesuffix(".png")
            mini.draw(split, f"{images.format(spelling)}/{stem}{suffix}", label, camera)
    content: dict[str, object] = {
        "filelist": np.array([[name] for name in names], object),
        "labels": np.array(labels, np.uint16)[:, None],
        "camId": np.array(cameras, np.uint8)[:, None],
    }
    content |= {f"{split}_idx": np.array(found, np.uint16)[:, None] for split, found in indices.items()}
    savemat(root / f"cuhk03_new_protocol_config_{spelling}.mat", content)
    clutter(root / images.format(spelling))
    return mini


def msmt17(root: Path, version: str = "v1") -> Miniature:
    """MSMT17: list files with trailing lines, people numbered from 0 twice, 15 cameras."""
    training, testing = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}[version]
    mini = Miniature(root)
    lists: dict[str, list[str]] = {name: [] for name in ("train", "val", "query", "gallery")}

    def add(part: str, folder: str, person: int, camera: int, number: int, extra: str = "") -> None:
        name = f"{person:04}/{person:04}_{number:03}_{camera:02}_0303morning_{number + 10:04}_0{extra}.jpg"
        lists[part].append(f"{name} {person}")
        split = "train" if part == "val" else part
        mini.draw(split, f"{folder}/{name}", person + (1 if folder == training else 1042), camera)

    for person in (0, 1, 1040):
        add("train", training, person, 12, 1)
        add("train", training, person, 7, 2, "_ex")
    for person in (0, 1, 1040):
        add("val", training, person, 4, 3)
    for person in (0, 1, 3059):
        add("query", testing, person, 1, 1)
    for person in (0, 1, 3059):
        add("gallery", testing, person, 15, 2)
        add("gallery", testing, person, 1, 3, "_ex")
    for name, lines in lists.items():
        (root / f"list_{name}.txt").write_text("\n".join(lines) + "\n\n  \n")
    return mini


def person_folders(root: Path, *, cameras: str = "none") -> Miniature:
    """One folder per person and no splits; cameras none, in "names", or in "folders"."""
    mini = Miniature(root)
    names = {"0007": 7, "0012": 12, "3": 3}
    for folder, person in names.items():
        for shot in (1, 2, 3):
            camera = 0 if cameras == "none" else 1 + shot % 2
            name = {
                "none": f"IMG_{shot}.jpeg",
                "names": f"{person:04}_c{camera}_{shot}.jpg",
                "folders": f"Cam_{camera}/shot{shot}.PNG",
            }[cameras]
            mini.draw("query", f"{folder}/{name}", person, camera)
        clutter(root / folder)
    mini.expected["query"].sort()
    mini.expected["gallery"] = list(mini.expected["query"])
    return mini


def split_folders(root: Path) -> Miniature:
    """Folders train, query and gallery with a folder per person, who have names."""
    mini = Miniature(root)
    for number, (person, split) in enumerate(
        [("anna", "train"), ("bert", "query"), ("bert", "gallery"), ("cleo", "gallery"), ("cleo", "query")]
    ):
        place = {"anna": 1, "bert": 2, "cleo": 3}[person]
        for shot in (1, 2):
            mini.draw(split, f"{split}/{person}/{number}-{shot}.webp", place, 0)
    return mini


def manifest(root: Path, suffix: str = ".csv", *, cameras: bool = True, splits: bool = True) -> tuple[Miniature, Path]:
    """Pictures in any folders and a manifest with attributes and times, as CSV or Parquet."""
    mini = Miniature(root)
    rows = []
    for person in (1, 2):
        for camera in (1, 2):
            split = "train" if person == 1 else "query" if camera == 1 else "gallery"
            name = f"shots/site {camera}/{person}{camera}.png"
            mini.draw(split if splits else "query", name, person, camera if cameras else 0)
            row = {"path": name, "person": str(person), "hat": "yes" if camera == 1 else "", "time": str(1000 + camera)}
            if cameras:
                row["camera"] = str(camera)
            rows.append(row | ({"split": split} if splits else {}))
    if not splits:
        mini.expected["gallery"] = list(mini.expected["query"])
    path = root / f"people{suffix}"
    if suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8-sig") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow
        from pyarrow import parquet

        columns = {name: [row[name] or None for row in rows] for name in rows[0]}
        columns["person"] = [float(value) for value in columns["person"] if value]  # as a column with gaps often ends
        columns["time"] = [int(value) for value in columns["time"] if value]
        parquet.write_table(pyarrow.table(columns), path)
    return mini, path


def _in_order(mini: Miniature) -> Miniature:
    for expected in mini.expected.values():
        expected.sort(key=lambda entry: entry[0].rsplit("/", 1)[-1])
    return mini
