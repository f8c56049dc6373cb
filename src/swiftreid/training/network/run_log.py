"""What a run writes while it learns: a text for people, lines of JSON for programs, and TensorBoard's events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from swiftreid.durable import save_bytes
from swiftreid.errors import SwiftReIDError

RECIPE: Final = "recipe.yaml"
LINES: Final = "log.jsonl"
_OURS: Final = "# The whole recipe of the run in this folder, with defaults and changed settings.\n"


def check_tensorboard() -> None:
    """Raise `SwiftReIDError` if events for TensorBoard cannot be written here."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise SwiftReIDError(
            "events need the package tensorboard: pip install 'swiftreid[tensorboard]', or leave them out "
            "(log.txt and log.jsonl have the same figures)"
        ) from error


class RunLog:
    """Files ``log.txt`` and ``log.jsonl`` of a run's folder, which are appended to, and events for TensorBoard.

    Args:
        folder: the run's folder; None writes nothing.
        tensorboard: whether to write events; needs the package tensorboard.

    Raises:
        SwiftReIDError: the package is not there.
    """

    def __init__(self, folder: Path | None, *, tensorboard: bool = False) -> None:
        self._folder = folder
        self._events: Any = None
        if folder is not None and tensorboard:
            check_tensorboard()
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(folder / "tensorboard"))

    def start(self, step: int, values: Mapping[str, float | int | str], recipe: Mapping[str, Any]) -> None:
        """Note what a run is of where it starts or resumes, and write its recipe into ``recipe.yaml``.

        A ``recipe.yaml`` that another program wrote there is not changed.

        Raises:
            SwiftReIDError: the recipe cannot be written.
        """
        self.write("run", step, values)
        if self._folder is None:
            return
        path, text = self._folder / RECIPE, yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True)
        if not path.exists() or path.read_bytes().startswith(_OURS.encode()):
            save_bytes(path, (_OURS + text).encode())
        if self._events is not None:
            self._events.add_text("recipe", f"```\n{text}```", step)

    def write(self, kind: str, step: int, values: Mapping[str, float | int | str]) -> None:
        """Note some values at a step; ``kind`` is "run", "train", "targets", "held out" or "guard"."""
        if self._folder is None:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        words = "  ".join(f"{name} {_word(value)}" for name, value in values.items())
        with (self._folder / "log.txt").open("a", encoding="utf-8") as text:
            text.write(f"{now}  {kind}  step {step}  {words}\n")
        with (self._folder / LINES).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"time": now, "kind": kind, "step": step, **values}) + "\n")
        if self._events is not None and kind != "run":
            for name, value in values.items():
                if not isinstance(value, str):
                    self._events.add_scalar(f"{kind}/{name}", value, step)

    def last_step(self) -> int:
        """The step of the last line that was written, 0 where there is none."""
        file = None if self._folder is None else self._folder / LINES
        lines = file.read_text(encoding="utf-8").splitlines() if file is not None and file.is_file() else []
        return int(json.loads(lines[-1])["step"]) if lines else 0

    def flush(self) -> None:
        """Have everything on the disk."""
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        """Finish writing."""
        if self._events is not None:
            self._events.close()


def _word(value: float | str) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
