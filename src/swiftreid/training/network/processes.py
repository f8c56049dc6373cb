"""Several processes that train one network, as torchrun starts them; alone, one process is a world of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from safetensors.torch import load, save
from torch import Tensor, distributed

from swiftreid.errors import UsageError


@dataclass(frozen=True)
class World:
    """This process among those that train together.

    Attributes:
        rank: its number, from 0; number 0 writes files and reports.
        size: how many there are.
        device: where it computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def own(self, batches: int) -> range:
        """Which of a step's batches are this process's.

        Raises:
            UsageError: they cannot be shared out evenly.
        """
        if batches % self.size:
            raise UsageError(
                f"{self.size} processes cannot share {batches} batches a step evenly: set batches.per_step to "
                f"{self.size * max(1, round(batches / self.size))}, or start another number of processes"
            )
        return range(self.rank, batches, self.size)


@contextmanager
def joined(device: str | None = None) -> Iterator[World]:
    """Join the processes that torchrun started, with NCCL on GPUs and gloo on processors; leave them at the end.

    Args:
        device: such as "cpu" or "cuda:1"; by default a GPU if there is one, each process its own.

    Raises:
        UsageError: there is no such device.
    """
    rank, size, local = (int(os.environ.get(name, fallback)) for name, fallback in _VARIABLES)
    gpu = torch.cuda.is_available()
    chosen = _device(device or (f"cuda:{local}" if gpu else "cpu"))
    if size == 1:
        yield World(0, 1, chosen)
        return
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield World(rank, size, chosen)
    finally:
        distributed.destroy_process_group()


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"device {name} cannot be used here ({reason}): leave it out, or give cpu") from error
    return device


_VARIABLES = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))


def average_gradients(network: torch.nn.Module, world: World) -> None:
    """Replace every gradient by its mean over all processes."""
    average_tensors([p.grad for p in network.parameters() if p.grad is not None], world)


def average_tensors(tensors: Sequence[Tensor], world: World) -> None:
    """Replace the values of tensors by their means over all processes; one message for all of them together."""
    if world.size == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= world.size
    for tensor, part in zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def share_tensors(tensors: Mapping[str, Tensor], world: World) -> dict[str, Tensor]:
    """Give the first process's tensors to all; what the others pass does not matter. They arrive on the processor."""
    if world.size == 1:
        return dict(tensors)
    arrays = {name: value.detach().cpu().contiguous() for name, value in tensors.items()} if world.first else {}
    content = torch.frombuffer(bytearray(save(arrays)), dtype=torch.uint8).to(world.device)
    length = torch.tensor([len(content)], device=world.device)
    distributed.broadcast(length, 0)
    if not world.first:
        content = torch.empty(int(length), dtype=torch.uint8, device=world.device)
    distributed.broadcast(content, 0)
    return load(content.cpu().numpy().tobytes())


def any_process(flag: bool, world: World) -> bool:
    """Whether the flag is set in any process: all must stop together."""
    if world.size == 1:
        return flag
    flags = torch.tensor([float(flag)], device=world.device)
    distributed.all_reduce(flags)
    return bool(flags.item())
