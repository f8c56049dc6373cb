"""A start for the pyramid from the training data's own scatter: discriminant directions, rotated for binarisation.

A frozen embedding with a few hundred training persons is soon learned by heart. Fisher's discriminant, fitted in closed
form with strong shrinkage, generalises better than gradient descent from random weights, and the FC layers of a pyramid
can hold it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ITQ_ROUNDS = 50
ITQ_LONGEST = 256
"""Longer codes take a random rotation: alternating SVDs of a large matrix cost more than they bring."""


@dataclass(frozen=True)
class Discriminant:
    """Directions in which persons differ more than pictures of one person do.

    Attributes:
        directions: float64 [d, d], one direction a column, strongest first; pictures of one person have variance
            about 1 along each.
        strengths: float64 [d], variance between persons along each.
    """

    directions: Array
    strengths: Array

    @property
    def metric(self) -> Array:
        """The directions, each weighted by the root of ``strength / (1 + strength)``, float64 [d, d].

        The share of the variance along a direction that is due to the person: weak directions fade instead of being
        cut off at some number.
        """
        return self.directions * np.sqrt(self.strengths / (1.0 + self.strengths))


def fit_discriminant(
    inputs: NDArray[np.float32],
    classes: NDArray[np.integer],
    cameras: NDArray[np.integer] | None,
    *,
    shrinkage: float,
) -> Discriminant:
    """Fisher's discriminant whose within-person scatter is that of two pictures *by different cameras*.

    Re-identification compares pictures across cameras, so how a person's mean moves from camera to camera counts in
    full, however many pictures each camera took (as in XQDA, Liao et al. 2015). Within-person scatter is the scatter
    about the mean of each (person, camera), plus the covariance of a person's camera means, averaged over the persons
    whom at least two cameras saw. Without cameras, it is the scatter about each person's mean.

    Args:
        inputs: float32 [views, n, d].
        classes: person of each picture, int [n], from 0 without gaps.
        cameras: camera of each picture, int [n], or None.
        shrinkage: share of the mean variance added to each variance before inversion.
    """
    views = inputs.astype(np.float64)
    dimension = views.shape[2]
    per_picture = views.mean(axis=0)
    groups = np.zeros_like(classes) if cameras is None else np.asarray(cameras)
    pairs, group_of = np.unique(np.stack([classes, groups], axis=1), axis=0, return_inverse=True)
    group_of = group_of.reshape(-1)
    group_means = _means(per_picture, group_of, len(pairs))
    residuals = (views - group_means[group_of]).reshape(-1, dimension)
    within = residuals.T @ residuals / len(residuals)

    persons = int(classes.max()) + 1
    seen_by = np.bincount(pairs[:, 0], minlength=persons)
    if (seen_by > 1).any():
        centres = _means(group_means, pairs[:, 0], persons)
        moves = group_means - centres[pairs[:, 0]]
        share = np.where(seen_by > 1, 1.0 / np.maximum(seen_by - 1, 1), 0.0)[pairs[:, 0]]
        within += (moves * share[:, None]).T @ moves / (seen_by > 1).sum()

    means = _means(per_picture, classes, persons)
    between = np.cov(means.T).reshape(dimension, dimension)
    variances, axes = np.linalg.eigh(within + shrinkage * np.trace(within) / dimension * np.eye(dimension))
    whitening = axes / np.sqrt(np.maximum(variances, 1e-12)) @ axes.T
    strengths, rotation = np.linalg.eigh(whitening @ between @ whitening)
    return Discriminant(whitening @ rotation[:, ::-1], np.maximum(strengths[::-1], 1e-9))


def start_weights(
    inputs: NDArray[np.float32], discriminant: Discriminant, lengths: Sequence[int], rng: np.random.Generator
) -> list[NDArray[np.float32]]:
    """FC weights with which each level's values are rotated discriminant coordinates of the input.

    A code of length l sees the l strongest directions. Where it has a bit for each, they are rotated as iterative
    quantisation does (ITQ, Gong and Lazebnik 2011), so that signs lose little; a longer code takes random orthonormal
    combinations of them all, whose signs keep angles. Level k holds what turns the values of level k - 1 into its own,
    which is exact, because the directions of a shorter code are among those of the longer one.

    Args:
        inputs: float32 [n, d], the embeddings as the pyramid will see them.
        discriminant: from `fit_discriminant`.
        lengths: code lengths, longest first.
        rng: source of the rotations.

    Returns:
        One float32 [length, length before] for each length (d before the first); values have variance about 1.
    """
    weights: list[NDArray[np.float32]] = []
    previous: Array | None = None
    metric = discriminant.metric
    data = inputs.astype(np.float64)
    for length in lengths:
        chosen = metric[:, : min(length, metric.shape[1])]
        projected = data @ chosen
        if length == chosen.shape[1] <= ITQ_LONGEST:
            frame = _itq(projected, rng).T
        else:
            frame = np.linalg.qr(rng.normal(size=(length, chosen.shape[1])))[0]
        wanted = frame @ chosen.T
        wanted /= max(float((data @ wanted.T).std()), 1e-12)
        weight = wanted if previous is None else wanted @ np.linalg.pinv(previous)
        weights.append(weight.astype(np.float32))
        previous = wanted
    return weights


def _means(values: Array, groups: NDArray[np.integer], count: int) -> Array:
    """Mean row of each group, float64 [count, d]."""
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums / np.bincount(groups, minlength=count)[:, None]


def _itq(values: Array, rng: np.random.Generator) -> Array:
    """Rotation of ``values`` [n, m] that brings them closest to their signs, float64 [m, m]."""
    size = values.shape[1]
    rotation = np.linalg.qr(rng.normal(size=(size, size)))[0]
    for _ in range(ITQ_ROUNDS):
        left, _, right = np.linalg.svd(np.where(values @ rotation > 0, 1.0, -1.0).T @ values)
        rotation = (left @ right).T
    return rotation
