"""What a teacher is asked: views in order, embeddings that are its own, kept in a file for those very pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swiftreid.data.samples import Split
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.training.lessons import FILE, Course, take_lessons
from swiftreid.training.views import recombined

COURSE = Course(open_encoder("stripes"), views=3, seed=4, data_fingerprint="abc")


@pytest.fixture
def samples(drawn_people: Path) -> Split:
    return open_data(drawn_people, need=("train",)).train[:20]


def test_views_come_with_what_the_teacher_gives_of_them(samples: Split, tmp_path: Path) -> None:
    size = COURSE.teacher.size  # so that the network sees what the teacher saw
    lessons = take_lessons(COURSE, samples, size, folder=tmp_path)
    assert lessons.kept is not None
    assert lessons.lessons is not None
    assert lessons.kept.shape == (60, *size, 3)
    assert list(lessons.paths) == [sample.path for sample in samples] * 3
    np.testing.assert_array_equal(lessons.persons, [sample.person for sample in samples] * 3)
    given = COURSE.teacher.encode(lessons.kept).embedding
    assert given is not None
    np.testing.assert_allclose(lessons.lessons, given, atol=1e-3)
    first, second, third = lessons.kept.reshape(3, 20, *size, 3)
    assert (first != second).any()
    assert (second != third).any()
    chosen = lessons.take(np.arange(60) % 20 == 7)
    assert chosen.lessons is not None
    np.testing.assert_array_equal(chosen.lessons, lessons.lessons[7::20])

    class Silent(type(COURSE.teacher)):  # type: ignore[misc]
        def encode(self, pictures: object) -> object:
            raise AssertionError("the embeddings are in the file")

    quiet = Course(Silent(COURSE.teacher.card, COURSE.teacher.tensors), 3, 4, "abc")
    again = take_lessons(quiet, samples, size, folder=tmp_path)
    np.testing.assert_array_equal(again.kept, lessons.kept)
    np.testing.assert_array_equal(again.lessons, lessons.lessons)
    with pytest.raises(AssertionError, match="in the file"):  # not those of another seed
        take_lessons(Course(quiet.teacher, 3, 5, "abc"), samples, size, folder=tmp_path)
    with pytest.raises(SwiftReIDError, match=r"20 readable pictures, now there are 19.*delete the file"):
        take_lessons(quiet, samples[1:], size, folder=tmp_path)
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(SwiftReIDError, match=r"not a readable lessons file.*delete it"):
        take_lessons(quiet, samples, size, folder=tmp_path)


def test_views_that_memory_cannot_hold_are_refused(samples: Split) -> None:
    with pytest.raises(UsageError, match="lower `views` or `size`"):
        take_lessons(COURSE, samples, (64, 32), folder=None, limit=100_000)


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
