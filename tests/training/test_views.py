from __future__ import annotations

import numpy as np
import pytest

from swiftreid.errors import UsageError
from swiftreid.training.views import picture_views, view_of


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 64, 32, 3), dtype=np.uint8)


def test_first_views_are_the_picture_and_its_mirror(pictures: np.ndarray) -> None:
    np.testing.assert_array_equal(picture_views(pictures, 0, seed=3), pictures)
    np.testing.assert_array_equal(picture_views(pictures, 1, seed=3), pictures[:, :, ::-1])


@pytest.mark.parametrize("view", [2, 3])
def test_random_views_depend_on_seed_view_and_position_only(pictures: np.ndarray, view: int) -> None:
    whole = picture_views(pictures, view, seed=3)
    parts = np.concatenate(
        [picture_views(pictures[:2], view, seed=3), picture_views(pictures[2:], view, seed=3, first=2)]
    )
    np.testing.assert_array_equal(whole, parts)
    assert whole.shape == pictures.shape
    assert whole.dtype == np.uint8
    assert (whole != picture_views(pictures, view, seed=4)).any()
    assert (whole != picture_views(pictures, view + 2, seed=3)).any()


def test_views_stay_like_their_picture() -> None:
    """A picture dark above and light below stays so in every view: nothing is turned over or lost."""
    picture = np.zeros((64, 32, 3), np.uint8)
    picture[:32], picture[32:] = 60, 180
    for view in range(2, 40):
        changed = view_of(picture, view, np.random.default_rng(view)).astype(int)
        assert changed[36:60].mean() - changed[4:28].mean() > 30
        assert 50 < changed.mean() < 190


def test_the_picture_itself_is_never_changed(pictures: np.ndarray) -> None:
    before = pictures.copy()
    for view in range(6):
        picture_views(pictures, view, seed=0)
    np.testing.assert_array_equal(pictures, before)


@pytest.mark.parametrize(
    ("picture", "view"),
    [(np.zeros((4, 4), np.uint8), 0), (np.zeros((4, 4, 3)), 0), (np.zeros((4, 4, 3), np.uint8), -1)],
)
def test_bad_arguments_are_refused(picture: np.ndarray, view: int) -> None:
    with pytest.raises(UsageError):
        view_of(picture, view, np.random.default_rng(0))
