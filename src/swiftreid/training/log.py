"""What a run writes while it learns: a text for people, lines of JSON for programs, and TensorBoard's events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class RunLog:
    """Files ``log.txt`` and ``log.jsonl`` of a run's folder, which are appended to, and events for TensorBoard.

    Args:
        folder: the run's folder; None writes nothing.
        tensorboard: whether to write events; needs the package tensorboard.
    """

    def __init__(self, folder: Path | None, *, tensorboard: bool = False) -> None:
        self._folder = folder
        self._events: Any = None
        if folder is not None and tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(folder / "tensorboard"))

    def write(self, kind: str, step: int, values: Mapping[str, float | int | str]) -> None:
        """Note some values at a step; ``kind`` is such as "train" or "held out"."""
        if self._folder is None:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        words = "  ".join(f"{name} {_word(value)}" for name, value in values.items())
        with (self._folder / "log.txt").open("a", encoding="utf-8") as text:
            text.write(f"{now}  {kind}  step {step}  {words}\n")
        with (self._folder / "log.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"time": now, "kind": kind, "step": step, **values}) + "\n")
        if self._events is not None:
            for name, value in values.items():
                if not isinstance(value, str):
                    self._events.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Finish writing."""
        if self._events is not None:
            self._events.close()


def _word(value: float | str) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
