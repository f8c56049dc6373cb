"""Which pictures a data set consists of: who is seen where and when, and which folder each picture goes to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swiftreid.synthetic.studio import StudioSettings

TRAIN, QUERY, TEST = "bounding_box_train", "query", "bounding_box_test"
GROUP = 12  # people who may stand about in each other's pictures
STRANGER = 10_000  # distractors are numbered from here on when they are drawn; in names they all are person 0


@dataclass(frozen=True)
class Numbers:
    """How large a data set is, and how it is shared out.

    Attributes:
        people: identities, numbered from 1.
        distractors: people in the gallery whom nobody asks for: person 0 in names.
        shots: pictures of a person at a camera.
        seen_by: cameras that see a person.
        train_share: share of the identities that are for training.
    """

    people: int
    distractors: int
    shots: int
    seen_by: int
    train_share: float

    @property
    def train(self) -> int:
        """Identities for training."""
        return min(int(self.people * self.train_share + 1e-9), self.people)

    @property
    def one_query(self) -> bool:
        """Whether a test person asks with one picture only, since there is one at each camera."""
        return self.shots == 1 and self.train < self.people


@dataclass(frozen=True)
class Shot:
    """One picture to be: who, seen by which camera in which scene, the how-manieth time, and where its file goes."""

    person: int
    camera: int
    scene: int
    shot: int
    split: str
    name: str


@dataclass(frozen=True)
class Group:
    """People who are rendered together and may stand in each other's pictures."""

    people: tuple[int, ...]
    shots: tuple[Shot, ...]


def training_people(numbers: Numbers, seed: int) -> set[int]:
    """Numbers of the identities for training."""
    order = np.random.default_rng([seed, 0]).permutation(numbers.people) + 1
    return set(order[: numbers.train].tolist())


def plan(numbers: Numbers, stage: StudioSettings) -> list[Group]:
    """Every picture of the data set, in groups of people of the same split, in the order of rendering.

    A test person's first picture at each camera is a query; the others are in the gallery, and so are all pictures of
    distractors. Where a person has one picture at a camera, that at one camera, drawn by the seed, is the query: the
    gallery would hold nobody otherwise.
    """
    train = training_people(numbers, stage.seed)
    test = [person for person in range(1, numbers.people + 1) if person not in train]
    strangers = list(range(STRANGER, STRANGER + numbers.distractors))
    taken: set[str] = set()
    groups = []
    for people in (sorted(train), test, strangers):
        for start in range(0, len(people), GROUP):
            together = people[start : start + GROUP]
            shots = [shot for person in together for shot in _visits(person, person in train, numbers, stage, taken)]
            groups.append(Group(tuple(together), tuple(shots)))
    return groups


def _visits(person: int, train: bool, numbers: Numbers, stage: StudioSettings, taken: set[str]) -> list[Shot]:
    """A person's pictures; a distractor passes one camera only."""
    seed, stranger = stage.seed, person >= STRANGER
    among = np.random.default_rng([seed, 14, person]).permutation(stage.cameras) + 1
    cameras = sorted(among[: 1 if stranger else numbers.seen_by].tolist())
    asking = cameras
    if numbers.shots == 1:
        asking = [cameras[int(np.random.default_rng([seed, 15, person]).integers(len(cameras)))]]
    shots = []
    for camera in cameras:
        rng = np.random.default_rng([seed, 5, person, camera])
        scene, frame = int(rng.integers(1, stage.scenes + 1)), int(rng.integers(1000, 900000))
        for shot in range(numbers.shots):
            query = shot == 0 and camera in asking and not stranger
            split = TRAIN if train else QUERY if query else TEST
            box, number = 1, 0 if stranger else person
            while (name := f"{number:04d}_c{camera}s{scene}_{frame:06d}_{box:02d}.jpg") in taken:
                box += 1  # other strangers at the same moment
            if stranger:
                taken.add(name)
            shots.append(Shot(person, camera, scene, shot, split, name))
            frame += int(rng.integers(12, 60))
    return shots
