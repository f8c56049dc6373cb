"""Lessons: pictures and what a teacher, another encoder, gives of them, for a network that learns to give the same.

A teacher is too slow to run inside a training loop on a CPU. It runs once over a few views of each picture (see
`swiftreid.training.views`), and the network then learns from these very views for as many passes as it takes. The
teacher's embeddings are kept in a file beside the checkpoint, so that a run that goes on need not ask again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

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
from swiftreid.progress import Progress, no_progress
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
        samples: pictures that were to be read.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    teacher: str
    data_fingerprint: str
    views: int
    seed: int
    samples: int


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


@dataclass(frozen=True)
class _Known:
    """What a lessons file holds: embeddings float16 [views, n, d], and which of the samples they are of, int64 [n]."""

    embeddings: NDArray[np.float16]
    rows: NDArray[np.int64]


def embedding_length(teacher: Encoder) -> int:
    """Numbers in a teacher's embedding.

    Raises:
        UsageError: it gives none.
    """
    if teacher.card.embedding is None:
        raise UsageError(f"encoder {teacher.card.name} gives no float embedding to learn from: take another teacher")
    return teacher.card.embedding


def take_lessons(
    course: Course,
    samples: Split,
    size: tuple[int, int],
    *,
    folder: Path,
    asks: bool = True,
    on_bad: Callable[[BadPicture], None] | None = None,
    progress: Progress = no_progress,
    limit: int = KEPT_BYTES,
) -> TrainingPictures:
    """All views of the readable pictures, with the teacher's embeddings; the pictures themselves come first.

    Args:
        course: teacher and views.
        samples: pictures of the people that are learned; views are recombined among them.
        size: height and width that the network takes; the teacher sees its own size.
        folder: where embeddings are kept, and looked for.
        asks: whether this process asks the teacher; one that does not waits for the file of one that does.
        on_bad: called for each picture that cannot be read, which is left out; without it the first raises.
        progress: takes pictures done and pictures in all.
        limit: bytes that all views may take, for they are kept in memory.

    Raises:
        UsageError: the teacher gives no embedding or sees less than the network, or memory could not hold the views.
        SwiftReIDError: no picture could be read, or the embeddings could not be written or are of other pictures.
    """
    teacher = course.teacher
    embedding_length(teacher)
    if teacher.size[0] < size[0] or teacher.size[1] < size[1]:
        raise UsageError(
            f"encoder {teacher.card.name} sees pictures of {teacher.size[0]} x {teacher.size[1]}, and cannot teach a "
            f"network that sees {size[0]} x {size[1]}: --set size=[{teacher.size[0]},{teacher.size[1]}] or smaller"
        )
    if (needed := course.views * len(samples) * size[0] * size[1] * 3) > limit:
        raise UsageError(
            f"{course.views} views of {len(samples):,} pictures take {needed / 2**30:.1f} GiB of memory, above "
            f"{limit / 2**30:.1f}: lower `views` or `size` in the recipe"
        )
    header = LessonsHeader(
        teacher=teacher.fingerprint,
        data_fingerprint=course.data_fingerprint,
        views=course.views,
        seed=course.seed,
        samples=len(samples),
    )
    known = _known(header, folder)
    while known is None and not asks:
        time.sleep(1)
        known = _known(header, folder)
    # In random order, so that pictures are recombined with those of other people and places.
    order = np.random.default_rng((course.seed, 3)).permutation(len(samples))
    shuffled = [samples[i] for i in order]
    seen = np.empty((course.views, len(samples), *size, 3), np.uint8)
    taught: list[NDArray[np.float16]] = []
    places: list[NDArray[np.int64]] = []
    done = 0
    for batch in read_batches([sample.path for sample in shuffled], *teacher.size, on_bad=on_bad):
        first = int(batch.indices[0])
        views = [_view(batch.pictures, view, course.seed, first) for view in range(course.views)]
        if known is None:
            taught.append(np.stack([_embedded(teacher, pictures) for pictures in views]))
        for view, pictures in enumerate(views):
            seen[view, done : done + len(pictures)] = [resize(picture, *size) for picture in pictures]
        places.append(batch.indices)
        done += len(batch.pictures)
        progress("asking the teacher", int(batch.indices[-1]) + 1, len(samples))
    if not places:
        raise SwiftReIDError(f"none of {len(samples)} pictures could be read; run `swiftreid doctor` on the data set")
    rows = order[np.concatenate(places)]
    if known is None:
        known = _Known(np.concatenate(taught, axis=1), rows)
        arrays: dict[str, NDArray[Any]] = {"embeddings": known.embeddings, "rows": known.rows}
        save_bytes(folder / FILE, save(arrays, {"lessons": header.model_dump_json()}))
    elif not np.array_equal(known.rows, rows):
        raise SwiftReIDError(
            f"{folder / FILE} is of {len(known.rows):,} readable pictures, now there are {len(rows):,}, not all the "
            "same: mend the data set, or delete the file and the teacher is asked again"
        )
    return TrainingPictures(
        [samples[i].path for i in rows] * course.views,
        np.tile(persons_of(samples)[rows], course.views),
        np.tile(cameras_of(samples)[rows], course.views),
        size,
        seen[:, :done].reshape(-1, *size, 3),
        known.embeddings.reshape(-1, known.embeddings.shape[2]),
        course.views,
    )


def _view(pictures: NDArray[np.uint8], view: int, seed: int, first: int) -> NDArray[np.uint8]:
    """One view of pictures that are read together: as they are, or changed and half of them recombined.

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


def _known(header: LessonsHeader, folder: Path) -> _Known | None:
    """The embeddings of an earlier beginning of the same run."""
    if not (folder / FILE).is_file():
        return None
    stored, arrays = load_headed(
        folder / FILE, LessonsHeader, key="lessons", kind="lessons", remedy="delete it; the teacher is asked again"
    )
    return _Known(arrays["embeddings"], arrays["rows"]) if stored == header else None
