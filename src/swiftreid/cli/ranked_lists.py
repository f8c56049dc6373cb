"""Which queries `swiftreid figure ranked` draws, and whether they are real people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from swiftreid.cli.figure_sources import TestSet
from swiftreid.data.samples import ReidData
from swiftreid.errors import UsageError


def wanted_queries(names: Sequence[str], test: TestSet) -> list[int]:
    """Positions of the queries of these names: paths relative to the data set's folder, or file names.

    Raises:
        UsageError: a name is of no query, or of several.
    """
    paths = list(test.query.paths or [])
    chosen = []
    for name in names:
        found = [i for i, path in enumerate(paths) if name in (path.name, path.stem, name_of(path, test.data))]
        if len(found) != 1:
            what = "no query" if not found else f"{len(found)} queries"
            raise UsageError(
                f"--queries {name!r} is the name of {what} of {test.data.name}; write a path such as "
                f"{name_of(paths[0], test.data)}"
            )
        chosen += found
    return chosen


def name_of(path: Path, data: ReidData) -> str:
    """The picture's path relative to the data set's folder, as cards have it; its name where it lies elsewhere."""
    return path.relative_to(data.root).as_posix() if path.is_relative_to(data.root) else path.name


def shows_real_people(data: ReidData) -> bool:
    """Whether the pictures may be of real people: all but those that `swiftreid synth` says it rendered."""
    return not data.rendered
