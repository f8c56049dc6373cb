"""The real commands, for the other scripts of this folder: run as a user would, and their JSON read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("swiftreid"))


def run(*arguments: object) -> Any:
    """The JSON document of one command; progress and errors go to the terminal."""
    done = subprocess.run([COMMAND, *map(str, arguments), "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)  # the command has said why
    return json.loads(done.stdout)


def train(recipe: Path, data: Path, folder: Path, settings: Iterable[str], *options: object) -> Path:
    """The encoder of a run, which is made, or goes on, if it is not there yet."""
    encoder = folder / "encoder.safetensors"
    if not encoder.is_file():
        changes = [part for change in settings for part in ("--set", change)]
        goes_on = ["--resume"] if (folder / "checkpoint.safetensors").is_file() else []
        run("train", recipe, data, "-o", folder, *changes, *options, *goes_on)
    return encoder


def evaluate(encoder: str | Path, data: Path, card: Path) -> dict[str, tuple[float, float]]:
    """Rank-1 and mAP in percent by ranking, from the result card, which is made if it is not there yet."""
    if not card.is_file():
        card.parent.mkdir(parents=True, exist_ok=True)
        run("evaluate", data, "--encoder", encoder, "--card", card, "--untimed", "--no-per-query")
    rows = json.loads(card.read_text())["rows"]
    return {row["ranking"]: (100 * row["rank1"], 100 * row["map_standard"]) for row in rows}
