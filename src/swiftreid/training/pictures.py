"""The pictures that a network learns from, decoded and scaled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.pictures import BadPicture, read_batches, read_picture, resize
from swiftreid.data.samples import Split, cameras_of, persons_of
from swiftreid.data.schemas import AttributeSchema, attribute_bits, schema_of, unusable
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.progress import Progress, no_progress

KEPT_BYTES: Final = 6 * 2**30
"""Decoded pictures are kept in memory up to so many bytes; more are decoded each time they are drawn."""


@dataclass(frozen=True)
class TrainingPictures:
    """Readable pictures of known people.

    Attributes:
        paths: file of each.
        persons: person of each, int64 [n].
        cameras: camera of each, int64 [n].
        size: height and width that they are scaled to.
        kept: uint8 [n, height, width, 3], or None where they are too many to keep.
        views: of each file; all files come once before any comes again.
        attributes: of each, float32 [n, a]: 1 yes, 0 no, NaN not known; where they are asked for.
    """

    paths: Sequence[Path]
    persons: NDArray[np.int64]
    cameras: NDArray[np.int64]
    size: tuple[int, int]
    kept: NDArray[np.uint8] | None = None
    views: int = 1
    attributes: NDArray[np.float32] | None = None

    @property
    def files(self) -> int:
        """How many files they are of."""
        return len(self) // self.views

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, places: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Pictures by their places, uint8 [m, height, width, 3].

        Raises:
            BadPicture: one that could be read when training started no longer can.
        """
        if self.kept is not None:
            drawn: NDArray[np.uint8] = self.kept[places]
            return drawn
        with ThreadPoolExecutor(2, thread_name_prefix="decode") as pool:
            read = pool.map(lambda i: resize(read_picture(self.paths[i]), *self.size), places.tolist())
            return np.stack(list(read))


def load_pictures(
    samples: Split,
    size: tuple[int, int],
    *,
    on_bad: Callable[[BadPicture], None] | None = None,
    progress: Progress = no_progress,
    task: str = "reading pictures",
    limit: int = KEPT_BYTES,
    schema: AttributeSchema | None = None,
) -> TrainingPictures:
    """Read every picture once, and keep those that can be read.

    Args:
        samples: pictures of known people.
        size: height and width to scale to.
        on_bad: called for each picture that cannot be read, which is left out; without it the first raises.
        progress: takes pictures read and pictures in all.
        task: what progress calls it.
        limit: bytes that may be kept; more pictures are read again each time.
        schema: which attributes to keep of the people.

    Raises:
        SwiftReIDError: no picture could be read.
    """
    keep = len(samples) * size[0] * size[1] * 3 <= limit
    kept = np.empty((len(samples) if keep else 0, *size, 3), np.uint8)
    places: list[NDArray[np.int64]] = []
    done = 0
    for batch in read_batches([sample.path for sample in samples], *size, on_bad=on_bad):
        places.append(batch.indices)
        if keep:
            kept[done : done + len(batch.pictures)] = batch.pictures
        done += len(batch.pictures)
        progress(task, int(batch.indices[-1]) + 1, len(samples))
    if not places:
        raise SwiftReIDError(f"none of {len(samples)} pictures could be read; run `swiftreid doctor` on the data set")
    rows = np.concatenate(places)
    return TrainingPictures(
        [samples[i].path for i in rows],
        persons_of(samples)[rows],
        cameras_of(samples)[rows],
        size,
        kept[:done] if keep else None,
        attributes=None if schema is None else attributes_of([samples[i] for i in rows], schema),
    )


def schema_to_learn(samples: Split, data: str, *, off: str) -> AttributeSchema:
    """The attributes that are known of samples of a data set, to be learned.

    Raises:
        UsageError: none is, or not as a schema has them; the message names the setting ``off``, with which none are
            learned.
    """
    if why := unusable(samples):
        raise UsageError(f"this recipe learns attributes, but those of {data} cannot be learned: {why}; or set {off}")
    schema = schema_of(samples)
    if schema is None:
        raise UsageError(
            f"this recipe learns attributes, but no attribute of the people of {data} is known: put an "
            f"attributes.csv beside the pictures, or set {off}"
        )
    return schema


def attribute_shares(samples: Split, schema: AttributeSchema) -> list[float]:
    """Share of samples with each attribute, among those where it is known; one half where it never is.

    Raises:
        UsageError: as for `swiftreid.data.schemas.attribute_bits`.
    """
    bits, known = attribute_bits(samples, schema)
    count = known.sum(axis=0)
    shares: list[float] = np.where(count > 0, (bits & known).sum(axis=0) / np.maximum(count, 1), 0.5).tolist()
    return shares


def attributes_of(samples: Split, schema: AttributeSchema) -> NDArray[np.float32]:
    """Attributes of samples as methods learn them, float32 [n, a]: 1 yes, 0 no, NaN not known.

    Raises:
        UsageError: as for `swiftreid.data.schemas.attribute_bits`.
    """
    bits, known = attribute_bits(samples, schema)
    return np.where(known, bits, np.nan).astype(np.float32)
