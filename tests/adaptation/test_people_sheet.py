"""The contact sheet of a gallery's people."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import people_samples as samples
import pytest
from PIL import Image

from swiftreid.adaptation.people import people_in
from swiftreid.adaptation.people_sheet import draw_people
from swiftreid.errors import UsageError

COLOURS = {1: (200, 30, 30), 2: (30, 30, 200)}


def jpeg(colour: tuple[int, int, int]) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (64, 128), colour).save(content, "JPEG")
    return content.getvalue()


def test_each_person_is_a_row_of_all_its_cameras_in_turn(tmp_path: Path) -> None:
    ids = samples.ids_of([1, 2], shots=3)
    thumbnails = {id_: jpeg(COLOURS[int(id_.split("-")[1])]) for id_ in ids if id_ != "002-2-0"}
    with samples.create(tmp_path / "people") as gallery:
        samples.add(gallery, ids, thumbnails=thumbnails, times=dict.fromkeys(ids, 86400.0))
        with pytest.raises(UsageError, match="has no groups to draw"):
            draw_people(gallery, people_in(gallery))
        for person in (1, 2):
            gallery.update(samples.ids_of([person], shots=3), labels={"person_group": str(person)})
        people = people_in(gallery)
        sheet = np.asarray(draw_people(gallery, people, columns=4, crop_height=64))
        one = np.asarray(draw_people(gallery, people[:1], columns=4, crop_height=64))
    assert len(one) < len(sheet)
    tops = [
        row for row in range(len(sheet)) if _is(sheet[row, 20], COLOURS[1]) and not _is(sheet[row - 1, 20], COLOURS[1])
    ]
    assert len(tops) == 2
    for top, second in zip(tops, (COLOURS[2], None), strict=True):
        middle = sheet[top + 10, [16 + 42 * number + 5 for number in range(4)]]
        expected = [COLOURS[1], second, COLOURS[1], COLOURS[2]]
        assert all(want is None or _is(got, want) for got, want in zip(middle, expected, strict=True)), middle
    assert not _is(sheet[tops[1] + 10, 16 + 42 + 5], COLOURS[2]), "it has no picture"


def _is(pixel: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() < 12)
