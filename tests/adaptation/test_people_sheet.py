"""The contact sheet of a gallery's people."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import people_samples as samples
import pytest
from PIL import Image

from swiftreid.adaptation.people import PersonGroup, people_in
from swiftreid.adaptation.people_sheet import draw_people
from swiftreid.errors import UsageError
from swiftreid.retrieval.samples import samples_of_gallery, source_of

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


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"back\\slash.jpg", b"bo\\th\xe9.jpg"])
def test_pictures_are_found_whatever_the_bytes_of_their_names(tmp_path: Path, name: bytes) -> None:
    file = tmp_path / name.decode(errors="surrogateescape")
    file.write_bytes(jpeg(COLOURS[1]))
    with samples.create(tmp_path / "people") as gallery:
        samples.add(gallery, samples.ids_of([1]))
        gallery.update(gallery.ids(), source=source_of(file), labels={"person_group": "1"})
        sheet = np.asarray(draw_people(gallery, people_in(gallery), columns=4, crop_height=64))
    assert _is(sheet[100, 16 + 5], COLOURS[1])


@pytest.mark.parametrize("source", ["https://example.org/" + "x" * 400, "a\\x41\\u0000.jpg", "\\" + "x" * 300, ".", ""])
def test_a_source_that_is_no_file_leaves_a_cross(tmp_path: Path, source: str) -> None:
    with samples.create(tmp_path / "people") as gallery:
        samples.add(gallery, samples.ids_of([1]))
        gallery.update(gallery.ids(), source=source, labels={"person_group": "1"})
        assert draw_people(gallery, people_in(gallery), columns=4, crop_height=64).size
        assert samples_of_gallery(gallery.store) == ([], 4)


def test_a_sheet_of_too_many_people_is_refused(tmp_path: Path) -> None:
    with samples.create(tmp_path / "people") as gallery, pytest.raises(UsageError, match=r"up to 500 people, got 501"):
        draw_people(gallery, [PersonGroup(number, None, ()) for number in range(1, 502)])


def _is(pixel: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() < 12)
