"""The map of embeddings by camera: axes, shares of variance, and its use on an encoder."""

from __future__ import annotations

import numpy as np
import pytest

from swiftreid.adaptation.camera_map import map_cameras
from swiftreid.adaptation.normalising import normalise_cameras
from swiftreid.data.samples import Sample
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import UsageError
from swiftreid.figures.camera_map import between_cameras, camera_map


def test_axes_and_shares_are_those_of_the_variance() -> None:
    rng = np.random.default_rng(0)
    cameras = [f"c{number % 3}" for number in range(90)]
    moved = {name: 3 * rng.normal(size=8) for name in set(cameras)}
    noise = rng.normal(size=(90, 8)) * [5, 4, 1, 1, 1, 1, 1, 1]
    after = noise.astype(np.float32)
    before = np.array([row + moved[name] for row, name in zip(noise, cameras, strict=True)], np.float32)
    found = camera_map(before, after, cameras)
    centred = before - before.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:2].T
    np.testing.assert_allclose(np.abs(found.before), np.abs(expected), atol=1e-3)
    np.testing.assert_allclose(np.abs(found.after), np.abs((after - after.mean(axis=0)) @ axes[:2].T), atol=1e-3)
    assert found.explained == pytest.approx((values[:2] ** 2).sum() / (values**2).sum(), rel=1e-4)
    within = sum(
        ((before[rows] - before[rows].mean(axis=0)) ** 2).sum()
        for rows in (np.array([name == one for name in cameras]) for one in sorted(set(cameras)))
    )
    assert found.between_before == between_cameras(before, cameras)
    assert found.between_before == pytest.approx(1 - within / (centred**2).sum(), rel=1e-4)
    assert found.between_after < found.between_before
    fewer = camera_map(before, after, cameras, points=10)
    assert (len(fewer.before), len(fewer.after), len(fewer.cameras)) == (10, 10, 10)
    assert fewer.between_before == found.between_before
    for one, other, names in ((before, after[1:], cameras), (before, after, cameras[1:]), (before, after, ["c"] * 90)):
        with pytest.raises(UsageError, match="a map"):
            camera_map(one, other, names)


def test_the_encoders_own_statistics_are_taken_where_it_has_them() -> None:
    data = open_data("examples/station")
    test = [*data.query, *data.gallery]
    samples = [Sample(s.path, None, camera) for s, camera in zip(test, data.cameras_called(test), strict=True)]
    plain = open_encoder("stripes")
    found = map_cameras(plain, samples)
    assert found.between_after < 0.5 * found.between_before
    here = normalise_cameras(plain, samples[::2], name="here", data="station", alignment=0.0)
    own = map_cameras(here, samples)
    np.testing.assert_array_equal(own.before, found.before)
    assert (own.after != found.after).any()
    with pytest.raises(UsageError, match="two cameras"):
        map_cameras(plain, [sample for sample in samples if sample.camera == samples[0].camera])
