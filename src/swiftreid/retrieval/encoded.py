"""Pictures and vectors to codes: the one place where a query or an addition meets the encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.decoding import MIN_SIDE
from swiftreid.data.pictures import BadPicture, thumbnail
from swiftreid.encoding.abstract import Cameras
from swiftreid.encoding.crops import Colour
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.stream import OnBad, encode_paths
from swiftreid.errors import UsageError
from swiftreid.gallery.store import Gallery
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.query import Picture
from swiftreid.search.stages import EMBEDDING

_BATCH = 64

Codes = Mapping[str, NDArray[Any]]
"""Packed codes by name, uint8 [n, row bytes], and under ``embedding`` the float embedding, float [n, d], if any."""


@dataclass(frozen=True)
class EncodedPictures:
    """Some of the pictures: their places among all of them, their codes and one thumbnail each."""

    places: NDArray[np.int64]
    codes: Codes
    thumbnails: list[bytes]


def encode_pictures(
    encoder: Encoder,
    pictures: Sequence[Picture],
    colour: Colour = "rgb",
    *,
    cameras: Cameras | None = None,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
) -> Iterator[EncodedPictures]:
    """Encode files, or arrays of pixels, in batches.

    Args:
        encoder: makes the codes.
        pictures: all of them files, or all of them uint8 [height, width, 3] of any size.
        colour: order of the channels of pixels.
        cameras: of each picture, None where it is not known; None if none is.
        on_bad: takes pictures that cannot be used, which are left out; without it the first one raises.
        progress: takes pictures encoded and pictures in all.

    Raises:
        UsageError: files and pixels are mixed.
        BadPicture: a picture cannot be used, and there is no ``on_bad``.
    """
    files = [Path(picture) for picture in pictures if isinstance(picture, (str, Path))]
    if len(files) == len(pictures):
        for batch in encode_paths(encoder, files, cameras=cameras, thumbnails=True, on_bad=on_bad, progress=progress):
            yield EncodedPictures(batch.indices, _columns(batch.encoding), batch.thumbnails)
        return
    if files:
        raise UsageError("pictures are files or arrays of pixels, not both in one call: add or search them separately")
    pixels = [picture for picture in pictures if not isinstance(picture, (str, Path))]
    for start in range(0, len(pixels), _BATCH):
        places, crops, small = [], [], []
        for place, picture in enumerate(pixels[start : start + _BATCH], start):
            reason = _problem(picture)
            if reason:
                bad = BadPicture(f"picture {place}", reason)
                if on_bad is None:
                    raise bad
                on_bad(bad)
                continue
            places.append(place)
            crops.append(picture)
            small.append(thumbnail(picture[..., ::-1] if colour == "bgr" else picture))
        if places:
            own = None if cameras is None else [cameras[place] for place in places]
            yield EncodedPictures(np.array(places, np.int64), _columns(encoder.encode(crops, colour, own)), small)
        progress("encoding", min(start + _BATCH, len(pixels)), len(pixels))


def encode_vectors(encoder: Encoder, vectors: NDArray[np.floating[Any]]) -> Codes:
    """Codes of float [n, d] or one row of it, [d]: what an encoder of vectors takes, or the embeddings of another.

    Raises:
        UsageError: they are no floats, or not as long as the encoder's.
    """
    given: object = vectors  # whatever the annotation says
    if not isinstance(given, np.ndarray) or given.dtype.kind != "f":
        kind = given.dtype if isinstance(given, np.ndarray) else type(given).__name__
        raise UsageError(f"vectors are a float array [n, d], not {kind}")
    rows = np.atleast_2d(vectors).astype(np.float32, copy=False)
    if encoder.takes == "vectors":
        return _columns(encoder.encode(rows))
    return _columns(encoder.encode_embedding(rows))


def columns_for(gallery: Gallery, columns: Codes) -> Codes:
    """Those of some columns that a gallery keeps."""
    kept = {*gallery.spec.names, *([EMBEDDING] if gallery.embedding else [])}
    return {name: column for name, column in columns.items() if name in kept}


def _columns(encoding: Encoding) -> Codes:
    return dict(encoding.codes) | ({} if encoding.embedding is None else {EMBEDDING: encoding.embedding})


def _problem(picture: object) -> str:
    """Why something is not a picture; empty if it is one."""
    if not isinstance(picture, np.ndarray):
        return f"it is a {type(picture).__name__}: pictures are files or uint8 arrays [height, width, 3]"
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        return f"it is {picture.dtype} {picture.shape}: pixels are uint8 [height, width, 3], from 0 to 255"
    if min(picture.shape[:2]) < MIN_SIDE:
        return f"it has {picture.shape[1]} x {picture.shape[0]} pixels; at least {MIN_SIDE} x {MIN_SIDE} are needed"
    return ""
