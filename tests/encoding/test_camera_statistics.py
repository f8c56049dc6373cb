"""Statistics of cameras: what is a camera's goes, what all have in common stays, and chance moves nothing."""

from __future__ import annotations

import numpy as np
import pytest

from swiftreid.encoding.camera_statistics import ENOUGH, fit_camera_statistics
from swiftreid.errors import UsageError

RNG = np.random.default_rng(5)
LENGTH = 8


def pictures(counts: dict[str, int], apart: float) -> tuple[np.ndarray, list[str]]:
    """Embeddings about a mean of each camera, ``apart`` from the others'."""
    parts, names = [], []
    for name, count in counts.items():
        spread = RNG.normal(size=(LENGTH, LENGTH)) / 3
        parts.append(2 + apart * RNG.normal(size=LENGTH) + RNG.normal(size=(count, LENGTH)) @ spread)
        names += [name] * count
    return np.concatenate(parts).astype(np.float32), names


@pytest.mark.parametrize("alignment", [0.0, 0.25])
def test_means_are_moved_by_the_share_that_is_not_chance(alignment: float) -> None:
    counts = {"a": 400, "b": 40, "c": 4000}
    embeddings, names = pictures(counts, 1.0)
    found = fit_camera_statistics(embeddings, names, alignment=alignment)
    assert (found.cameras, found.pictures) == (("a", "b", "c"), (400, 40, 4000))
    # By the definition: random effects, one camera after the other.
    own = [embeddings[np.array(names) == name].astype(np.float64) for name in found.cameras]
    within = sum(((x - x.mean(0)) ** 2).sum() for x in own) / sum(len(x) - 1 for x in own)
    weights = np.full(3, 1 / 3)
    for _ in range(3):
        centre = sum(w * x.mean(0) for w, x in zip(weights, own, strict=True)) / weights.sum()
        w = weights / weights.sum()
        spread = sum(v * ((x.mean(0) - centre) ** 2).sum() for v, x in zip(w, own, strict=True))
        chance = sum(v * (1 - v) * within / len(x) for v, x in zip(w, own, strict=True))
        between = max(0.0, (spread - chance) / (1 - (w**2).sum()))
        weights = np.array([1 / (between + within / len(x)) for x in own])
    np.testing.assert_allclose(found.centre, centre, rtol=1e-5)
    for mean, x in zip(found.means, own, strict=True):
        kept = between / (between + within / len(x))
        np.testing.assert_allclose(mean, centre + kept * (x.mean(0) - centre), rtol=1e-4, atol=1e-5)
    moved = found.normalise(embeddings, names)
    for name, mean in zip(found.cameras, found.means, strict=True):
        rows = np.array(names) == name
        left = embeddings[rows].mean(0) - mean
        if found.maps is None:
            np.testing.assert_allclose(moved[rows].mean(0), found.centre + left, atol=1e-4)
        assert np.abs(moved[rows].mean(0) - found.centre).max() < 0.2


def test_an_alignment_of_a_half_makes_covariances_equal() -> None:
    embeddings, names = pictures({"a": 20_000, "b": 20_000}, 0.3)
    spread = []
    for alignment in (0.0, 0.25, 0.5):
        found = fit_camera_statistics(embeddings, names, alignment=alignment)
        moved = found.normalise(embeddings, names)
        one, other = (np.cov(moved[np.array(names) == name].T) for name in ("a", "b"))
        spread.append(np.linalg.norm(one - other) / np.linalg.norm(one + other))
    assert spread[0] > 0.1
    assert spread[1] < 0.7 * spread[0]
    assert spread[2] < 0.01


def test_people_of_two_cameras_are_found_where_only_light_differs() -> None:
    people = RNG.normal(size=(60, LENGTH))
    one, other = people + 0.1 * RNG.normal(size=people.shape), people + 0.1 * RNG.normal(size=people.shape) + 3
    embeddings, names = np.concatenate([one, other]).astype(np.float32), ["in"] * 60 + ["out"] * 60

    def right(given: np.ndarray) -> float:
        units = given / np.linalg.norm(given, axis=1, keepdims=True)
        return float(((units[:60] @ units[60:].T).argmax(1) == np.arange(60)).mean())

    moved = fit_camera_statistics(embeddings, names).normalise(embeddings, names)
    assert right(embeddings) < 0.7
    assert right(moved) > 0.9


def test_cameras_that_differ_by_chance_alone_are_hardly_moved() -> None:
    moves = {}
    for count in (ENOUGH, 1000):
        embeddings = RNG.normal(size=(4 * count, LENGTH)).astype(np.float32)
        names = list("abcd") * count
        moved = fit_camera_statistics(embeddings, names).normalise(embeddings, names)
        moves[count] = float(np.abs(moved - embeddings).mean())
    raw = float(np.abs(RNG.normal(size=(4, ENOUGH, LENGTH)).mean(axis=1)).mean())  # what subtracting means would move
    assert moves[ENOUGH] < 0.8 * raw
    assert moves[1000] < 0.05


def test_unknown_cameras_and_their_pictures_stay_as_they_are() -> None:
    embeddings, names = pictures({"a": 50, "b": 50, "c": ENOUGH - 1}, 1.0)
    given: list[str | None] = [*names, None]
    found = fit_camera_statistics(np.concatenate([embeddings, embeddings[:1]]), given)
    assert found.cameras == ("a", "b")
    asked = ["a", "c", None, "zoo"]
    moved = found.normalise(embeddings[:4], asked)
    assert (moved[0] != embeddings[0]).any()
    np.testing.assert_array_equal(moved[1:], embeddings[1:4])
    assert found.normalise(embeddings[:0], []).shape == (0, LENGTH)


@pytest.mark.parametrize(
    ("cameras", "alignment", "message"),
    [
        (["a"] * 40, 0.25, r"two cameras with 10 pictures or more each; cameras here: a: 40"),
        ([None] * 40, 0.25, "cameras here: none is known"),
        (["a"] * 31 + ["b"] * 9, 0.25, "a: 31, b: 9"),
        (["a", "b"] * 20, 0.6, "alignment is from 0 to 0.5, not 0.6"),
        (["a", "b"], 0.25, "40 embeddings have 2 cameras"),
    ],
)
def test_what_cannot_be_fitted_is_refused(cameras: list[str | None], alignment: float, message: str) -> None:
    embeddings = RNG.normal(size=(40, LENGTH)).astype(np.float32)
    with pytest.raises(UsageError, match=message):
        fit_camera_statistics(embeddings, cameras, alignment=alignment)
