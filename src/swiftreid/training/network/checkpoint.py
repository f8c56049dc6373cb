"""Checkpoints: all that a run needs to resume bit for bit, in one safetensors file (never a pickle)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from safetensors.torch import save
from torch import Tensor, nn

from swiftreid.durable import save_bytes
from swiftreid.encoding.headed_file import load_headed, without_prefix
from swiftreid.errors import UsageError
from swiftreid.training.network.average import WeightAverage

CHECKPOINT: Final = "checkpoint.safetensors"
"""Name of the file in a run's folder."""

_MODEL, _AVERAGE, _OPTIMISER, _TARGETS = "model.", "average.", "optimiser.", "targets."


class CheckpointHeader(BaseModel):
    """What a checkpoint is of.

    Attributes:
        format: version of this format.
        step: steps done.
        recipe: the whole recipe.
        seed: of the run.
        data: the data set's name.
        data_fingerprint: its fingerprint.
        persons: the persons that are learned, sorted.
        teacher: fingerprint of the encoder that teaches, where one does.
        source: fingerprint of the other data set that is learned beside, where there is one.
        provenance: for the card: what taught the network, and what it started from.
        sources: data sets that went into these, as `swiftreid.encoding.domain.sources_of` gives them.
        licence: of these; empty where there is none.
        attributes: names of the attributes that are learned, in order.
        numbers: the optimiser's values that are no tensors, and the gradient scaler's.
        losses: mean loss of each epoch done.
        running: sum of the losses of the epoch under way, by term.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1, 2] = 2
    step: int
    recipe: dict[str, Any]
    seed: int
    data: str
    data_fingerprint: str
    persons: list[int]
    teacher: str = ""
    source: str = ""
    provenance: str = ""
    sources: list[dict[str, str]] = Field(default_factory=list)
    licence: str = ""
    attributes: list[str] = Field(default_factory=list)
    numbers: dict[str, float] = Field(default_factory=dict)
    losses: list[float] = Field(default_factory=list)
    running: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, stored: Any) -> Any:
        """Format 1 had another name for the provenance."""
        if isinstance(stored, dict) and "told" in stored:
            return {("provenance" if name == "told" else name): value for name, value in stored.items()}
        return stored


def save_checkpoint(
    path: Path,
    header: CheckpointHeader,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage | None,
    *,
    targets: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: of the file.
        header: what it is of.
        network: with its weights.
        optimiser: with its state.
        average: of the weights, if there is one.
        targets: what `swiftreid.training.network.labelling.Labelling.tensors` gives.

    Raises:
        SwiftReIDError: it could not be written; an old one is still there.
    """
    tensors = {f"{_MODEL}{name}": value for name, value in network.state_dict().items()}
    if average is not None:
        tensors |= {f"{_AVERAGE}{name}": value for name, value in average.values.items()}
    tensors |= {f"{_TARGETS}{name}": value for name, value in (targets or {}).items()}
    numbers = dict(header.numbers)
    for place, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{_OPTIMISER}{place}.{name}"] = value
            elif value is not None:
                numbers[f"{_OPTIMISER}{place}.{name}"] = float(value)
    sealed = header.model_copy(update={"numbers": numbers})
    arrays = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_bytes(path, save(arrays, metadata={"checkpoint": sealed.model_dump_json()}))


def load_checkpoint(path: Path) -> tuple[CheckpointHeader, dict[str, Tensor]]:
    """Read a checkpoint.

    Raises:
        SwiftReIDError: the file is missing, damaged, something else, or of a newer format.
    """
    header, arrays = load_headed(
        path,
        CheckpointHeader,
        key="checkpoint",
        kind="checkpoint",
        remedy="give another file, or start a new run",
    )
    return header, {name: torch.from_numpy(value) for name, value in arrays.items()}


def network_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights to start another run from: the average where there is one, else the last step's.

    Raises:
        UsageError: there are none.
    """
    for prefix in (_AVERAGE, _MODEL):
        found = without_prefix(prefix, tensors)
        if found:
            return found
    raise UsageError("this checkpoint holds no network")


def restore(
    header: CheckpointHeader,
    tensors: dict[str, Tensor],
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage | None,
) -> None:
    """Put a checkpoint's weights and the optimiser's state into a run of the same recipe.

    Raises:
        UsageError: the optimiser's state is of other weights.
    """
    network.load_state_dict(without_prefix(_MODEL, tensors))
    if average is not None:
        for name, value in without_prefix(_AVERAGE, tensors).items():
            average.values[name].copy_(value)
    state: dict[int, dict[str, Any]] = {}
    numbers = {
        name.removeprefix(_OPTIMISER): value for name, value in header.numbers.items() if name.startswith(_OPTIMISER)
    }
    kept: dict[str, Any] = {**without_prefix(_OPTIMISER, tensors), **numbers}
    for name, value in kept.items():
        place, key = name.split(".", 1)
        state.setdefault(int(place), {})[key] = value
    learning = [weight for group in optimiser.param_groups for weight in group["params"]]
    # The state is stored by the place of each weight: one more or less that learns, and it would be another's.
    values = [(place, value) for place, each in state.items() for value in each.values() if isinstance(value, Tensor)]
    if any(place >= len(learning) or (v.ndim and v.shape != learning[place].shape) for place, v in values):
        raise UsageError(
            "other weights learned in the checkpoint's run, which is of another version of swiftreid: start another "
            "run in another folder from its weights"
        )
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def targets_state(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a checkpoint holds of the targets."""
    return without_prefix(_TARGETS, tensors)
