"""Samples: one picture of one person by one camera, and the three splits of a re-identification data set."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError

JUNK = -1
"""Person id of junk: a bad crop that evaluation ignores (neither right nor wrong)."""

DISTRACTOR = 0
"""Person id that Market-1501 gives to distractors: pictures that are wrong for every query, and stay in the ranking."""

SplitName = Literal["train", "query", "gallery"]
SPLITS: tuple[SplitName, ...] = ("train", "query", "gallery")


NOBODY = frozenset((JUNK, DISTRACTOR))
"""Person ids that stand for no person."""


Label = TypeVar("Label", int, str | None)
"""A person or a camera: the number that evaluation counts by, or the name as it is given (None where it is not)."""


@dataclass(frozen=True)
class Sample(Generic[Label]):
    """One picture of one person: the record of readers, encoders and galleries.

    Galleries keep people and cameras by name, evaluation counts them by number: `NamedSample` and `NumberedSample`.
    `swiftreid.data.numbering.numbered` gives the numbers, in one place.

    Attributes:
        path: the picture's file; nothing is read until it is needed.
        person: identity. Of numbers, `JUNK` (-1) and `DISTRACTOR` (0) stand for no known person, as in Market-1501.
        camera: that took the picture.
        time: seconds since any fixed moment, where it is known; since 1970 UTC for galleries.
        attributes: name -> value of what else is known, such as the colour of a coat; None where nothing is.
        id: what a gallery calls the picture; empty where it has no name of its own but its file's.
        tracklet: name of the track that the picture is of, where it is of one.
        frame: number of its frame in the video, where it is of one.
    """

    path: Path
    person: Label
    camera: Label
    time: float | None = None
    attributes: Mapping[str, str] | None = None
    id: str = ""
    tracklet: str | None = None
    frame: int | None = None


NumberedSample: TypeAlias = Sample[int]
NamedSample: TypeAlias = Sample[str | None]
Split = list[NumberedSample]


@dataclass(frozen=True)
class Doubt:
    """What a reader stumbled on: figures may mislead, or pictures are lost, unless it is meant so.

    Attributes:
        kind: a stable name for scripts, such as "unread-files".
        message: what it is, in a sentence.
        advice: what to do about it.
    """

    kind: str
    message: str
    advice: str


@dataclass(frozen=True)
class ReidData:
    """A data set in three splits; a split that the data set lacks is empty.

    Attributes:
        name: the name that figures and cards show.
        root: folder that the paths of all samples lie under, distractors excepted, which may lie beside it.
        train: samples to learn from.
        query: samples to look for.
        gallery: samples to look among.
        unparsable: pictures left out because their names state no person and camera.
        distractors: further gallery samples of people who are in no query, used on request (Market-1501 has 500,000).
        multi_query: further pictures of the queries' persons by the queries' cameras, for multi-query evaluation.
        published: which published data set this is, such as "market1501"; None for anybody's own data.
        cross_camera: False where cameras are unknown; same-camera matches then count.
        notes: what the reader decided that a figure depends on, in sentences ("train is list_train and list_val").
        missing: pictures that a list or manifest names, but that do not exist; they are left out.
        doubts: what else the user should look at.
        person_names: the data set's own name of each person, where it names people in words.
        camera_names: likewise of each camera.
    """

    name: str
    root: Path
    train: Split = field(default_factory=list)
    query: Split = field(default_factory=list)
    gallery: Split = field(default_factory=list)
    unparsable: list[Path] = field(default_factory=list)
    distractors: Split = field(default_factory=list)
    multi_query: Split = field(default_factory=list)
    published: str | None = None
    cross_camera: bool = True
    notes: list[str] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    person_names: Mapping[int, str] = field(default_factory=dict)
    camera_names: Mapping[int, str] = field(default_factory=dict)

    @property
    def undivided(self) -> bool:
        """Whether there are no splits: every picture is a query against all others."""
        return not self.train and bool(self.query) and self.query == self.gallery

    def called(self, person: int) -> str:
        """A person as the data set calls them: by name, or by number."""
        return self.person_names.get(person, str(person))

    def cameras_called(self, samples: Sequence[NumberedSample]) -> list[str | None]:
        """The cameras of samples as the data set calls them: by name, or by number; None where cameras are unknown."""
        if not self.cross_camera:
            return [None] * len(samples)
        return [self.camera_names.get(sample.camera, str(sample.camera)) for sample in samples]

    @property
    def rendered(self) -> bool:
        """Whether the pictures show rendered people: `swiftreid synth` states this in ``dataset.json``."""
        try:
            stated = json.loads((self.root / "dataset.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(stated, dict) and stated.get("real_people") is False

    def changed(self, change: Callable[[NumberedSample], NumberedSample]) -> ReidData:
        """The same data set with a change made to every sample but distractors."""
        train, query, gallery, multi_query = (
            [change(sample) for sample in split] for split in (self.train, self.query, self.gallery, self.multi_query)
        )
        return replace(self, train=train, query=query, gallery=gallery, multi_query=multi_query)

    def split(self, name: SplitName) -> Split:
        """The samples of one split.

        Raises:
            UsageError: there is no such split.
        """
        found = {"train": self.train, "query": self.query, "gallery": self.gallery}.get(name)
        if found is None:
            raise UsageError(f"no split is called {name!r}; there are {', '.join(SPLITS)}")
        return found


def persons_of(samples: Sequence[NumberedSample]) -> NDArray[np.int64]:
    """Person ids, int64 [n]."""
    return np.fromiter((sample.person for sample in samples), np.int64, len(samples))


def cameras_of(samples: Sequence[NumberedSample]) -> NDArray[np.int64]:
    """Camera ids, int64 [n]."""
    return np.fromiter((sample.camera for sample in samples), np.int64, len(samples))
