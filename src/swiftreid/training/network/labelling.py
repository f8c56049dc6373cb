"""The labels of the epoch under way: the same in all processes, and kept in checkpoints where they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from swiftreid.encoding.headed_file import without_prefix
from swiftreid.errors import SwiftReIDError
from swiftreid.training.network.processes import World, average_tensors, share_tensors
from swiftreid.training.targets.targets import Embed, EpochLabels, Targets

_ROWS, _GROUPS, _VALUES, _CLASSES = "rows", "groups", "values", "classes"
_DOMAINS = "domains"
_MEMORY, _STATE, _LABELS = "memory.", "state.", "labels."


class Labelling:
    """Targets as the training loop uses them.

    Args:
        targets: where labels come from; their pictures have been read.
        pictures: how many there are.
        world: this process among others.
    """

    def __init__(self, targets: Targets, pictures: int, world: World) -> None:
        self._targets, self._pictures, self._world = targets, pictures, world
        self._current: EpochLabels | None = None

    @property
    def current(self) -> EpochLabels | None:
        """The labels of the epoch under way, ``memory`` on the world's device; None before the first."""
        return self._current

    def start_epoch(self, epoch: int, embed: Embed) -> EpochLabels:
        """The labels of an epoch that starts. Those that change come from the first process alone.

        Raises:
            SwiftReIDError: nothing can be learned from them.
        """
        self._targets.former = {} if self._current is None else self._current.memory
        if not self._targets.changing or self._world.size == 1:
            labels = self._targets.labels(epoch, embed)
        else:
            # Each process has running statistics of its own, hence embeddings of its own: one of them decides.
            own = self._targets.labels(epoch, embed) if self._world.first else None
            labels = _unpacked(share_tensors({} if own is None else _packed(own), self._world))
            labels = replace(labels, figures={} if own is None else own.figures)  # the first one logs
        labels.check(self._pictures, epoch)
        self._current = _on_device(labels, self._world.device)
        return self._current

    def synchronise(self) -> None:
        """Replace the memory's floats by their means over all processes."""
        if self._current is not None:
            average_tensors([m for m in self._current.memory.values() if m.is_floating_point()], self._world)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps: nothing of targets that do not change."""
        if not self._targets.changing:
            return {}
        kept = {f"{_STATE}{name}": value for name, value in self._targets.state().items()}
        if self._current is not None:
            kept |= {f"{_LABELS}{name}": value for name, value in _packed(self._current).items()}
        return kept

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave.

        Raises:
            SwiftReIDError: nothing was kept of targets that change.
        """
        if not self._targets.changing:
            return
        self._targets.restore(without_prefix(_STATE, tensors))
        labels = without_prefix(_LABELS, tensors)
        if not labels:
            raise SwiftReIDError("the checkpoint holds no labels: it is of a run with other targets; start a new one")
        self._current = _on_device(_unpacked(labels), self._world.device)


def _packed(labels: EpochLabels) -> dict[str, Tensor]:
    return {
        _ROWS: torch.from_numpy(np.ascontiguousarray(labels.rows, np.int64)),
        _GROUPS: torch.from_numpy(np.ascontiguousarray(labels.groups, np.int64)),
        _VALUES: labels.values.detach().clone(),
        _CLASSES: torch.tensor(labels.classes),
        **({} if labels.domains is None else {_DOMAINS: torch.from_numpy(labels.domains)}),
        **{f"{_MEMORY}{name}": value.detach().clone() for name, value in labels.memory.items()},
    }


def _unpacked(tensors: Mapping[str, Tensor]) -> EpochLabels:
    return EpochLabels(
        tensors[_ROWS].numpy(),
        tensors[_GROUPS].numpy(),
        tensors[_VALUES],
        int(tensors[_CLASSES]),
        without_prefix(_MEMORY, tensors),
        tensors[_DOMAINS].numpy() if _DOMAINS in tensors else None,
    )


def _on_device(labels: EpochLabels, device: torch.device) -> EpochLabels:
    memory = {name: value.to(device) for name, value in labels.memory.items()}
    return replace(labels, memory=memory)
