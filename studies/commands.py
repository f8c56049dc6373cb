"""The real commands, for the other scripts of this folder: run as a user would, and their JSON read."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from swiftreid.encoding.encoder import open_encoder
from swiftreid.evaluation.attributes import AttributeScores
from swiftreid.evaluation.card import ResultCard

COMMAND = str(Path(sys.executable).with_name("swiftreid"))


def run(*arguments: object) -> Any:
    """The JSON document of one command; progress and errors go to the terminal."""
    done = subprocess.run([COMMAND, *map(str, arguments), "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)  # the command has said why
    return json.loads(done.stdout)


def once(folder: Path, *arguments: object, resume: tuple[str, str] | None = None) -> None:
    """Run a command that fills a folder, unless it has been run there to its end.

    Args:
        folder: what it fills; the arguments are kept in it, and another set of them is refused.
        arguments: of the command.
        resume: the file that shows that a run was stopped, and the option with which it goes on.
    """
    told, stated = folder / "command.json", [str(argument) for argument in arguments]
    before = json.loads(told.read_text()) if told.is_file() else {"arguments": stated, "finished": False}
    if before["arguments"] != stated:
        raise SystemExit(f"error: {folder} holds the result of other settings; give another --out, or delete it")
    if before["finished"]:
        return
    folder.mkdir(parents=True, exist_ok=True)
    told.write_text(json.dumps({"arguments": stated, "finished": False}))
    run(*arguments, *([resume[1]] if resume and (folder / resume[0]).is_file() else []))
    told.write_text(json.dumps({"arguments": stated, "finished": True}))


def train(recipe: str, data: Path, folder: Path, settings: Iterable[str], *options: object) -> Path:
    """The encoder of a run, which is made, or goes on, if it is not there yet."""
    changes = [part for change in settings for part in ("--set", change)]
    arguments = ("train", recipe, data, "-o", folder, *changes, *options)
    once(folder, *arguments, resume=("checkpoint.safetensors", "--resume"))
    return folder / "encoder.safetensors"


def evaluate(encoder: str | Path, data: Path, card: Path) -> dict[str, tuple[float, float]]:
    """Rank-1 and mAP in percent by ranking, and accuracy and mA of "attributes", if they are known.

    They are read from the result card, which is made if it is not there yet.
    """
    whose = open_encoder(encoder).fingerprint
    found = ResultCard.load(card) if card.is_file() else None
    if found is None or found.encoder is None or found.encoder.fingerprint != whose:
        card.parent.mkdir(parents=True, exist_ok=True)
        run("evaluate", data, "--encoder", encoder, "--card", card, "--untimed", "--no-per-query")
        found = ResultCard.load(card)
    figures = {row.ranking: (100 * row.rank1, 100 * row.map_standard) for row in found.rows}
    told = AttributeScores(found.attributes)
    if told.accuracy is not None and told.mean_accuracy is not None:
        figures["attributes"] = (100 * told.accuracy, 100 * told.mean_accuracy)
    return figures


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over the seeds; of one seed the value alone."""
    mean = f"{statistics.mean(values):5.1f}"
    return f"{mean} ±{statistics.stdev(values):4.1f}" if len(values) > 1 else mean


def over(seeds: int) -> str:
    """What `spread` tells, in words."""
    return f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed, which tells no deviation"


def names_of(data: Iterable[Path]) -> list[str]:
    """Names of data sets, which tell them apart."""
    names = [path.resolve().name for path in data]
    if len(set(names)) < len(names):
        raise SystemExit(f"error: data sets must have folders of different names, got {', '.join(names)}")
    return names
