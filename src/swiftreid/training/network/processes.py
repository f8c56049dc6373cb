"""Several processes that train one network, as torchrun starts them; alone, one process is a world of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

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
                f"{self.size} processes cannot share {batches} batches a step evenly: give --set "
                f"batches.per_step={self.size * max(1, round(batches / self.size))}, or start another number of them"
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
        raise UsageError(f"--device {name} cannot be used here ({reason}): leave it out, or give cpu") from error
    return device


_VARIABLES = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))


def average_gradients(network: torch.nn.Module, world: World) -> None:
    """Replace every gradient by its mean over all processes; one message for all of them together."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    if world.size == 1 or not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= world.size
    for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def anybody(flag: bool, world: World) -> bool:
    """Whether the flag is set in any process: all must stop together."""
    if world.size == 1:
        return flag
    told = torch.tensor([float(flag)], device=world.device)
    distributed.all_reduce(told)
    return bool(told.item())
