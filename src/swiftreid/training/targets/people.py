"""The persons of a data set as labels."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from swiftreid.data.samples import persons_of
from swiftreid.errors import UsageError
from swiftreid.training.targets.targets import Embed, EpochLabels, Targets, TargetsPlan


class People(Targets):
    """Each picture's class is its person's place among the sorted persons; the same in every epoch.

    Raises:
        UsageError: there are fewer than two people.
    """

    changing: ClassVar[bool] = False

    def __init__(self, plan: TargetsPlan) -> None:
        super().__init__(plan)
        if plan.teacher is not None:
            raise UsageError("this method learns from persons: leave the teacher out")
        self._persons = np.unique(persons_of(plan.samples))
        self.outputs = len(self._persons)
        if self.outputs < 2:
            raise UsageError(f"training needs at least 2 people, got {self.outputs}")

    @property
    def groups(self) -> int | None:
        """The people of whom there are readable pictures."""
        return None if self.pictures is None else len(np.unique(self.pictures.persons))

    def labels(self, epoch: int, embed: Embed) -> EpochLabels:
        """All pictures with their persons; the arguments do not matter."""
        assert self.pictures is not None, "read comes first"
        persons = self.pictures.persons
        classes = torch.from_numpy(np.searchsorted(self._persons, persons))
        return EpochLabels(np.arange(len(persons)), persons, classes, self.outputs)
