"""What a teacher is asked: views in order, embeddings that are its own, kept in a file for those very pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from swiftreid.data.decoding import BadPicture, read_picture
from swiftreid.data.pictures import resize
from swiftreid.data.samples import Split
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.stripes import StripesEncoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.training.targets.teacher import FILE, Course, take_lessons
from swiftreid.training.views import recombined

COURSE = Course(open_encoder("stripes"), views=3, seed=4, data_fingerprint="abc")


@pytest.fixture
def samples(drawn_people: Path) -> Split:
    return open_data(drawn_people, need=("train",)).train[:20]


class Silent(StripesEncoder):
    """A teacher that must not be asked."""

    def encode(self, pictures: NDArray[np.uint8]) -> Encoding:
        raise AssertionError("the embeddings are in the file")


def silent(seed: int = 4) -> Course:
    return Course(Silent(COURSE.teacher.card, COURSE.teacher.tensors), 3, seed, "abc")


def test_views_come_with_what_the_teacher_gives_of_them(samples: Split, tmp_path: Path) -> None:
    size = COURSE.teacher.size  # so that the network sees what the teacher saw
    lessons = take_lessons(COURSE, samples, size, folder=tmp_path)
    assert lessons.kept is not None
    assert lessons.lessons is not None
    assert lessons.kept.shape == (60, *size, 3)
    given = COURSE.teacher.encode(lessons.kept).embedding
    assert given is not None
    np.testing.assert_allclose(lessons.lessons, given, atol=1e-3)
    persons = {sample.path: sample.person for sample in samples}
    assert sorted(lessons.paths) == sorted(list(persons) * 3)
    for place, (path, person) in enumerate(zip(lessons.paths, lessons.persons, strict=True)):
        assert person == persons[path]
        if place < 20:  # the pictures as they are
            np.testing.assert_array_equal(lessons.kept[place], resize(read_picture(path), *size))
    first, second, third = lessons.kept.reshape(3, 20, *size, 3)
    assert (first != second).any()
    assert (second != third).any()


def test_the_teacher_is_asked_once(samples: Split, tmp_path: Path) -> None:
    size = (32, 16)
    before = take_lessons(COURSE, samples, size, folder=tmp_path)
    for asks in (True, False):
        again = take_lessons(silent(), samples, size, folder=tmp_path, asks=asks)
        np.testing.assert_array_equal(again.kept, before.kept)
        np.testing.assert_array_equal(again.lessons, before.lessons)
    with pytest.raises(AssertionError, match="in the file"):  # not those of another seed
        take_lessons(silent(seed=5), samples, size, folder=tmp_path)
    with pytest.raises(AssertionError, match="in the file"):  # nor those of other people
        take_lessons(silent(), samples[1:], size, folder=tmp_path)
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(SwiftReIDError, match=r"not a readable lessons file.*delete it"):
        take_lessons(silent(), samples, size, folder=tmp_path)


def test_unreadable_pictures_are_left_out_and_lessons_never_slip(drawn_people: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(drawn_people, tmp_path / "people"))
    samples = open_data(root, need=("train",)).train[:20]
    whole = [sample.path.read_bytes() for sample in samples]
    samples[5].path.write_bytes(b"broken")
    bad: list[BadPicture] = []
    lessons = take_lessons(COURSE, samples, (32, 16), folder=tmp_path, on_bad=bad.append)
    assert len(bad) == 1
    assert len(lessons) == 57
    assert samples[5].path not in lessons.paths
    again = take_lessons(silent(), samples, (32, 16), folder=tmp_path, on_bad=bad.append)
    np.testing.assert_array_equal(again.kept, lessons.kept)
    samples[5].path.write_bytes(whole[5])
    samples[9].path.write_bytes(b"broken")  # as many as before, but others
    with pytest.raises(SwiftReIDError, match=r"of 19 readable pictures, now there are 19, not all the same"):
        take_lessons(silent(), samples, (32, 16), folder=tmp_path, on_bad=bad.append)


def test_a_teacher_that_sees_less_is_refused(samples: Split, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"stripes sees pictures of 128 x 64.*--set size=\[128,64\]"):
        take_lessons(COURSE, samples, (256, 128), folder=tmp_path)


def test_views_that_memory_cannot_hold_are_refused(samples: Split, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lower `views` or `size`"):
        take_lessons(COURSE, samples, (64, 32), folder=tmp_path, limit=100_000)


def test_recombined_pictures_are_of_two() -> None:
    levels = np.arange(40, dtype=np.uint8) * 6
    pictures = np.broadcast_to(levels[:, None, None, None], (40, 32, 16, 3))
    made = recombined(pictures, np.random.default_rng(0))
    assert made.dtype == np.uint8
    rows = made[:, :, 0, 0]
    np.testing.assert_array_equal(made, np.broadcast_to(rows[:, :, None, None], made.shape))
    same = (rows == levels[:, None]).all(axis=1)
    upper = (rows[:, :8] == levels[:, None]).all(axis=1) & ~same
    joined = [len(np.unique(row)) == 2 and row[0] == level for row, level in zip(rows, levels, strict=True)]
    np.testing.assert_array_equal(upper, joined)
    assert set(rows[upper][:, -1]) <= set(levels)
    blended = ~same & ~upper
    assert blended.any()
    assert (np.ptp(rows[blended], axis=1) == 0).all()
    assert 0.3 < same.mean() < 0.7
    np.testing.assert_array_equal(made, recombined(pictures, np.random.default_rng(0)))
