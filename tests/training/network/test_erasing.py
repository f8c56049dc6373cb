"""Random erasing: rectangles distributed as the toolboxes' loop gives them, seeded, uniform in place."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from swiftreid.training.network.erasing import ASPECT, LARGEST, SMALLEST, erased, rectangles

SIZES = [(256, 128), (128, 64), (384, 128), (64, 64), (24, 48)]


def naive(height: int, width: int, rng: random.Random) -> tuple[int, int]:
    """One rectangle, as one would write the published sampler down."""
    for _ in range(100):
        area = rng.uniform(0.02, 0.4) * height * width
        aspect = rng.uniform(0.3, 1 / 0.3)
        tall, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if tall < height and wide < width:
            return tall, wide
    return 0, 0


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_rectangles_are_distributed_as_by_the_naive_loop(height: int, width: int) -> None:
    rng = random.Random(3)
    expected = np.array([naive(height, width, rng) for _ in range(8000)], float)
    tall, wide = (side.numpy() for side in rectangles(8000, height, width, torch.Generator().manual_seed(5)))
    for ours, theirs in (
        (tall, expected[:, 0]),
        (wide, expected[:, 1]),
        (tall * wide, expected.prod(1)),
        (tall / wide, expected[:, 0] / expected[:, 1]),
    ):
        # Of two samples of 8,000 from one distribution, the statistic is above 0.031 once in a thousand.
        assert ks_2samp(ours, theirs).statistic < 0.031


def test_tall_pictures_lose_tall_rectangles() -> None:
    tall, wide = rectangles(20_000, 256, 128, torch.Generator().manual_seed(1))
    assert 1.85 < float((tall / wide).median()) < 2.0, "log-uniform and clamped, it was 1.01"


@settings(deadline=None, max_examples=60)
@given(st.integers(8, 300), st.integers(8, 300), st.integers(0, 2**31))
def test_every_rectangle_is_within_bounds(height: int, width: int, seed: int) -> None:
    tall, wide = rectangles(50, height, width, torch.Generator().manual_seed(seed))
    assert ((tall == 0) == (wide == 0)).all()
    found = tall > 0
    assert (tall < height).all()
    assert (wide < width).all()
    # Within the rounding of both sides to whole pixels.
    least, most = SMALLEST * height * width, LARGEST * height * width
    assert ((tall + 0.5) * (wide + 0.5) >= least)[found].all()
    assert ((tall - 0.5) * (wide - 0.5) <= most)[found].all()
    assert ((tall + 0.5) / (wide - 0.5).clamp(min=1e-3) >= ASPECT)[found].all()
    assert ((tall - 0.5) / (wide + 0.5) <= 1 / ASPECT)[found].all()


def test_nothing_is_erased_where_nothing_fits() -> None:
    """A picture 100 times as high as wide: every rectangle of the least area is wider than it."""
    tall, wide = rectangles(10, 2000, 2, torch.Generator())
    assert not tall.any()
    assert not wide.any()
    values = torch.ones(10, 3, 2000, 2)
    assert torch.equal(erased(values, 1.0, torch.Generator()), values)


def test_places_are_uniform_and_a_share_of_pictures_is_erased() -> None:
    values = torch.ones(6000, 1, 32, 16)
    found = erased(values, 0.5, torch.Generator().manual_seed(2))
    again = erased(values, 0.5, torch.Generator().manual_seed(2))
    assert torch.equal(found, again)
    hit = (found == 0).squeeze(1).numpy()
    changed = hit.any(axis=(1, 2))
    assert 0.47 < changed.mean() < 0.53
    rows, columns = hit[changed].any(2), hit[changed].any(1)
    top, left = rows.argmax(1), columns.argmax(1)
    for start, size, side in ((top, rows.sum(1), 32), (left, columns.sum(1), 16)):
        free = side - size
        assert (start + size <= side).all()
        place = (start / np.maximum(free, 1))[free >= 8]
        assert abs(place.mean() - 0.5) < 0.03
        assert (start == 0).any()
        assert (start == free).any()
