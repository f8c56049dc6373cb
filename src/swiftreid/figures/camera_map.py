"""A map of embeddings by camera, before and after what is the cameras' is taken out; no picture of anybody is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.figures.style import LOOKS, TextSize, compose, new_figure, styled, text_inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS: Final = 2000
"""Pictures that a map shows, at most."""

_BESIDE: Final = 4.5  # heights of the text beside each label: its marker, and the space to the next


@dataclass(frozen=True, eq=False)
class CameraMap:
    """Embeddings in two dimensions.

    Attributes:
        before: as the network gives them, float64 [n, 2]: their first two principal components.
        after: without what is the cameras', on the same axes from their own mean, float64 [n, 2].
        cameras: of each picture.
        explained: share of the variance before that the two axes have.
        between_before: share of the variance, in all dimensions, that lies between the means of the cameras.
        between_after: likewise after.
    """

    before: NDArray[np.float64]
    after: NDArray[np.float64]
    cameras: list[str]
    explained: float
    between_before: float
    between_after: float


def camera_map(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    cameras: Sequence[str],
    *,
    points: int = POINTS,
    seed: int = 0,
) -> CameraMap:
    """Project embeddings onto the first two principal components of those before.

    Args:
        before: float32 [n, d].
        after: of the same pictures, float32 [n, d].
        cameras: of each.
        points: pictures to draw, at most; shares of variance are of all.
        seed: which pictures are drawn.

    Raises:
        UsageError: they are not of the same pictures, or of one camera only.
    """
    if before.shape != after.shape or len(cameras) != len(before):
        raise UsageError(f"a map needs the same pictures: got {before.shape}, {after.shape}, {len(cameras)} cameras")
    if len(set(cameras)) < 2:
        raise UsageError("a map by camera needs pictures of two cameras or more, with their cameras")
    mean = before.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(np.cov((before - mean).T))
    axes = vectors[:, [-1, -2]]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # the same way round everywhere
    chosen = np.sort(np.random.default_rng(seed).permutation(len(before))[:points])
    return CameraMap(
        (before[chosen] - mean) @ axes,
        (after[chosen] - after.mean(axis=0, dtype=np.float64)) @ axes,
        [cameras[place] for place in chosen.tolist()],
        float(values[-2:].sum() / max(values.sum(), 1e-12)),
        between_cameras(before, cameras),
        between_cameras(after, cameras),
    )


def between_cameras(embeddings: NDArray[np.float32], cameras: Sequence[str]) -> float:
    """Share of the variance that lies between the means of the cameras.

    Args:
        embeddings: float32 [n, d].
        cameras: of each.

    Example:
        >>> between_cameras(np.array([[0.0, 1], [0, -1], [2, 1], [2, -1]], np.float32), ["a", "a", "b", "b"])
        0.5
    """
    given = embeddings.astype(np.float64)
    given -= given.mean(axis=0)
    _, of = np.unique(list(cameras), return_inverse=True)
    counts = np.bincount(of)
    sums = np.zeros((len(counts), given.shape[1]))
    np.add.at(sums, of, given)
    between = float((sums**2 / counts[:, None]).sum())
    return between / max(float((given**2).sum()), 1e-12)


def draw_camera_map(found: CameraMap, about: Sequence[str], *, text: TextSize = "normal") -> Figure:
    """Draw the map before and after side by side, each camera with a colour and a marker of its own.

    Of many cameras those with most pictures have their own; the rest share one.

    Args:
        found: by `camera_map`.
        about: data set and encoder.
        text: size of the text.

    Raises:
        SwiftReIDError: matplotlib is not installed.
    """
    with styled(text) as points_high:
        figure = new_figure(8.4, 5.0, text)
        own, labels = _own_cameras(figure, found.cameras, 0.9 * points_high)
        of = np.array([own.index(name) if name in own else len(own) for name in found.cameras])
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        reach = 1.06 * max(float(np.abs(points).max()) for points in (found.before, found.after))
        order = np.random.default_rng(0).permutation(len(of))  # else the last camera would lie on top of the others
        parts = [
            (panels[0], found.before, f"before: {found.between_before:.1%} between cameras"),
            (panels[1], found.after, f"after: {found.between_after:.1%} between cameras"),
        ]
        for axes, points, words in parts:
            for start in range(0, len(order), 100):
                some = order[start : start + 100]
                for place, label in enumerate(labels):
                    rows = some[of[some] == place]
                    look = LOOKS[place]
                    axes.scatter(
                        points[rows, 0],
                        points[rows, 1],
                        s=11,
                        color=look.colour,
                        marker=look.marker,
                        alpha=0.55,
                        linewidths=0,
                        label=label if start == 0 else None,
                    )
            axes.set_title(words, loc="left")
            axes.set_xlabel("first principal component")
            axes.set_aspect("equal", "box")
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
        panels[0].set_ylabel("second principal component")
        notes = [
            "Before: as the network gives them. After: without what is the cameras'. Each point is a picture.",
            f"Both panels have the axes of the left one, which have {found.explained:.0%} of its variance. The share "
            "between cameras is of the variance in all dimensions.",
        ]
        keys = panels[0].get_legend_handles_labels()[0]
        compose(figure, "Embeddings by camera", about, notes, keys=keys)
        return figure


def _own_cameras(figure: Figure, cameras: Sequence[str], points: float) -> tuple[list[str], list[str]]:
    """The cameras that are told apart, those with most pictures first, and labels that fit in one line."""
    names = [name for name, _ in sorted(Counter(cameras).items(), key=lambda item: (-item[1], item[0]))]
    for count in range(min(len(names), len(LOOKS)), 0, -1):
        own = names[: count if count == len(names) else count - 1]
        rest = len(names) - len(own)
        labels = [f"camera {name}" for name in own] + ([f"{rest} other cameras"] if rest else [])
        room = sum(text_inches(figure, label, points) + _BESIDE * points / 72 for label in labels)
        if room < figure.get_size_inches()[0]:
            break
    return own, labels
