"""What the programs of this folder share: progress on the terminal, errors as one line, and figures over seeds."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from swiftreid.cli.console import Report
from swiftreid.errors import SwiftReIDError
from swiftreid.progress import Progress

if TYPE_CHECKING:
    from swiftreid.training.network.plan import Reports


def run(main: Callable[[], None]) -> None:
    """Run a program; an error that is meant for the user is one line, and the exit code 1."""
    try:
        main()
    except SwiftReIDError as error:
        sys.exit(f"error: {error}")


def progress() -> Progress:
    """Bars on a terminal, nothing elsewhere."""
    return Report(as_json=False, quiet=False).progress


def training_reports() -> Reports:
    """Of a training run: bars and notices on stderr."""
    from swiftreid.training.network.plan import Reports  # needs torch, which not every program does

    report = Report(as_json=False, quiet=False)
    return Reports(report.progress, note=report.note)


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over the seeds; of one seed the value alone."""
    mean = f"{statistics.mean(values):5.1f}"
    return f"{mean} ±{statistics.stdev(values):4.1f}" if len(values) > 1 else mean


def over(seeds: int) -> str:
    """What `spread` gives, in words."""
    return f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed, which gives no deviation"


def names_of(data: Iterable[Path]) -> list[str]:
    """Names of data sets, which tell them apart."""
    names = [path.resolve().name for path in data]
    if len(set(names)) < len(names):
        raise SystemExit(f"error: data sets must have folders of different names, got {', '.join(names)}")
    return names
