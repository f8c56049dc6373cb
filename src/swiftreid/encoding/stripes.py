"""The baseline encoder without a network: colour and texture histograms by horizontal stripe, whitened.

A descriptor of the hand-made kind that came before deep re-ID (stripes as in Gray & Tao 2008; soft HSV histograms with
a centre prior as in SDALF and LOMO; whitening as in KISSME and XQDA). It is quick, deterministic and needs no torch:
the floor that every learned encoder must beat, and the encoder of the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.card import EncoderCard, Preprocessing, Tensors
from swiftreid.encoding.checks import float_tensor, refuse
from swiftreid.encoding.hyperplanes import DEFAULT_SPEC, RandomHyperplanes
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.errors import UsageError

HEIGHT, WIDTH = 128, 64
DIMENSION = 192
_STRIPES = 8
_HUES, _SATURATIONS, _VALUES, _ORIENTATIONS = 12, 3, 4, 8
_DESCRIPTOR = _STRIPES * (_HUES * _SATURATIONS + 2 * _VALUES * 2 + _ORIENTATIONS)
_CHUNK = 32
_SHRINKAGE = 0.3
_DEFAULTS = RunOptions()


def describe(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The raw descriptor, square roots of histograms: uint8 RGB [n, 128, 64, 3] -> float32 [n, D]."""
    parts = [_describe_chunk(pictures[i : i + _CHUNK]) for i in range(0, len(pictures), _CHUNK)]
    return np.concatenate(parts)


def _describe_chunk(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    rgb = pictures.astype(np.float32) / np.float32(255)
    prior = _centre_prior()
    grey = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    hue, saturation, value = _hsv(_without_cast(rgb))
    cells = [
        # Colour where there is any: hue and saturation together, grey pixels counting little.
        _histogram(
            [(hue, _HUES, True), (saturation, _SATURATIONS, False)],
            prior * np.minimum(saturation * value * 4, 1) + 1e-4,
        ),
        # Brightness, with how colourful: separates black, grey and white.
        _histogram([(value, _VALUES * 2, False), (saturation, 2, False)], np.broadcast_to(prior, value.shape)),
        _gradients(grey, prior),
    ]
    roots: NDArray[np.float32] = np.sqrt(np.concatenate([cell.reshape(len(pictures), -1) for cell in cells], axis=1))
    return roots


def _centre_prior() -> NDArray[np.float32]:
    """Weight by column: people stand in the middle of a crop, background at its sides."""
    columns = (np.arange(WIDTH, dtype=np.float32) + 0.5) / WIDTH - 0.5
    prior: NDArray[np.float32] = np.exp(-((columns / 0.25) ** 2) / 2).astype(np.float32)
    return prior


def _without_cast(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divide half of the picture's colour cast out (grey world, square root), so that cameras agree better."""
    mean = rgb.mean(axis=(1, 2), keepdims=True) + np.float32(0.02)
    gain = np.sqrt(mean.mean(axis=3, keepdims=True) / mean)
    balanced: NDArray[np.float32] = np.clip(rgb * gain, 0, 1)
    return balanced


def _hsv(rgb: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    value = rgb.max(axis=3)
    spread = value - rgb.min(axis=3)
    safe = np.maximum(spread, np.float32(1e-6))
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    sector = np.where(
        value == red,
        ((green - blue) / safe) % 6,
        np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    return sector / np.float32(6), spread / np.maximum(value, np.float32(1e-6)), value


def _histogram(axes: list[tuple[NDArray[np.float32], int, bool]], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Joint histogram per stripe, [n, stripes, bins], each summing to 1; neighbouring bins share softly.

    Soft assignment is what makes two shots of one coat similar when their colours differ by less than a bin.
    """
    count, height, width = weight.shape
    stripe = np.arange(height) * _STRIPES // height
    base = (np.arange(count)[:, None, None] * _STRIPES + stripe[None, :, None]) * np.ones((1, 1, width), np.int64)
    cells = [(base, weight)]
    for values, bins, circular in axes:
        place = values * bins - np.float32(0.5)
        lower = np.floor(place)
        upper_share = place - lower
        low = lower.astype(np.int64)
        high = low + 1
        if circular:
            low, high = low % bins, high % bins
        else:
            low, high = np.clip(low, 0, bins - 1), np.clip(high, 0, bins - 1)
        cells = [
            (index * bins + side, share * mass)
            for index, mass in cells
            for side, share in ((low, 1 - upper_share), (high, upper_share))
        ]
    size = count * _STRIPES * int(np.prod([bins for _, bins, _ in axes]))
    total = np.zeros(size)
    for index, mass in cells:
        total += np.bincount(index.ravel(), weights=mass.ravel(), minlength=size)
    return _sum_to_one(total.reshape(count, _STRIPES, -1))


def _gradients(grey: NDArray[np.float32], prior: NDArray[np.float32]) -> NDArray[np.float32]:
    """Orientation of edges per stripe, weighted by their strength: [n, stripes, orientations]."""
    vertical, horizontal = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(vertical, horizontal)
    angle = (np.arctan2(vertical, horizontal) / np.float32(np.pi)) % 1
    return _histogram([(angle.astype(np.float32), _ORIENTATIONS, True)], strength * prior + np.float32(1e-5))


def _sum_to_one(histogram: NDArray[np.float64]) -> NDArray[np.float32]:
    shares: NDArray[np.float32] = (histogram / histogram.sum(axis=2, keepdims=True)).astype(np.float32)
    return shares


class StripesEncoder(Encoder):
    """`describe`, whitened by the statistics in the file, then random-hyperplane codes.

    Tensors: ``mean`` float32 [D] and ``whitening`` float16 [D, d].
    """

    kind = "stripes"

    def __init__(self, card: EncoderCard, tensors: Tensors, options: RunOptions = _DEFAULTS) -> None:
        super().__init__(card, tensors, options)
        width = card.embedding or 0
        if not 0 < width <= _DESCRIPTOR:
            raise refuse(card, f"an embedding of {card.embedding} numbers cannot be made of {_DESCRIPTOR}")
        if self.takes != "pictures" or self.size != (HEIGHT, WIDTH):
            raise refuse(card, f"stripes are of pictures of {HEIGHT} x {WIDTH}")
        self._mean = float_tensor(card, tensors, "mean", (_DESCRIPTOR,))
        self._whitening = float_tensor(card, tensors, "whitening", (_DESCRIPTOR, width)).astype(np.float32)
        self._planes = RandomHyperplanes(width, self.spec)

    def _embed(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        whitened = (describe(inputs) - self._mean) @ self._whitening
        embedding: NDArray[np.float32] = whitened / np.maximum(
            np.linalg.norm(whitened, axis=1, keepdims=True), np.float32(1e-12)
        )
        return embedding

    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return self._planes.values(embedding)


def fit_stripes(
    pictures: NDArray[np.uint8],
    persons: NDArray[np.int64] | None = None,
    *,
    provenance: str,
    licence: str,
    name: str = "stripes",
    training: Mapping[str, Any] | None = None,
) -> StripesEncoder:
    """Fit the whitening to uint8 RGB pictures [n, 128, 64, 3]; a few hundred are enough.

    With ``persons``, int64 [n], what varies between pictures of one person (light, pose, camera) is whitened away and
    the directions are kept in which people differ most for it (the discriminant analysis of KISSME and XQDA). Without,
    all variation has the same weight (PCA), which is much worse. ``training`` is the card's record of what was
    learned from.

    Raises:
        UsageError: fewer pictures than whitened dimensions, or no person with two pictures.
    """
    if len(pictures) <= DIMENSION:
        raise UsageError(f"{len(pictures)} pictures are too few to fit the whitening: give more than {DIMENSION}")
    raw = describe(pictures).astype(np.float64)
    mean = raw.mean(axis=0)
    total = np.cov(raw, rowvar=False)
    within = total if persons is None else _within_persons(raw, persons)
    # Shrinkage keeps directions of little variance, which are mostly noise, from counting as much as the others.
    shrunk = within + _SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    spread, axes = np.linalg.eigh(shrunk)
    whiten = axes / np.sqrt(spread) @ axes.T
    kept, directions = np.linalg.eigh(whiten @ (total if persons is None else total - within) @ whiten)
    order = np.argsort(-kept)[:DIMENSION]
    # eigh leaves each direction's sign open: fix it, so that the same pictures give the same encoder everywhere.
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    tensors: dict[str, NDArray[Any]] = {
        "mean": mean.astype(np.float32),
        "whitening": (whiten @ (directions * signs)[:, order]).astype(np.float16),
    }
    card = EncoderCard(
        kind=StripesEncoder.kind,
        name=name,
        architecture={"stripes": _STRIPES, "descriptor": raw.shape[1], "dimension": DIMENSION},
        spec=DEFAULT_SPEC,
        embedding=DIMENSION,
        preprocessing=Preprocessing(height=HEIGHT, width=WIDTH),
        provenance=provenance,
        licence=licence,
        training=dict(training or {}),
    )
    return StripesEncoder(card, tensors)


def _within_persons(raw: NDArray[np.float64], persons: NDArray[np.int64]) -> NDArray[np.float64]:
    """Covariance of the descriptor [n, D] around each person's own mean, [D, D]."""
    _, person, counts = np.unique(persons, return_inverse=True, return_counts=True)
    freedom = len(raw) - len(counts)
    if freedom < 1:
        raise UsageError("no person has two pictures: fit without person labels, or give more pictures of each")
    sums = np.zeros((len(counts), raw.shape[1]))
    np.add.at(sums, person, raw)
    centred = raw - (sums / counts[:, None])[person]
    covariance: NDArray[np.float64] = centred.T @ centred / freedom
    return covariance
