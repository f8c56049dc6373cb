"""What a runtime is: it starts a network on a device, and says what to install where it cannot."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError


@dataclass(frozen=True)
class NetworkFile:
    """A network as its exporter wrote it.

    Attributes:
        format: a name in `swiftreid.encoding.runtimes.formats.FORMATS`, such as ``onnx``.
        parts: the content of its files by their suffix: ``onnx``, or ``xml`` and ``bin``.
    """

    format: str
    parts: Mapping[str, bytes]


@dataclass(frozen=True)
class RunOptions:
    """Where an encoder computes, and on how many processors.

    Attributes:
        threads: processors that one call of ``encode`` may use. None: one for one picture; for several pictures all
            that the process may run on, each computing some of them. A server, whose requests run side by side
            already, gives 1.
        device: ``cpu``, or another device of a runtime (`swiftreid.encoding.runtimes.registry.devices`).

    Raises:
        UsageError: ``threads`` is no number above 0.
    """

    threads: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.threads is not None and (not isinstance(self.threads, int) or self.threads < 1):
            raise UsageError(f"threads is a number from 1, or None for the default; got {self.threads!r}")

    @property
    def threads_per_network_call(self) -> int:
        """Threads that the runtime itself may start for one call of a network."""
        return self.threads or 1

    @property
    def network_calls(self) -> int:
        """Calls of a network that may run side by side."""
        return processors() if self.threads is None else 1


@dataclass(frozen=True)
class StartedNetwork:
    """A network that is ready to run.

    Attributes:
        run: float32 [n, 3, height, width] -> the network's first output. Several threads may call it at once.
        batch: the only n that ``run`` takes; None where it takes any.
        parallel: whether calls side by side are quicker than one after the other: on a processor, not on a GPU.
    """

    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    batch: int | None = None
    parallel: bool = True


class Runtime(ABC):
    """Runs networks of some formats on some devices.

    Attributes:
        name: for messages.
        formats: formats of `NetworkFile` that it reads.
        devices: devices that it computes on, by the names that users give.
    """

    name: ClassVar[str]
    formats: ClassVar[tuple[str, ...]]
    devices: ClassVar[tuple[str, ...]]

    @abstractmethod
    def check(self, device: str) -> None:
        """Make sure that the runtime is installed and that the device is there.

        Raises:
            SwiftReIDError: it is not; the message says what to install.
        """

    @abstractmethod
    def start(self, network: NetworkFile, device: str, threads: int) -> StartedNetwork:
        """Load a network.

        Args:
            network: in one of ``formats``.
            device: one of ``devices``.
            threads: that one call of the network may use. Threads that wait must sleep, not spin.

        Raises:
            SwiftReIDError: as `check` raises, or the network cannot be loaded.
        """


def processors() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
