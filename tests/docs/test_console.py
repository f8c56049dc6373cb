"""The console blocks of README and the pages run, in small, on what stands in for the reader's files."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from command import Ran, run_in
from warm import run_python

ROOT = Path(__file__).resolve().parents[2]
STATION = ROOT / "examples" / "station"
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^(?:<!-- not run: (.*?) -->\n)?```console\n(.*?)^```", re.M | re.S)

INSTALLING = {"pip": "CI installs so", "make": "CI runs the targets", "source": "of the shell"}
"""Programs that are not run here, and why."""

SMALL: Mapping[str, list[str]] = {
    "train": [
        "--set", "settings.trunk=resnet18_half_ibn_a", "--set", "schedule.epochs=1", "--set", "schedule.per_epoch=16",
        "--set", "schedule.warm_up=0", "--set", "batches.persons=4", "--set", "size=[96, 48]",
    ],
    "adapt": [
        "--set", "schedule.epochs=1", "--set", "schedule.per_epoch=16", "--set", "batches.persons=4", "--force",
    ],
    "hash": ["--set", "training.epochs=1"],
    "synth": ["--people", "20", "--cameras", "5", "--seen-by", "5", "--shots", "2", "--height", "64", "--width", "32"],
    "bench search": ["--queries", "16", "--judged", "16", "--batch", "0", "--rounds", "1"],
    "bench growth": ["--queries", "16", "--rounds", "1"],
    "encoder wrap": ["--height", "128", "--width", "64"],
}  # fmt: skip
"""Options that make a command small; the last of an option given twice counts."""

VALUES = {"--n": "1k", "--upto": "20k", "--weights": "weights.pth"}
"""Values of options in place of the pages'."""


def blocks() -> Iterator[tuple[str, int, str | None, list[str]]]:
    for page in PAGES:
        for number, found in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8"))):
            lines = found[2].replace("\\\n", " ").splitlines()
            yield page.stem, number, found[1], [line[2:] for line in lines if line.startswith("$ ")]


BLOCKS = list(blocks())


def test_every_block_is_found() -> None:
    assert len(BLOCKS) == sum(page.read_text(encoding="utf-8").count("```console") for page in PAGES) > 20
    assert all(reason is None or len(reason) > 10 for _, _, reason, _ in BLOCKS)


class Stage:
    """A folder in which names that a command reads, and no earlier one has made, are made as what they stand for."""

    def __init__(self, folder: Path, hashed: Path) -> None:
        self.folder, self.hashed = folder, hashed
        self.run: Callable[..., Ran] = run_in(folder)
        (folder / "examples").symlink_to(ROOT / "examples")

    def give(self, words: list[str]) -> None:
        written = {words[place + 1] for place, word in enumerate(words[:-1]) if word in ("-o", "--card", "--plot")}
        if words[1] == "synth" or words[1:3] == ["gallery", "create"]:
            written.update(words)
        for word in words[1:]:
            top = word.partition("/")[0]
            if word in written or (self.folder / word).exists() or (self.folder / top).is_symlink():
                continue
            if make := self.makers(words).get(word):
                make(self.folder / word)

    def makers(self, words: list[str]) -> dict[str, Callable[[Path], None]]:
        """What each name of the pages stands for."""
        searches = (
            words[1] in {"search", "group", "people"} or words[1:3] in (["gallery", "add"],) or "--gallery" in words
        )
        data = dict.fromkeys(
            ("people", "market1501", "msmt17", "our-people", "others", "more", "people100", "DIR"), self.data
        )
        pictures = dict.fromkeys(("someone.jpg", "this.jpg", "that.jpg", "query.jpg"), self.picture)
        encoders = dict.fromkeys(("hashed.safetensors", "teacher.safetensors", "calibrated.safetensors"), self.encoder)
        files: dict[str, Callable[[Path], None]] = {
            "crops/": self.crops,
            "crops/entrance": self.crops,
            "crops/list.csv": self.manifest,
            "pictures": self.crops,
            "people.csv": self.manifest,
            "answers.csv": self.answers,
            "vectors.npy": self.vectors,
            "rows.csv": self.rows,
            "weights.pth": self.weights,
            "network.xml": self.network,
            "before.json": self.card,
            "after.json": self.card,
            "mine.yaml": self.recipe,
        }
        return {**data, **pictures, **encoders, **files, **({"people": self.gallery} if searches else {})}

    def data(self, path: Path) -> None:
        path.symlink_to(STATION)

    def picture(self, path: Path) -> None:
        shutil.copy(sorted((STATION / "query").iterdir())[len(list(self.folder.glob("*.jpg")))], path)

    def encoder(self, path: Path) -> None:
        shutil.copy(self.hashed, path)

    def gallery(self, path: Path) -> None:
        self.run("gallery", "create", path, "--encoder", "rendered")
        self.run("gallery", "add", path, STATION / "query", "-q")
        self.picture(self.folder / "17.jpg")
        (self.folder / "door.csv").write_text("path,camera\n17.jpg,door\n")
        self.run("gallery", "add", path, "--manifest", "door.csv", "-q")

    def crops(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(sorted((STATION / "query").iterdir())[:4]):
            camera = f"0001_c{number + 1}s1_000001_01.jpg" if path.name != "entrance" else f"{number}.jpg"
            shutil.copy(picture, path / camera)

    def manifest(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        pictures = sorted((STATION / "query").iterdir())
        rows = [f"{picture},{picture.name[:4]},{picture.name[6]}" for picture in pictures]
        path.write_text("\n".join(["path,person,camera", *rows]) + "\n")

    def answers(self, path: Path) -> None:
        path.write_text("one,other,same\n")  # those of somebody who quit at once

    def vectors(self, path: Path) -> None:
        rng = np.random.default_rng(0)
        people = rng.normal(size=(40, 64))
        np.save(path, (np.repeat(people, 6, axis=0) + 0.4 * rng.normal(size=(240, 64))).astype(np.float32))

    def rows(self, path: Path) -> None:
        lines = [f"v{row},{row // 6},{row % 3}" for row in range(240)]
        path.write_text("\n".join(["id,person,camera", *lines]) + "\n")

    def weights(self, path: Path) -> None:
        import torch

        from swiftreid.nn.trunks import make_trunk

        torch.save(make_trunk("resnet18_half_ibn_a").state_dict(), path)

    def network(self, path: Path) -> None:
        import openvino

        from swiftreid.encoding.encoder import open_encoder

        stored = open_encoder("rendered").network
        assert stored is not None
        (self.folder / "network.onnx").write_bytes(stored.parts["onnx"])
        openvino.save_model(openvino.convert_model(self.folder / "network.onnx"), path)

    def card(self, path: Path) -> None:
        self.run("evaluate", STATION, "--encoder", "stripes", "--untimed", "--card", path, "-q")

    def recipe(self, path: Path) -> None:
        shutil.copy(ROOT / "src/swiftreid/recipes/small/baseline.yaml", path)


def in_small(words: list[str]) -> list[str]:
    """The command with options that make it small."""
    small = [VALUES.get(words[place - 1], word) if place else word for place, word in enumerate(words)]
    name = " ".join(small[1:3]) if small[1] in ("bench", "gallery", "encoder") else small[1]
    return [*small, *SMALL.get(name, [])]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("page", "number", "reason", "lines"), BLOCKS, ids=[f"{page}-{number}" for page, number, _, _ in BLOCKS]
)
def test_a_console_block_runs(
    page: str, number: int, reason: str | None, lines: list[str], tmp_path: Path, hashed_station: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if reason is not None:
        pytest.skip(f"docs say: not run, {reason}")
    monkeypatch.setenv("SWIFTREID_CACHE", str(tmp_path / "cache"))
    stage = Stage(tmp_path, hashed_station)
    ran = 0
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] in INSTALLING:
            continue
        if words[0] == "python":
            done = run_python(*words[1:], folder=tmp_path)
            assert done.returncode == 0, done.stderr
        else:
            assert words[0] == "swiftreid", line
            small = in_small(words)
            stage.give(small)
            stage.run(*small[1:])
        ran += 1
    assert ran or all(shlex.split(line, comments=True)[0] in INSTALLING for line in lines)
