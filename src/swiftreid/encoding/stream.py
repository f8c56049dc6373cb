"""Encode files from disk in a stream: decoding runs ahead, memory stays bounded, bad pictures are reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.pictures import BadPicture, read_batches
from swiftreid.encoding.abstract import Cameras, Encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.progress import Progress, no_progress

OnBad = Callable[[BadPicture], None]


@dataclass(frozen=True)
class EncodedBatch:
    """Some pictures of a stream: their places in the list of paths, int64 [n], and their encoding."""

    indices: NDArray[np.int64]
    encoding: Encoding
    thumbnails: list[bytes]
    """One JPEG a picture; empty when none were asked for."""


def encode_paths(
    encoder: Encoder,
    paths: Sequence[Path],
    *,
    batch: int = 64,
    cameras: Cameras | None = None,
    thumbnails: bool = False,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
    task: str = "encoding",
) -> Iterator[EncodedBatch]:
    """Encode ``paths`` in order, batch by batch.

    Unreadable pictures go to ``on_bad`` and are left out; without ``on_bad`` the first one raises `BadPicture`.
    ``cameras`` are of the pictures, for an encoder that knows cameras.
    ``progress`` takes pictures encoded and pictures in all, by the name of ``task``.
    """
    height, width = encoder.size
    done = 0
    for read in read_batches(
        paths, height, width, batch=batch, on_bad=on_bad, thumbnail_height=128 if thumbnails else None
    ):
        own = None if cameras is None else [cameras[place] for place in read.indices.tolist()]
        yield EncodedBatch(read.indices, encoder.encode(read.pictures, cameras=own), read.thumbnails)
        done = int(read.indices[-1]) + 1
        progress(task, done, len(paths))
    if done < len(paths):
        progress(task, len(paths), len(paths))


def encode_all(
    encoder: Encoder,
    paths: Sequence[Path],
    *,
    cameras: Cameras | None = None,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
    task: str = "encoding",
) -> tuple[NDArray[np.int64], Encoding]:
    """Encode ``paths`` into memory: the places that could be read, int64 [n], and one encoding of them all."""
    batches = list(encode_paths(encoder, paths, cameras=cameras, on_bad=on_bad, progress=progress, task=task))
    if not batches:
        height, width = encoder.size
        return np.zeros(0, np.int64), encoder.encode(np.zeros((0, height, width, 3), np.uint8))
    embeddings = [b.encoding.embedding for b in batches if b.encoding.embedding is not None]
    encoding = Encoding(
        codes={name: np.concatenate([b.encoding.codes[name] for b in batches]) for name in encoder.spec},
        embedding=np.concatenate(embeddings) if embeddings else None,
    )
    return np.concatenate([b.indices for b in batches]), encoding
