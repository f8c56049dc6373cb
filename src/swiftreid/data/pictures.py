"""Pictures in bulk: found in folders, decoded in a few threads, scaled to what an encoder takes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from swiftreid.data.decoding import BadPicture, read_picture
from swiftreid.errors import SwiftReIDError, UsageError

__all__ = [
    "PICTURE_SUFFIXES",
    "BadPicture",
    "PictureBatch",
    "find_pictures",
    "read_batches",
    "read_picture",
    "resize",
    "thumbnail",
]

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
)

_CHUNK = 8  # pictures per task: handing over single ones would cost as much as decoding a small crop


@dataclass(frozen=True)
class PictureBatch:
    """Pictures that could be read, in the order asked for.

    Attributes:
        indices: positions in the list of paths, int64 [n], ascending.
        pictures: uint8 [n, height, width, 3] RGB.
        thumbnails: one small JPEG a picture, made before scaling; empty when none were asked for.
    """

    indices: NDArray[np.int64]
    pictures: NDArray[np.uint8]
    thumbnails: list[bytes]


@dataclass(frozen=True)
class _Read:
    """One picture, scaled, and its thumbnail if one was asked for."""

    scaled: NDArray[np.uint8]
    thumbnail: bytes | None


def resize(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Scale uint8 [h, w, 3] to [height, width, 3], bilinear and antialiased (as Pillow does it).

    Raises:
        UsageError: a height or width below 1.
    """
    if height < 1 or width < 1:
        raise UsageError(f"a picture cannot be scaled to {width} x {height} pixels")
    if picture.shape[:2] == (height, width):
        return picture
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


def thumbnail(picture: NDArray[np.uint8], height: int = 128) -> bytes:
    """A small JPEG (4:2:0, quality 80) of uint8 [h, w, 3]: at most ``height`` high, twice that wide, never enlarged."""
    rows, columns = picture.shape[:2]
    scale = min(1.0, height / rows, 2 * height / columns)
    small = resize(picture, max(1, round(rows * scale)), max(1, round(columns * scale)))
    data: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(small), quality=80, colorsubsampling="420")
    return data


def find_pictures(root: Path) -> list[Path]:
    """All picture files under a folder, sorted; or the file itself if ``root`` is one.

    Files count by their suffix (`PICTURE_SUFFIXES`); whether they really are pictures shows when they are read. Hidden
    files and folders are ignored, links are followed once.

    Raises:
        SwiftReIDError: ``root`` does not exist, a folder cannot be listed, or no picture is there.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise SwiftReIDError(f"{root} does not exist; give a picture file or a folder of pictures")
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for folder, inner, files in os.walk(root, onerror=_unlistable, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link back to a folder already walked
            inner.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        names = (name for name in files if not name.startswith("."))
        found.extend(path for name in names if (path := Path(folder, name)).suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise SwiftReIDError(
            f"no picture under {root}; looked for files ending in {' '.join(sorted(PICTURE_SUFFIXES))}"
        )
    return sorted(found)


def _unlistable(error: OSError) -> None:
    raise SwiftReIDError(
        f"folder {error.filename} cannot be listed: {error.strerror}; check its permissions"
    ) from error


def read_batches(
    paths: Sequence[Path],
    height: int,
    width: int,
    batch: int = 64,
    *,
    threads: int = 2,
    thumbnail_height: int | None = None,
    on_bad: Callable[[BadPicture], None] | None = None,
) -> Iterator[PictureBatch]:
    """Read and scale pictures in order, decoding ahead by about two batches in a few threads.

    Args:
        paths: picture files.
        height: pixels of each result.
        width: pixels of each result.
        batch: pictures per `PictureBatch`; the last one may have fewer.
        threads: decoding threads.
        thumbnail_height: also make a thumbnail of each picture, at most this many pixels high; None for none.
        on_bad: called, in order and in the caller's thread, for each picture that cannot be used, which is then left
            out; without it the first such picture ends the reading.

    Yields:
        Batches of the readable pictures, none of them empty.

    Raises:
        BadPicture: a picture cannot be used and there is no ``on_bad``.
    """
    if batch < 1 or threads < 1 or height < 1 or width < 1:
        raise UsageError(
            f"batch, threads, height and width must be at least 1, got {batch}, {threads}, {height} and {width}"
        )

    def read(path: Path) -> _Read | BadPicture:
        try:
            picture = read_picture(path)
        except BadPicture as bad:
            return bad
        small = None if thumbnail_height is None else thumbnail(picture, thumbnail_height)
        return _Read(resize(picture, height, width), small)

    return _batches(paths, read, batch, threads, on_bad)


def _batches(
    paths: Sequence[Path],
    read: Callable[[Path], _Read | BadPicture],
    batch: int,
    threads: int,
    on_bad: Callable[[BadPicture], None] | None,
) -> Iterator[PictureBatch]:
    def read_chunk(chunk: Sequence[Path]) -> list[_Read | BadPicture]:
        return [read(path) for path in chunk]

    starts = iter(range(0, len(paths), _CHUNK))
    ahead = threads + 2 * batch // _CHUNK
    waiting: deque[tuple[int, Future[list[_Read | BadPicture]]]] = deque()
    indices: list[int] = []
    results: list[_Read] = []
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        while True:
            while len(waiting) < ahead and (start := next(starts, None)) is not None:
                waiting.append((start, pool.submit(read_chunk, paths[start : start + _CHUNK])))
            if not waiting:
                break
            first, task = waiting.popleft()
            for index, result in enumerate(task.result(), first):
                if isinstance(result, BadPicture):
                    if on_bad is None:
                        raise result
                    on_bad(result)
                    continue
                indices.append(index)
                results.append(result)
                if len(indices) == batch:
                    yield _batch(indices, results)
                    indices, results = [], []
        if indices:
            yield _batch(indices, results)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _batch(indices: list[int], results: list[_Read]) -> PictureBatch:
    return PictureBatch(
        np.array(indices, np.int64),
        np.stack([result.scaled for result in results]),
        [result.thumbnail for result in results if result.thumbnail is not None],
    )
