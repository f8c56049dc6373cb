"""A teacher's embeddings as labels: another encoder's, of several views of each picture.

A teacher is too slow to run inside a training loop on a CPU. It runs once over a few views of each picture (see
`swiftreid.training.views`), and the network then learns from these very views for as many passes as it takes. The
teacher's embeddings are kept in a file beside the checkpoint, so that a resumed run need not compute them again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors.numpy import save

from swiftreid.data.pictures import read_batches, resize
from swiftreid.data.samples import cameras_of, persons_of
from swiftreid.durable import save_bytes
from swiftreid.encoding.domain import sources_of
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.headed_file import load_headed
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.training.pictures import KEPT_BYTES, TrainingPictures
from swiftreid.training.targets.targets import Embed, EpochLabels, Reading, Targets, TargetsOrigin, TargetsPlan
from swiftreid.training.views import picture_views, recombined

FILE: Final = "teacher_outputs.safetensors"


class TeacherOutputsHeader(BaseModel):
    """What the embeddings in a file of teacher outputs are of.

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
class _Stored:
    """What such a file holds: embeddings float16 [views, n, d], and which of the samples they are of, int64 [n]."""

    embeddings: NDArray[np.float16]
    rows: NDArray[np.int64]


class TeacherOutputs(Targets):
    """What a teacher gives of every view of every picture; the same in every epoch. Batches are P x K of persons.

    Args:
        plan: with a teacher and the number of views, the picture itself the first of them.
        limit: bytes that all views may take, for they are kept in memory.

    Raises:
        UsageError: there is no teacher, it gives no embedding or sees less than the network, or memory could not hold
            the views.
    """

    changing: ClassVar[bool] = False

    def __init__(self, plan: TargetsPlan, *, limit: int = KEPT_BYTES) -> None:
        super().__init__(plan)
        if plan.teacher is None:
            raise UsageError("this method learns the embeddings of another encoder: give a teacher")
        self.teacher = plan.teacher
        self.outputs = embedding_length(self.teacher)
        card, size, seen = self.teacher.card, plan.size, self.teacher.size
        if seen[0] < size[0] or seen[1] < size[1]:
            raise UsageError(
                f"encoder {card.name} takes pictures of {seen[0]} x {seen[1]}, and cannot be the teacher of a network "
                f"for {size[0]} x {size[1]}: set size to [{seen[0]},{seen[1]}] or smaller in the recipe"
            )
        if (needed := plan.views * len(plan.samples) * size[0] * size[1] * 3) > limit:
            raise UsageError(
                f"{plan.views} views of {len(plan.samples):,} pictures take {needed / 2**30:.1f} GiB of memory, above "
                f"{limit / 2**30:.1f}: lower `views` or `size` in the recipe"
            )
        words = f"taught by {card.name} ({card.short_fingerprint}): {card.provenance}"
        self.origin = TargetsOrigin(words, card.fingerprint, sources_of(card), card.licence)
        self._embeddings: torch.Tensor | None = None

    def read(self, reading: Reading) -> TrainingPictures:
        """All views of the readable pictures, the pictures themselves first; the teacher's embeddings are kept.

        They are computed, or read from the file in the run's folder; a process that is not the first waits for it.

        Raises:
            SwiftReIDError: no picture could be read, or the embeddings could not be written or are of other pictures.
        """
        plan, samples, size = self.plan, self.plan.samples, self.plan.size
        header = TeacherOutputsHeader(
            teacher=self.teacher.fingerprint,
            data_fingerprint=plan.data_fingerprint,
            views=plan.views,
            seed=plan.seed,
            samples=len(samples),
        )
        stored = _load(header, reading.folder)
        while stored is None and not reading.first:
            time.sleep(1)
            stored = _load(header, reading.folder)
        # In random order, so that pictures are recombined with those of other people and places.
        order = np.random.default_rng((plan.seed, 3)).permutation(len(samples))
        shuffled = [samples[i] for i in order]
        kept = np.empty((plan.views, len(samples), *size, 3), np.uint8)
        outputs: list[NDArray[np.float16]] = []
        places: list[NDArray[np.int64]] = []
        done = 0
        for batch in read_batches([sample.path for sample in shuffled], *self.teacher.size, on_bad=reading.on_bad):
            first = int(batch.indices[0])
            views = [_view(batch.pictures, view, plan.seed, first) for view in range(plan.views)]
            if stored is None:
                outputs.append(np.stack([_embedded(self.teacher, pictures) for pictures in views]))
            for view, pictures in enumerate(views):
                kept[view, done : done + len(pictures)] = [resize(picture, *size) for picture in pictures]
            places.append(batch.indices)
            done += len(batch.pictures)
            reading.progress("computing teacher outputs", int(batch.indices[-1]) + 1, len(samples))
        if not places:
            raise SwiftReIDError(
                f"none of {len(samples)} pictures could be read; run `swiftreid doctor` on the data set"
            )
        rows = order[np.concatenate(places)]
        if stored is None:
            stored = _Stored(np.concatenate(outputs, axis=1), rows)
            arrays: dict[str, NDArray[Any]] = {"embeddings": stored.embeddings, "rows": stored.rows}
            save_bytes(reading.folder / FILE, save(arrays, {"teacher_outputs": header.model_dump_json()}))
        elif not np.array_equal(stored.rows, rows):
            raise SwiftReIDError(
                f"{reading.folder / FILE} is of {len(stored.rows):,} readable pictures, now there are {len(rows):,}, "
                "not all the same: correct the data set, or delete the file, and the teacher computes them again"
            )
        self._embeddings = torch.from_numpy(stored.embeddings.reshape(-1, stored.embeddings.shape[2]))
        self.pictures = TrainingPictures(
            [samples[i].path for i in rows] * plan.views,
            np.tile(persons_of(samples)[rows], plan.views),
            np.tile(cameras_of(samples)[rows], plan.views),
            size,
            kept[:, :done].reshape(-1, *size, 3),
            plan.views,
        )
        return self.pictures

    @property
    def groups(self) -> int | None:
        """The people of whom there are readable pictures."""
        return None if self.pictures is None else len(np.unique(self.pictures.persons))

    def labels(self, epoch: int, embed: Embed) -> EpochLabels:
        """All views with the teacher's embeddings of them, float16 [n, d]; the arguments do not matter."""
        assert self.pictures is not None and self._embeddings is not None, "read comes first"  # noqa: PT018
        persons = self.pictures.persons
        return EpochLabels(np.arange(len(persons)), persons, self._embeddings, self.outputs)


def embedding_length(teacher: Encoder) -> int:
    """Numbers in a teacher's embedding.

    Raises:
        UsageError: it gives none.
    """
    if teacher.card.embedding is None:
        raise UsageError(f"encoder {teacher.card.name} gives no float embedding to learn from: use another teacher")
    return teacher.card.embedding


def _view(pictures: NDArray[np.uint8], view: int, seed: int, first: int) -> NDArray[np.uint8]:
    """One view of pictures that are read together: as they are, or changed and half of them recombined.

    Mirrored pictures, view 1 elsewhere, are left out: training mirrors them anyway, and teachers hardly differ.
    """
    if view == 0:
        return pictures
    changed = picture_views(pictures, view + 1, seed=seed, first=first)
    return recombined(changed, np.random.default_rng((seed, view, first, 1)))


def _embedded(teacher: Encoder, pictures: NDArray[np.uint8]) -> NDArray[np.float16]:
    embedding = teacher.encode(pictures).embedding
    assert embedding is not None  # its card says that there is one
    return embedding.astype(np.float16)


def _load(header: TeacherOutputsHeader, folder: Path) -> _Stored | None:
    """The embeddings that an earlier start of the same run computed."""
    if not (folder / FILE).is_file():
        return None
    stored, arrays = load_headed(
        folder / FILE,
        TeacherOutputsHeader,
        key="teacher_outputs",
        kind="teacher outputs",
        remedy="delete it; the teacher computes them again",
    )
    return _Stored(arrays["embeddings"], arrays["rows"]) if stored == header else None
