"""Teacher outputs: views in order, embeddings that are the teacher's own, kept in a file for those very pictures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from swiftreid.data.decoding import BadPicture, read_picture
from swiftreid.data.pictures import resize
from swiftreid.data.samples import Split
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.stripes import StripesEncoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.training.pictures import TrainingPictures
from swiftreid.training.targets.targets import Reading, TargetsPlan
from swiftreid.training.targets.teacher import FILE, TeacherOutputs
from swiftreid.training.views import recombined

TEACHER = open_encoder("stripes")


@pytest.fixture
def samples(drawn_people: Path) -> Split:
    return open_data(drawn_people, need=("train",)).train[:20]


class Silent(StripesEncoder):
    """A teacher that must not be asked."""

    def encode(self, pictures: NDArray[np.uint8]) -> Encoding:
        raise AssertionError("the embeddings are in the file")


SILENT = Silent(TEACHER.card, TEACHER.tensors)


def outputs(
    samples: Split,
    size: tuple[int, int],
    folder: Path,
    *,
    teacher: Encoder = TEACHER,
    seed: int = 4,
    **reading: Any,
) -> tuple[TrainingPictures, NDArray[np.float16]]:
    """All views, and what the teacher gives of them."""
    targets = TeacherOutputs(TargetsPlan(samples, size, seed, "abc", views=3, teacher=teacher))
    pictures = targets.read(Reading(folder, **reading))
    labels = targets.labels(0, lambda: pytest.fail("the network is not asked"))
    np.testing.assert_array_equal(labels.rows, np.arange(len(pictures)))
    np.testing.assert_array_equal(labels.groups, pictures.persons)
    assert labels.classes == targets.outputs == TEACHER.card.embedding
    return pictures, labels.values.numpy()


def test_views_come_with_what_the_teacher_gives_of_them(samples: Split, tmp_path: Path) -> None:
    size = TEACHER.size  # so that the network sees what the teacher saw
    pictures, labels = outputs(samples, size, tmp_path)
    assert pictures.kept is not None
    assert pictures.kept.shape == (60, *size, 3)
    given = TEACHER.encode(pictures.kept).embedding
    assert given is not None
    np.testing.assert_allclose(labels, given, atol=1e-3)
    persons = {sample.path: sample.person for sample in samples}
    assert sorted(pictures.paths) == sorted(list(persons) * 3)
    for place, (path, person) in enumerate(zip(pictures.paths, pictures.persons, strict=True)):
        assert person == persons[path]
        if place < 20:  # the pictures as they are
            np.testing.assert_array_equal(pictures.kept[place], resize(read_picture(path), *size))
    first, second, third = pictures.kept.reshape(3, 20, *size, 3)
    assert (first != second).any()
    assert (second != third).any()


def test_the_teacher_is_asked_once(samples: Split, tmp_path: Path) -> None:
    size = (32, 16)
    before, labels = outputs(samples, size, tmp_path)
    for first in (True, False):
        again, same = outputs(samples, size, tmp_path, teacher=SILENT, first=first)
        np.testing.assert_array_equal(again.kept, before.kept)
        np.testing.assert_array_equal(same, labels)
    with pytest.raises(AssertionError, match="in the file"):  # not those of another seed
        outputs(samples, size, tmp_path, teacher=SILENT, seed=5)
    with pytest.raises(AssertionError, match="in the file"):  # nor those of other people
        outputs(samples[1:], size, tmp_path, teacher=SILENT)
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(SwiftReIDError, match=r"not a readable teacher outputs file.*delete it"):
        outputs(samples, size, tmp_path, teacher=SILENT)


def test_unreadable_pictures_are_left_out_and_labels_never_slip(drawn_people: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(drawn_people, tmp_path / "people"))
    samples = open_data(root, need=("train",)).train[:20]
    whole = [sample.path.read_bytes() for sample in samples]
    samples[5].path.write_bytes(b"broken")
    bad: list[BadPicture] = []
    pictures, _ = outputs(samples, (32, 16), tmp_path, on_bad=bad.append)
    assert len(bad) == 1
    assert len(pictures) == 57
    assert samples[5].path not in pictures.paths
    again, _ = outputs(samples, (32, 16), tmp_path, teacher=SILENT, on_bad=bad.append)
    np.testing.assert_array_equal(again.kept, pictures.kept)
    samples[5].path.write_bytes(whole[5])
    samples[9].path.write_bytes(b"broken")  # as many as before, but others
    with pytest.raises(SwiftReIDError, match=r"of 19 readable pictures, now there are 19, not all the same"):
        outputs(samples, (32, 16), tmp_path, teacher=SILENT, on_bad=bad.append)


def test_a_teacher_that_sees_less_is_refused(samples: Split) -> None:
    with pytest.raises(UsageError, match=r"stripes takes pictures of 128 x 64.*set size to \[128,64\]"):
        TeacherOutputs(TargetsPlan(samples, (256, 128), 4, "abc", teacher=TEACHER))


def test_without_a_teacher_nothing_starts(samples: Split) -> None:
    with pytest.raises(UsageError, match="give a teacher"):
        TeacherOutputs(TargetsPlan(samples, (32, 16), 4, "abc"))


def test_views_that_memory_cannot_hold_are_refused(samples: Split) -> None:
    with pytest.raises(UsageError, match="lower `views` or `size`"):
        TeacherOutputs(TargetsPlan(samples, (64, 32), 4, "abc", views=3, teacher=TEACHER), limit=100_000)


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
