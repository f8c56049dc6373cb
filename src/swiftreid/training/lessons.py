"""Lessons: pictures and what a teacher, another encoder, gives of them, for a network that learns to give the same.

A teacher is too slow to run inside a training loop on a CPU. It runs once over a few views of each picture (see
`swiftreid.training.views`), and the network then learns from these very views for as many passes as it takes. The
teacher's embeddings are kept in a file beside the checkpoint, so that a run that goes on need not ask again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors.numpy import save

from swiftreid.data.pictures import BadPicture, read_batches, resize
from swiftreid.data.samples import Split, cameras_of, persons_of
from swiftreid.durable import save_bytes
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.headed_file import load_headed
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.training.pictures import KEPT_BYTES, TrainingPictures
from swiftreid.training.views import picture_views, recombined

FILE: Final = "lessons.safetensors"


class LessonsHeader(BaseModel):
    """What the embeddings in a lessons file are of.

    Attributes:
        format: version of this format.
        teacher: fingerprint of the teacher.
        data_fingerprint: of the data set.
        views: views of each picture.
        seed: of the views.
        pictures: readable pictures.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    teacher: str
    data_fingerprint: str
    views: int
    seed: int
    pictures: int


@dataclass(frozen=True)
class Course:
    """What a network is to be taught.

    Attributes:
        teacher: gives an embedding of each view.
        views: views of each picture, the picture itself the first.
        seed: of the views.
        data_fingerprint: of the data set that the pictures are from.
    """

    teacher: Encoder
    views: int
    seed: int
    data_fingerprint: str


def take_lessons(
    course: Course,
    samples: Split,
    size: tuple[int, int],
    *,
    folder: Path | None,
    on_bad: Callable[[BadPicture], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    limit: int = KEPT_BYTES,
) -> TrainingPictures:
    """All views of the readable pictures, with the teacher's embeddings; the pictures themselves come first.

    Args:
        course: teacher and views.
        samples: pictures of known people.
        size: height and width that the network takes; the teacher sees its own size.
        folder: where embeddings are kept, and looked for; None keeps none.
        on_bad: called for each picture that cannot be read, which is left out; without it the first raises.
        progress: called with (done, total).
        limit: bytes that all views may take, for they are kept in memory.

    Raises:
        UsageError: the teacher gives no embedding, or the views would not fit into memory.
        SwiftReIDError: no picture could be read, or the embeddings could not be written.
    """
    if course.teacher.card.embedding is None:
        raise UsageError(f"encoder {course.teacher.card.name} gives no float embedding to learn from")
    if (needed := course.views * len(samples) * size[0] * size[1] * 3) > limit:
        raise UsageError(
            f"{course.views} views of {len(samples):,} pictures take {needed / 2**30:.1f} GiB of memory, above "
            f"{limit / 2**30:.1f}: lower `views` or `size` in the recipe"
        )
    known = _known(course, folder)
    batches: list[NDArray[np.uint8]] = []
    taught: list[NDArray[np.float16]] = []
    places: list[NDArray[np.int64]] = []
    for batch in read_batches([sample.path for sample in samples], *course.teacher.size, on_bad=on_bad):
        first = int(batch.indices[0])
        views = [_view(batch.pictures, view, course.seed, first) for view in range(course.views)]
        if known is None:
            taught.append(np.stack([_embedded(course.teacher, pictures) for pictures in views]))
        batches.append(np.stack([[resize(picture, *size) for picture in pictures] for pictures in views]))
        places.append(batch.indices)
        if progress is not None:
            progress(int(batch.indices[-1]) + 1, len(samples))
    if not places:
        raise SwiftReIDError(f"none of {len(samples)} pictures could be read; run `swiftreid doctor` on the data set")
    rows = np.concatenate(places)
    if known is None:
        known = np.concatenate(taught, axis=1)
        _keep(course, folder, known)
    elif known.shape[1] != len(rows):
        raise SwiftReIDError(
            f"{folder}/{FILE} is of {known.shape[1]:,} readable pictures, now there are {len(rows):,}: mend the data "
            "set, or delete the file and the teacher is asked again"
        )
    pictures = np.concatenate(batches, axis=1)
    return TrainingPictures(
        [samples[i].path for i in rows] * course.views,
        np.tile(persons_of(samples)[rows], course.views),
        np.tile(cameras_of(samples)[rows], course.views),
        size,
        pictures.reshape(-1, *size, 3),
        known.reshape(-1, known.shape[2]),
    )


def _view(pictures: NDArray[np.uint8], view: int, seed: int, first: int) -> NDArray[np.uint8]:
    """One view of neighbouring pictures: as they are, or changed and half of them recombined with one another.

    Mirrored pictures, view 1 elsewhere, are left out: training mirrors them anyway, and teachers see them alike.
    """
    if view == 0:
        return pictures
    changed = picture_views(pictures, view + 1, seed=seed, first=first)
    return recombined(changed, np.random.default_rng((seed, view, first, 1)))


def _embedded(teacher: Encoder, pictures: NDArray[np.uint8]) -> NDArray[np.float16]:
    embedding = teacher.encode(pictures).embedding
    assert embedding is not None  # its card says that there is one
    return embedding.astype(np.float16)


def _header(course: Course, pictures: int) -> LessonsHeader:
    return LessonsHeader(
        teacher=course.teacher.fingerprint,
        data_fingerprint=course.data_fingerprint,
        views=course.views,
        seed=course.seed,
        pictures=pictures,
    )


def _known(course: Course, folder: Path | None) -> NDArray[np.float16] | None:
    """The embeddings of an earlier beginning of the same run, float16 [views, n, d]."""
    if folder is None or not (folder / FILE).is_file():
        return None
    header, arrays = load_headed(
        folder / FILE, LessonsHeader, key="lessons", kind="lessons", remedy="delete it; the teacher is asked again"
    )
    return arrays["embeddings"] if header == _header(course, header.pictures) else None


def _keep(course: Course, folder: Path | None, embeddings: NDArray[np.float16]) -> None:
    if folder is not None:
        header = _header(course, embeddings.shape[1])
        save_bytes(folder / FILE, save({"embeddings": embeddings}, {"lessons": header.model_dump_json()}))
