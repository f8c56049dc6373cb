"""Encoded pictures of known people: what an evaluation works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search.stages import EMBEDDING


@dataclass(frozen=True)
class LabelledCodes:
    """Encoded pictures of known people.

    Attributes:
        codes: packed codes by name, uint8 [n, row bytes].
        persons: person of each, int64 [n].
        cameras: camera of each, int64 [n].
        embedding: float32 [n, d], or None.
        paths: file of each picture, where they came from files.

    Raises:
        UsageError: these are not all of the same number of pictures, or persons or cameras are no whole numbers.
    """

    codes: Mapping[str, NDArray[np.uint8]]
    persons: NDArray[np.int64]
    cameras: NDArray[np.int64]
    embedding: NDArray[np.float32] | None = None
    paths: Sequence[Path] | None = None

    def __post_init__(self) -> None:
        for name, ids in (("persons", self.persons), ("cameras", self.cameras)):
            if not isinstance(ids, np.ndarray) or ids.dtype.kind not in "iu":
                kind = ids.dtype if isinstance(ids, np.ndarray) else type(ids).__name__
                raise UsageError(f"{name} are one whole number for each picture, in a NumPy array, not {kind}")
        given = {"cameras": self.cameras, "embedding": self.embedding, "paths": self.paths, **self.codes}
        for name, part in given.items():
            if part is not None and len(part) != len(self.persons):
                raise UsageError(f"{name} are of {len(part):,} pictures, but persons of {len(self.persons):,}")

    def __len__(self) -> int:
        return len(self.persons)

    def columns(self, *, embedding: bool = False) -> dict[str, NDArray[Any]]:
        """What a search takes: the codes, and on request the float embedding beside them.

        Raises:
            UsageError: the embedding is asked for, and there is none.
        """
        found: dict[str, NDArray[Any]] = dict(self.codes)
        if embedding:
            if self.embedding is None:
                raise UsageError("these encodings hold no float embedding for a cascade to end in; end it in a code")
            found[EMBEDDING] = np.ascontiguousarray(self.embedding)
        return found

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> LabelledCodes:
        """The chosen rows."""
        return LabelledCodes(
            {name: code[rows] for name, code in self.codes.items()},
            self.persons[rows],
            self.cameras[rows],
            None if self.embedding is None else self.embedding[rows],
            None if self.paths is None else [self.paths[i] for i in np.arange(len(self))[rows]],
        )


def together(first: LabelledCodes, second: LabelledCodes) -> LabelledCodes:
    """Both as one set of pictures, the second behind the first; an embedding or paths that one lacks are left out."""
    embedding = paths = None
    if first.embedding is not None and second.embedding is not None:
        embedding = np.concatenate([first.embedding, second.embedding])
    if first.paths is not None and second.paths is not None:
        paths = [*first.paths, *second.paths]
    return LabelledCodes(
        {name: np.concatenate([code, second.codes[name]]) for name, code in first.codes.items()},
        np.concatenate([first.persons, second.persons]),
        np.concatenate([first.cameras, second.cameras]),
        embedding,
        paths,
    )


def own_pictures(query: LabelledCodes, gallery: LabelledCodes) -> NDArray[np.int64]:
    """Where each query's own file stands in the gallery, or -1; int64 [q]. Both must know their files."""
    places = {path.resolve(): place for place, path in enumerate(gallery.paths or ())}
    return np.array([places.get(path.resolve(), -1) for path in query.paths or ()], np.int64)
