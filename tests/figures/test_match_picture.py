from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.figures.match_picture import Legend, Panel, draw_maps, overlay

GREY = np.full((128, 64, 3), 128, np.uint8)
LEGEND = Legend("agree", "differ")


def halves(above: float, below: float) -> NDArray[np.float32]:
    changes = np.zeros((128, 64), np.float32)
    changes[:64], changes[64:] = above, below
    return changes


def test_what_agrees_is_blue_and_smooth_and_what_differs_warm_and_striped() -> None:
    drawn = overlay(GREY, halves(5, -5), 5).astype(int)
    agree, differ = drawn[4:60], drawn[68:124]
    assert (agree == agree[0, 0]).all()
    assert agree[0, 0, 2] > agree[0, 0, 0] + 80, "blue"
    assert (differ[..., 0] > differ[..., 2]).all(), "red over blue"
    grey = differ.sum(axis=2)
    assert len(np.unique(grey)) == 2, "stripes and gaps, in grey too"
    assert 0.4 < (grey == grey.min()).mean() < 0.6


def test_colour_grows_with_the_change_and_there_is_none_without() -> None:
    plain = overlay(GREY, halves(0, 0), 1)
    np.testing.assert_array_equal(plain, overlay(GREY, halves(3, -3), 0))
    np.testing.assert_array_equal(plain[..., 0], plain[..., 2])
    blues = [overlay(GREY, halves(change, 0), 4)[5, 5].astype(int) for change in (0, 1, 2, 4, 9)]
    tints = [int(pixel[2] - pixel[0]) for pixel in blues]
    assert tints[0] == 0
    assert tints[0] < tints[1] < tints[2] < tints[3] == tints[4], "beyond the limit it stays"
    assert not overlay(GREY, halves(1, 0), 1)[100, 5].std(), "the other half has none"


def test_the_person_shows_through() -> None:
    picture = GREY.copy()
    picture[40:80] = 0
    drawn = overlay(picture, np.ones((4, 2), np.float32), 1).astype(int)
    assert drawn[100, 5].sum() > drawn[60, 5].sum() + 20


def test_a_map_of_any_size_covers_the_whole_picture() -> None:
    coarse = overlay(GREY, np.array([[1.0], [0.0]], np.float32), 1).astype(int)
    tint = coarse[:, :, 2] - coarse[:, :, 0]
    assert (tint[:30] > 80).all()
    assert (tint[98:] == 0).all()


def test_rows_have_scales_of_their_own_and_panels_of_a_row_share_one() -> None:
    def tints(rows: list[list[Panel]]) -> list[int]:
        """How blue each map is, from left to right and top to bottom."""
        drawn = np.asarray(draw_maps(rows, Legend("x"), crop_height=128)).astype(int)
        return [
            int(np.ptp(drawn[y, x]))
            for y in (16 + 64, 16 + 64 + 136 + 60 + 12)[: len(rows)]
            for x in [20 + 32 + 84 * column for column in range(len(rows[0]))]
        ]

    strong, weak = (Panel(GREY, np.full((4, 2), change, np.float32)) for change in (40, 10))
    [[full, part], [alone, other]] = np.reshape(tints([[strong, weak], [weak, weak]]), (2, 2))
    assert full == alone == other
    assert 0.15 * full < part < 0.35 * full


def test_pictures_without_a_map_are_shown_unharmed() -> None:
    red = np.full((128, 64, 3), (200, 30, 30), np.uint8)
    drawn = np.asarray(draw_maps([[Panel(red), Panel(red, halves(1, -1))]], LEGEND, crop_height=128))
    assert (drawn == (200, 30, 30)).all(axis=2).sum() == 128 * 64


def test_the_legend_is_there_and_says_less_where_there_is_less() -> None:
    row = [[Panel(GREY, halves(1, -1))]]
    both, one = (draw_maps(row, legend) for legend in (LEGEND, Legend("matters")))
    assert both.height > one.height
    long = draw_maps(row, Legend("agree " * 40))
    assert long.width > one.width, "the words decide the width where they are longer"
    assert (np.asarray(long)[:, -8:] == 255).all(), "nothing may run over the margin"
    titled = draw_maps(row, LEGEND, title="t\n" + "word " * 100)
    assert titled.height > both.height
    assert (np.asarray(titled)[:, -8:] == 255).all()


def test_odd_pictures_and_hostile_captions() -> None:
    shapes = ((1, 500, 3), (500, 1, 3), (8, 8, 3))
    row = [Panel(np.zeros(shape, np.uint8), np.eye(3, dtype=np.float32), "w" * 500, "w" * 500) for shape in shapes]
    assert (np.asarray(draw_maps([row], LEGEND))[:, -8:] == 255).all()


def test_wrong_arguments_are_explained() -> None:
    for rows in ([], [[]], [[Panel(GREY)], []]):
        with pytest.raises(UsageError, match="no map to draw"):
            draw_maps(rows, LEGEND)
    for wrong in ({"crop_height": 10}, {"text": 9.0}):
        with pytest.raises(UsageError, match="crop_height 64 to 1024"):
            draw_maps([[Panel(GREY)]], LEGEND, **wrong)  # type: ignore[arg-type]
