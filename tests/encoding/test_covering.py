"""Patches over pictures: where they lie, what covers them, and how their changes become a map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftreid.encoding.covering import BATCH, Covering, Windows
from swiftreid.errors import UsageError


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_patches_leave_no_pixel_out_and_stay_inside(height: int, width: int, data: st.DataObject) -> None:
    patch = data.draw(st.integers(1, min(height, width)))
    stride = data.draw(st.integers(1, patch))
    windows = Covering(patch, stride).windows(height, width)
    held = np.zeros((height, width), int)
    for place in windows:
        assert held[place].shape == (patch, patch)
        held[place] += 1
    assert held.min() >= 1
    assert len(list(windows)) == len(windows) == len(windows.tops) * len(windows.lefts)
    assert all(0 < later - earlier <= stride for earlier, later in zip(windows.tops, windows.tops[1:], strict=False))
    assert len(set(windows.lefts)) == len(windows.lefts)


def test_usual_patches_are_a_quarter_of_the_shorter_side_every_half_patch() -> None:
    windows = Covering().windows(128, 64)
    assert windows.patch == 16
    assert windows.lefts == (0, 8, 16, 24, 32, 40, 48)
    assert windows.tops[-1] == 112
    assert Covering().windows(3, 2) == Windows(3, 2, 1, (0, 1, 2), (0, 1))


def test_a_pixel_has_the_mean_change_of_the_patches_that_hold_it() -> None:
    windows = Covering(5, 3).windows(13, 9)
    changes = np.random.default_rng(0).normal(size=(len(windows.tops), len(windows.lefts))).astype(np.float32)
    spread = windows.spread(changes)
    assert spread.dtype == np.float32
    for y in range(13):
        for x in range(9):
            of = [
                changes[r, c]
                for r, top in enumerate(windows.tops)
                for c, left in enumerate(windows.lefts)
                if top <= y < top + 5 and left <= x < left + 5
            ]
            assert spread[y, x] == pytest.approx(np.mean(of), abs=1e-6)
    with pytest.raises(UsageError, match=r"cannot have changes \(2, 2\)"):
        windows.spread(np.zeros((2, 2), np.float32))


@pytest.mark.parametrize("fill", ["mean", "blur"])
def test_copies_differ_from_the_picture_in_their_patch_only(fill: str) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (48, 24, 3), np.uint8)
    before = picture.copy()
    covering = Covering(6, 3, fill)  # type: ignore[arg-type]
    batches = list(covering.copies(picture))
    assert max(map(len, batches)) == BATCH
    copies = np.concatenate(batches)
    windows = covering.windows(48, 24)
    assert len(copies) == len(windows)
    mean = np.rint(picture.reshape(-1, 3).mean(axis=0))
    for copy, place in zip(copies, windows, strict=True):
        patch = copy[place]
        if fill == "mean":
            assert (patch == mean).all()
        else:
            assert patch.std() < 0.5 * picture[place].std(), "smoother than what it covers"
            assert np.abs(patch.mean() - picture[place].mean()) < 40, "and about as bright"
        copy[place] = picture[place]
        np.testing.assert_array_equal(copy, picture)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize(
    ("covering", "message"),
    [
        (Covering(0), "a patch of 0 pixels does not fit pictures of 32 x 16: 1 to 16 do"),
        (Covering(17), "a patch of 17 pixels does not fit"),
        (Covering(8, 9), "a stride of 1 to 8, got 9: a larger one leaves gaps"),
        (Covering(8, 0), "a stride of 1 to 8, got 0"),
        (Covering(fill="paint"), "filled with mean or blur, not with 'paint'"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_cover_is_refused(covering: Covering, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        next(covering.copies(np.zeros((32, 16, 3), np.uint8)))
