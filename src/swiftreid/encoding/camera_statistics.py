"""What a camera does to all its pictures, found without labels, and taken out of their embeddings.

Light, colour and angle of view move the embeddings of a camera together, so that pictures of different people by one
camera may lie closer than those of one person by two. Mean and covariance of each camera's embeddings are moved towards
those over all cameras; what all cameras have in common stays as it is, so codes and thresholds keep their meaning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError

ALIGNMENT: Final = 0.25
"""How far covariances are moved: 0 not at all, 0.5 until they are equal."""

ENOUGH: Final = 10
"""Pictures of a camera from which it has statistics."""

_ROUNDS: Final = 3  # of weighting cameras by what is known of them


@dataclass(frozen=True, eq=False)
class CameraStatistics:
    """Means and maps of cameras: an embedding x of camera k becomes ``(x - mean_k) map_k + centre``.

    Attributes:
        cameras: names, in order.
        pictures: of each camera, that this was fitted on.
        means: float32 [c, d].
        centre: mean over the cameras, float32 [d].
        maps: float32 [c, d, d]; None where covariances are left as they are.
    """

    cameras: tuple[str, ...]
    pictures: tuple[int, ...]
    means: NDArray[np.float32]
    centre: NDArray[np.float32]
    maps: NDArray[np.float32] | None = None

    def normalise(self, embeddings: NDArray[np.float32], cameras: Sequence[str | None]) -> NDArray[np.float32]:
        """Embeddings without what is their camera's; those of cameras that are not known stay as they are.

        Args:
            embeddings: float32 [n, d].
            cameras: of each.

        Raises:
            UsageError: there are not as many cameras as embeddings.
        """
        if len(cameras) != len(embeddings):
            raise UsageError(f"{len(embeddings)} embeddings have {len(cameras)} cameras: give one for each, or None")
        normalised = embeddings.copy()
        places = {camera: place for place, camera in enumerate(self.cameras)}
        of = np.array([places.get(camera, -1) if camera is not None else -1 for camera in cameras], np.int64)
        for place in np.unique(of[of >= 0]).tolist():
            rows = of == place
            moved = embeddings[rows] - self.means[place]
            normalised[rows] = (moved if self.maps is None else moved @ self.maps[place]) + self.centre
        return normalised


def fit_camera_statistics(
    embeddings: NDArray[np.float32], cameras: Sequence[str | None], *, alignment: float = ALIGNMENT
) -> CameraStatistics:
    """Fit statistics of every camera on pictures of nobody in particular.

    A camera of few pictures is moved little: its mean by the share of it that is not chance, ``tau^2 / (tau^2 +
    sigma^2 / n)`` with the variance between and within cameras (empirical Bayes); its covariance is mixed with that of
    all cameras as if d pictures had it.

    Args:
        embeddings: float32 [n, d].
        cameras: of each; those of unknown cameras, and of cameras with fewer than `ENOUGH` pictures, are left out.
        alignment: exponent a of the covariances C_k in ``map_k = C_k^-a C^a``, where C is their mean; 0.5 makes them
            equal, 0 leaves them.

    Raises:
        UsageError: fewer than two cameras have enough pictures, or ``alignment`` is not from 0 to 0.5.
    """
    if not 0 <= alignment <= 0.5:
        raise UsageError(f"alignment is from 0 to 0.5, not {alignment}")
    if len(cameras) != len(embeddings):
        raise UsageError(f"{len(embeddings)} embeddings have {len(cameras)} cameras: give one for each, or None")
    pictures = Counter(camera for camera in cameras if camera is not None)
    names = tuple(sorted(name for name, count in pictures.items() if count >= ENOUGH))
    if len(names) < 2:
        listed = ", ".join(f"{name}: {count}" for name, count in sorted(pictures.items())[:5]) or "none is known"
        raise UsageError(
            f"differences between cameras need two cameras with {ENOUGH} pictures or more each; cameras here: {listed}"
        )
    given = embeddings.astype(np.float64)
    rows = [np.array([camera == name for camera in cameras]) for name in names]
    counts = np.array([int(own.sum()) for own in rows])
    raw = np.stack([given[own].mean(axis=0) for own in rows])
    deviations = [given[own] - mean for own, mean in zip(rows, raw, strict=True)]
    length = given.shape[1]
    within = sum(float((each**2).sum()) for each in deviations) / max(1, int((counts - 1).sum()))
    noise = within / counts  # of each mean
    weights = np.ones(len(names))
    for _ in range(_ROUNDS):
        weights /= weights.sum()
        centre = weights @ raw
        spread = float(weights @ ((raw - centre) ** 2).sum(axis=1))
        expected = float(weights @ (noise * (1 - weights)))  # of chance alone
        between = max(0.0, (spread - expected) / max(1e-12, 1 - float((weights**2).sum())))
        weights = 1 / (between + noise + 1e-12)
    kept = between / (between + noise + 1e-12)
    means = centre + kept[:, None] * (raw - centre)
    maps = None
    if alignment:
        pooled = _shrunk(np.concatenate(deviations))
        covariances = [
            (each.T @ each + length * pooled) / (count + length) for each, count in zip(deviations, counts, strict=True)
        ]
        common = _power(np.mean(covariances, axis=0), alignment)
        maps = np.stack([_power(each, -alignment) @ common for each in covariances]).astype(np.float32)
    return CameraStatistics(names, tuple(counts.tolist()), means.astype(np.float32), centre.astype(np.float32), maps)


def _shrunk(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance [d, d] of deviations from a mean, float [n, d], shrunk towards a multiple of the identity.

    By the oracle approximating rule of Chen, Wiesel, Eldar and Hero, 2010.
    """
    count, length = deviations.shape
    sample = deviations.T @ deviations / count
    level = np.trace(sample) / length
    mean_square = (sample**2).mean()
    spread = (count + 1) * (mean_square - level**2 / length)
    share = 1.0 if spread <= 0 else min(1.0, (mean_square + level**2) / spread)
    shrunk: NDArray[np.float64] = (1 - share) * sample + share * level * np.eye(length)
    return shrunk


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """A power of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, 1e-6 * max(values.max(), 1e-12))
    power: NDArray[np.float64] = (vectors * values**exponent) @ vectors.T
    return power
