from __future__ import annotations

import numpy as np
import pytest

from swiftreid.training.frozen.discriminant import Discriminant, fit_discriminant, start_weights


def scene(seed: int, *, move: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """40 persons, 8 pictures by each of two cameras: identity in feature 0, the camera's effect in feature 1."""
    rng = np.random.default_rng(seed)
    classes, cameras = np.repeat(np.arange(40), 16), np.tile([4, 9], 320)
    x = rng.normal(size=(640, 4))
    x[:, 0] += 3 * rng.normal(size=40)[classes]
    x[:, 1] += 5 * rng.normal(size=40)[classes] + move * rng.normal(size=(40, 2))[classes, (cameras == 9).astype(int)]
    return x[None].astype(np.float32), classes, cameras


@pytest.mark.parametrize("with_cameras", [False, True])
def test_scatters_are_those_of_plain_loops(with_cameras: bool) -> None:
    """Directions solve the generalised eigenvalue problem of scatters added up picture by picture."""
    rng = np.random.default_rng(1)
    classes = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3])
    cameras = np.array([1, 1, 2, 3, 1, 1, 1, 2, 3, 1, 1, 2, 2, 2])
    x = rng.normal(size=(2, 14, 3)).astype(np.float32)
    found = fit_discriminant(x, classes, cameras if with_cameras else None, shrinkage=0.4)

    groups = list(zip(classes, cameras if with_cameras else np.zeros(14), strict=True))
    mean_of = {g: np.mean([x[:, i].mean(0) for i in range(14) if groups[i] == g], axis=0) for g in set(groups)}
    within = np.zeros((3, 3))
    for v in range(2):
        for i in range(14):
            r = x[v, i].astype(float) - mean_of[groups[i]]
            within += np.outer(r, r) / 28
    moved = []
    for person in range(4):
        own = np.array([m for (p, _), m in mean_of.items() if p == person])
        if len(own) > 1:
            moved.append(np.cov(own.T, ddof=1))
    if moved:
        within += np.mean(moved, axis=0)
    within += 0.4 * np.trace(within) / 3 * np.eye(3)
    between = np.cov(np.array([x[:, classes == p].mean((0, 1)) for p in range(4)]).T)
    p = found.directions
    np.testing.assert_allclose(p.T @ within @ p, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(p.T @ between @ p, np.diag(found.strengths), atol=1e-6)
    assert (np.diff(found.strengths) <= 1e-9).all()


def test_cameras_tell_identity_from_what_a_camera_changes() -> None:
    x, classes, cameras = scene(0, move=12.0)
    with_cameras = fit_discriminant(x, classes, cameras, shrinkage=1e-3)
    assert np.abs(with_cameras.metric[0]).max() > 3 * np.abs(with_cameras.metric[1]).max()


def test_weak_directions_fade() -> None:
    metric = Discriminant(np.eye(3), np.array([1e6, 1.0, 1e-9])).metric
    np.testing.assert_allclose(np.diag(metric), [1, np.sqrt(0.5), 0], atol=1e-4)


def test_levels_hold_rotated_discriminant_coordinates() -> None:
    """Through every level the values stay rotations of the strongest directions: the chain is exact."""
    x, classes, cameras = scene(2)
    found = fit_discriminant(x, classes, cameras, shrinkage=0.5)
    first, second, third = start_weights(x[0], found, (16, 4, 2), np.random.default_rng(0))
    assert [w.shape for w in (first, second, third)] == [(16, 4), (4, 16), (2, 4)]
    for weight, seen in ((first, 4), (second @ first, 4), (third @ second @ first, 2)):
        coordinates = x[0] @ found.metric[:, :seen]
        gram, wanted = (x[0] @ weight.T) @ (x[0] @ weight.T).T, coordinates @ coordinates.T
        np.testing.assert_allclose(gram / np.trace(gram), wanted / np.trace(wanted), atol=1e-7)
        assert (x[0] @ weight.T).std() == pytest.approx(1, rel=1e-3)


def test_rotation_for_signs_beats_a_random_one() -> None:
    """ITQ loses less between values and their signs."""
    rng = np.random.default_rng(0)
    corners = rng.choice([-1.0, 1.0], (500, 8)) + 0.2 * rng.normal(size=(500, 8))
    tilted = (corners @ np.linalg.qr(rng.normal(size=(8, 8)))[0]).astype(np.float32)
    identity = Discriminant(np.eye(8), np.full(8, 1e9))
    (weight,) = start_weights(tilted, identity, (8,), np.random.default_rng(1))
    random = np.linalg.qr(rng.normal(size=(8, 8)))[0]

    def lost(values: np.ndarray) -> float:
        values = values / values.std()
        return float(((values - np.sign(values)) ** 2).mean())

    assert lost(tilted @ weight.T) < 0.6 * lost(tilted @ random)
