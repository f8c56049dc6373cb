"""Crops as a program has them: a list of arrays of any size, of either channel order."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from drawn_figures import draw_person
from swiftreid.data.pictures import read_picture, resize
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.stream import encode_all
from swiftreid.errors import UsageError


def crops(*sizes: tuple[int, int]) -> list[NDArray[np.uint8]]:
    return [np.asarray(draw_person(i, 1, 1, (width, height))) for i, (height, width) in enumerate(sizes)]


def test_crops_of_any_size_are_scaled_as_files_are(tmp_path: Path) -> None:
    encoder, several = open_encoder("stripes"), crops((128, 64), (240, 90), (60, 33))
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        draw_person(i, 1, 1, (several[i].shape[1], several[i].shape[0])).save(path)
        np.testing.assert_array_equal(read_picture(path), several[i])
    from_files = encode_all(encoder, paths)[1]
    given = encoder.encode(several)
    np.testing.assert_array_equal(given.embedding, from_files.embedding)
    for name in encoder.spec:
        np.testing.assert_array_equal(given.codes[name], from_files.codes[name])


def test_one_array_of_another_size_is_scaled_too() -> None:
    encoder, several = open_encoder("stripes"), np.stack(crops((200, 80), (200, 80)))
    scaled = np.stack([resize(crop, 128, 64) for crop in several])
    np.testing.assert_array_equal(encoder.encode(several).embedding, encoder.encode(scaled).embedding)


@pytest.mark.parametrize("size", [(128, 64), (200, 80)])
def test_bgr_crops_give_what_rgb_crops_give(size: tuple[int, int]) -> None:
    encoder, several = open_encoder("stripes"), crops(size, size)
    reversed_ = [np.ascontiguousarray(crop[..., ::-1]) for crop in several]
    expected = encoder.encode(several).embedding
    assert not np.array_equal(encoder.encode(reversed_).embedding, expected)
    np.testing.assert_array_equal(encoder.encode(reversed_, colour="bgr").embedding, expected)
    np.testing.assert_array_equal(encoder.encode(np.stack(reversed_), colour="bgr").embedding, expected)


@pytest.mark.parametrize("nothing", [[], np.zeros((0, 40, 20, 3), np.uint8)])
def test_no_crops_give_an_empty_encoding(nothing: Sequence[NDArray[np.uint8]]) -> None:
    encoding = open_encoder("stripes").encode(nothing)
    assert encoding.codes["id128"].shape == (0, 16)
    assert encoding.embedding is not None
    assert encoding.embedding.shape == (0, 192)


GOOD = np.zeros((40, 20, 3), np.uint8)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (GOOD, r"a list of crops, but this is one crop of shape \(40, 20, 3\): encode\(\[crop\]\)"),
        ([GOOD, GOOD / 255], r"crop 1 is float64: \(crop \* 255\).round\(\)"),
        (np.zeros((2, 40, 20, 3), np.float32), "the array of crops is float32"),
        ([GOOD.astype(np.int64)], r"crop 0 is int64: crop.astype\(numpy.uint8\)"),
        ([GOOD[..., 0]], r"crop 0 has the shape \(40, 20\).*three channels of grey"),
        ([np.zeros((40, 20, 4), np.uint8)], "leaves transparency out"),
        ([GOOD, GOOD[:, 20:]], "crop 1 has no pixels.*outside of the frame"),
        (np.zeros((2, 3, 40, 20), np.uint8), r"not \[n, h, w, 3\]"),
        ([draw_person(1, 1, 1)], r"crop 0 is of type Image.*numpy.asarray"),
        ("a.jpg", "read files with swiftreid.read_picture"),
        (None, "not NoneType"),
    ],
)
def test_what_are_no_crops_is_refused(wrong: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_encoder("stripes").encode(wrong)  # type: ignore[arg-type]


def test_an_unknown_colour_is_refused() -> None:
    with pytest.raises(UsageError, match="'hsv'"):
        open_encoder("stripes").encode([GOOD], colour="hsv")  # type: ignore[arg-type]


def test_an_encoder_can_be_sent_to_another_process() -> None:
    encoder = open_encoder("stripes", threads=1)
    sent = pickle.loads(pickle.dumps(encoder))
    assert (sent.card, sent.options) == (encoder.card, encoder.options)
    several = crops((128, 64), (100, 50))
    np.testing.assert_array_equal(sent.encode(several).codes["id2048"], encoder.encode(several).codes["id2048"])
