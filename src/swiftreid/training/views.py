"""Views: each training picture and changed copies of it, so that frozen embeddings can be trained with augmentation.

A frozen network is too slow to run inside a training loop on a CPU: it runs once over a few views of each picture, and
training draws among their embeddings. The default is one view, the picture itself, because more did not help on the
people held out in `swiftreid.training.frozen.pyramid`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from swiftreid.encoding.embedded import PLAIN, PictureViews, sources_digest
from swiftreid.errors import UsageError


def view_of(picture: NDArray[np.uint8], view: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One view of a picture: 0 as it is, 1 mirrored, 2 and up changed at random (odd ones also mirrored).

    A random view moves and scales the crop (up to 8 % and 12 %), turns it by up to 4 degrees, and changes brightness,
    contrast, saturation and the gain of each colour channel, as another camera would. Two in five also lose a rectangle
    (it takes the picture's mean) and one in four is blurred.

    Args:
        picture: uint8 [height, width, 3], RGB.
        view: the view's number, from 0.
        rng: source of all randomness; not used by views 0 and 1.

    Returns:
        uint8 of the same shape, newly allocated unless view is 0.

    Raises:
        UsageError: the picture is not uint8 [h, w, 3] or the view is negative.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise UsageError(f"a view needs a uint8 picture [h, w, 3], got {picture.dtype} {picture.shape}")
    if view < 0:
        raise UsageError(f"views are numbered from 0, got {view}")
    if view == 0:
        return picture
    if view % 2:
        picture = np.ascontiguousarray(picture[:, ::-1])
    if view == 1:
        return picture
    return _erase(_recolour(_move(picture, rng), rng), rng)


def picture_views(pictures: NDArray[np.uint8], view: int, first: int = 0, *, seed: int) -> NDArray[np.uint8]:
    """The same view of many pictures; the randomness depends on (seed, view, position) only, not on the batching.

    Args:
        pictures: uint8 [n, height, width, 3].
        view: the view's number.
        seed: the run's seed.
        first: position in the data set of ``pictures[0]``, so that batches of any size give the same views.
    """
    if view == 0:
        return pictures
    return np.stack([view_of(p, view, np.random.default_rng((seed, view, first + i))) for i, p in enumerate(pictures)])


def seeded_views(count: int, seed: int) -> PictureViews:
    """So many of `picture_views` of every picture, for encoders to embed."""
    if count == 1:
        return PLAIN
    own = Path(__file__)
    return PictureViews(count, partial(picture_views, seed=seed), f"{sources_digest(own.parent, own.name)} seed {seed}")


def recombined(pictures: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Half of the pictures mixed with another of the batch, for a teacher to say what it sees in them.

    A third of all keep their upper part over another's lower part, cut at a quarter to three quarters of the height: a
    person with other trousers. A sixth are blended with another in a random share. The rest stay.

    Args:
        pictures: uint8 [n, height, width, 3].
        rng: source of all randomness.

    Returns:
        uint8 of the same shape, newly allocated.
    """
    count, height = len(pictures), pictures.shape[1]
    others, kind = pictures[rng.permutation(count)], rng.random(count)
    cuts, shares = rng.uniform(0.25, 0.75, count) * height, rng.random((count, 1, 1, 1)).astype(np.float32)
    below = (np.arange(height) >= cuts[:, None])[:, :, None, None]
    blended = (shares * pictures + (1 - shares) * others + 0.5).astype(np.uint8)
    joined = np.where(below, others, pictures)
    kind = kind.reshape(-1, 1, 1, 1)
    return np.where(kind < 1 / 3, joined, np.where(kind < 1 / 2, blended, pictures))


def _move(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Shift, scale and turn about the centre, as a detector's box would; what comes into sight is the mean colour."""
    height, width = picture.shape[:2]
    scale = 1.0 + rng.uniform(-0.12, 0.12)
    angle = np.deg2rad(rng.uniform(-4.0, 4.0))
    dx, dy = rng.uniform(-0.08, 0.08) * width, rng.uniform(-0.08, 0.08) * height
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    cx, cy = width / 2, height / 2
    matrix = (cos, sin, cx - cos * (cx + dx) - sin * (cy + dy), -sin, cos, cy + sin * (cx + dx) - cos * (cy + dy))
    fill = tuple(int(v) for v in picture.mean(axis=(0, 1)))
    image = Image.fromarray(picture)
    moved = image.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=fill)
    if rng.random() < 0.25:
        moved = moved.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.5))))
    return np.asarray(moved)


def _recolour(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change saturation, contrast, brightness and the channels' gains."""
    values = picture.astype(np.float32)
    grey = values.mean(axis=2, keepdims=True)
    values = grey + rng.uniform(0.7, 1.3) * (values - grey)
    mean = values.mean()
    values = mean + rng.uniform(0.75, 1.25) * (values - mean)
    gains = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, size=3)
    changed: NDArray[np.uint8] = np.clip(values * gains + 0.5, 0, 255).astype(np.uint8)
    return changed


def _erase(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A rectangle of the mean colour, two times in five: 2 to 20 % of the area, its aspect ratio log-uniform.

    Milder than the published random erasing (`swiftreid.training.network.erasing`), for what a teacher or a frozen
    network is to see.
    """
    if rng.random() >= 0.4:
        return picture
    height, width = picture.shape[:2]
    area, ratio = rng.uniform(0.02, 0.2) * height * width, np.exp(rng.uniform(np.log(0.4), np.log(2.5)))
    h, w = min(height, round(np.sqrt(area * ratio))), min(width, round(np.sqrt(area / ratio)))
    top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    erased = picture.copy()
    erased[top : top + h, left : left + w] = picture.mean(axis=(0, 1))
    return erased
