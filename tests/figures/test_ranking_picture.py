from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from swiftreid.errors import UsageError
from swiftreid.figures.ranking_picture import (
    Candidate,
    RankedPictures,
    draw_rankings,
)

GREY = np.full((128, 64, 3), 128, np.uint8)


def draw_ranking(query: np.ndarray, candidates: list[Candidate], caption: str = "", **how: Any) -> Image.Image:
    return draw_rankings([RankedPictures(query, candidates, caption)], **how)


def candidates(*verdicts: bool | None) -> list[Candidate]:
    return [Candidate(GREY, f"{n} bits", verdict, f"camera {n}\nperson {n}") for n, verdict in enumerate(verdicts)]


def test_right_and_wrong_differ_without_colour() -> None:
    drawn = [np.asarray(draw_ranking(GREY, candidates(verdict)).convert("L")) for verdict in (True, False, None)]
    for left, right in ((0, 1), (0, 2), (1, 2)):
        assert (np.abs(drawn[left].astype(int) - drawn[right].astype(int)) > 60).sum() > 200


def test_the_border_alone_tells_right_from_wrong_in_grey() -> None:
    def border(verdict: bool | None) -> np.ndarray:
        """Grey values down the left border of the candidate's cell, far from its badge."""
        drawn = draw_ranking(np.full((128, 64, 3), 200, np.uint8), [Candidate(GREY, verdict=verdict)], crop_height=128)
        grey = np.asarray(drawn.convert("L"))
        rows, columns = np.nonzero(grey == 128)
        return grey[rows.min() : rows.max(), columns.min() - 2]

    right, wrong, unknown = border(True), border(False), border(None)
    assert set(right.tolist()) != set(unknown.tolist())
    assert len(set(right.tolist())) == len(set(unknown.tolist())) == 1
    assert 0.3 < (wrong == 255).mean() < 0.7, "dashes and gaps"
    assert np.abs(np.diff(wrong.astype(int))).max() > 60


def test_ranks_are_numbers_and_skip_what_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    from swiftreid.figures import ranking_picture

    labels: list[str] = []
    drawn = ranking_picture.draw_cell

    def draw(*arguments: Any, label: str, **rest: Any) -> None:
        labels.append(label)
        drawn(*arguments, label=label, **rest)

    monkeypatch.setattr(ranking_picture, "draw_cell", draw)
    draw_ranking(GREY, [Candidate(GREY, "5"), Candidate(GREY, "6", ignored=True), Candidate(GREY, "7")])
    assert labels == ["query", "1   5", "-   6", "2   7"]


def test_crops_are_shown_unharmed() -> None:
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    crops = [np.full((128, 64, 3), colour, np.uint8) for colour in colours]
    picture = np.asarray(draw_ranking(crops[0], [Candidate(crop) for crop in crops[1:]], crop_height=128))
    for colour in colours:
        assert (picture == colour).all(axis=2).sum() == 128 * 64


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((300, 20), (192, 13)), ((20, 300), (6, 96)), ((500, 1), (192, 1)), ((1, 1), (96, 96)), ((128, 64), (192, 96))],
)
def test_crops_of_any_shape_are_fitted_whole_and_keep_their_shape(
    shape: tuple[int, int], shown: tuple[int, int]
) -> None:
    crop = np.full((*shape, 3), (200, 30, 30), np.uint8)
    rows, columns = np.nonzero((np.asarray(draw_ranking(GREY, [Candidate(crop)])) == (200, 30, 30)).all(axis=2))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == shown
    assert len(rows) == shown[0] * shown[1]


@pytest.mark.parametrize("crop_height", [64, 192, 1024])
def test_crop_height_sets_the_height_of_crops(crop_height: int) -> None:
    crop = np.full((128, 64, 3), (200, 30, 30), np.uint8)
    picture = np.asarray(draw_ranking(GREY, [Candidate(crop, verdict=None)], crop_height=crop_height))
    assert (picture == (200, 30, 30)).all(axis=2).sum() == crop_height * (crop_height // 2)


def test_rows_wrap_and_queries_stack() -> None:
    one = draw_ranking(GREY, candidates(True, False), columns=2)
    wrapped = draw_ranking(GREY, candidates(True, False, None), columns=2)
    stacked = draw_rankings([RankedPictures(GREY, candidates(True, False))] * 2, columns=2)
    assert one.width == wrapped.width == stacked.width
    assert wrapped.height > one.height * 1.7
    assert stacked.height > one.height * 1.7
    assert draw_ranking(GREY, candidates(True), title="x").height > draw_ranking(GREY, candidates(True)).height


def test_odd_crops_no_candidates_and_hostile_captions() -> None:
    long = "w" * 500
    odd = [Candidate(np.zeros(shape, np.uint8), long, False, long) for shape in ((1, 500, 3), (500, 1, 3), (8, 8, 3))]
    picture = draw_ranking(GREY, odd, caption=long, title=long)
    assert picture.mode == "RGB"
    edge = np.asarray(picture)[:, -8:]
    assert (edge == 255).all(), "nothing may run over the margin"
    assert draw_ranking(GREY, []).width > 0


def test_wrong_arguments_are_explained() -> None:
    with pytest.raises(UsageError, match="no ranking"):
        draw_rankings([])
    for wrong in ({"columns": 0}, {"crop_height": 10}, {"crop_height": 5000}):
        with pytest.raises(UsageError, match="columns must be"):
            draw_ranking(GREY, [], **wrong)
