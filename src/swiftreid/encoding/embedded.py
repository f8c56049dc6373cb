"""Embeddings of picture files, each list of files encoded once: the cache is asked first."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache as once
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.pictures import BadPicture, read_batches
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.cache import EncodingCache, KeptEmbeddings
from swiftreid.encoding.card import fingerprint_of
from swiftreid.encoding.stream import OnBad
from swiftreid.progress import Progress, no_progress

BATCH: Final = 64
"""Pictures embedded at a time."""

_PACKAGES = ("swiftreid", "numpy", "pillow", "simplejpeg", "onnxruntime", "onnxruntime-gpu", "openvino")


@dataclass(frozen=True)
class PictureViews:
    """Several views of every picture.

    Attributes:
        count: how many; view 0 is the picture as it is.
        make: pictures uint8 [n, h, w, 3], number of the view, place of the first picture in the list -> the view.
        identity: of what ``make`` does; other views have another one.
    """

    count: int
    make: Callable[[NDArray[np.uint8], int, int], NDArray[np.uint8]]
    identity: str


PLAIN: Final = PictureViews(1, lambda pictures, _view, _first: pictures, "")
"""The pictures as they are."""


def embed_paths(
    encoder: Encoder,
    paths: Sequence[Path],
    *,
    views: PictureViews = PLAIN,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
    task: str = "encoding",
    cache: EncodingCache | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Embed picture files, or take their embeddings from the cache.

    Args:
        encoder: gives an embedding.
        paths: picture files.
        views: of each picture.
        on_bad: called for each picture that cannot be used, which is left out; without it the first one raises.
        progress: called as pictures are embedded.
        task: what progress is of.
        cache: None for the user's own (`EncodingCache.default`); ``EncodingCache(None)`` for none.

    Returns:
        The places that could be read, int64 [n], and their embeddings, float32 [views, n, d].

    Raises:
        BadPicture: a picture cannot be used and there is no ``on_bad``.
        UsageError: the encoder gives no embedding, or takes no pictures.
    """
    cache = EncodingCache.default() if cache is None else cache
    base = encoder.base  # what it gives does not depend on the codes above it
    key = "" if cache.folder is None else _key(base, paths, views)
    kept = cache.get(key) if key else None
    if kept is None:
        kept = _embed(base, paths, views=views, on_bad=on_bad, progress=progress, task=task)
        if key and _key(base, paths, views) == key:  # no picture has changed meanwhile
            cache.put(key, kept, encoder=encoder.card.name)
    else:
        for name, reason in kept.unreadable:
            bad = BadPicture(name, reason)
            if on_bad is None:
                raise bad
            on_bad(bad)
        progress(task, len(paths), len(paths))
    return kept.rows, kept.embeddings


def _embed(
    encoder: Encoder,
    paths: Sequence[Path],
    *,
    views: PictureViews,
    on_bad: OnBad | None,
    progress: Progress,
    task: str,
) -> KeptEmbeddings:
    unreadable: list[tuple[str, str]] = []

    def bad(picture: BadPicture) -> None:
        if on_bad is None:
            raise picture
        unreadable.append((picture.name, picture.reason))
        on_bad(picture)

    rows: list[NDArray[np.int64]] = []
    parts: list[NDArray[np.float32]] = []
    done = 0
    for read in read_batches(paths, *encoder.size, batch=BATCH, on_bad=bad):
        first = int(read.indices[0])
        seen = (views.make(read.pictures, view, first) for view in range(views.count))
        parts.append(np.stack([encoder.embed(pictures) for pictures in seen]))
        rows.append(read.indices)
        done = int(read.indices[-1]) + 1
        progress(task, done, len(paths))
    if done < len(paths):
        progress(task, len(paths), len(paths))
    if not parts:
        empty = np.zeros((views.count, 0, encoder.card.embedding or 0), np.float32)
        return KeptEmbeddings(np.zeros(0, np.int64), empty, unreadable)
    return KeptEmbeddings(np.concatenate(rows), np.concatenate(parts, axis=1), unreadable)


def _key(encoder: Encoder, paths: Sequence[Path], views: PictureViews) -> str:
    """Changes with everything that could change the embeddings: encoder, pictures, views, and the code itself."""
    digest = hashlib.sha256()
    # Computed, not read off the card: a file made by hand could state another encoder's.
    digest.update(f"{fingerprint_of(encoder.card, encoder.tensors)} {encoder.options.device}\n".encode())
    digest.update(f"{views.count if views.identity else 1} {views.identity}\n{_code()}\n".encode())
    for path in paths:
        try:
            found = path.stat()
            state = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"
        except OSError:
            state = "?"
        digest.update(os.fsencode(path.absolute()) + f"\0{state}\n".encode())
    return digest.hexdigest()


@once
def _code() -> str:
    """Identity of what reads and embeds pictures: this package's files, and the versions of those that it uses."""
    return f"{sources_digest(Path(__file__).parents[1], 'data', 'encoding')} {platform.machine()} {_versions()}"


def sources_digest(root: Path, *parts: str) -> str:
    """SHA-256 of the Python files of some folders, or of single files, of a package."""
    digest = hashlib.sha256()
    for part in parts:
        place = root / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _versions() -> str:
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return " ".join(found)
