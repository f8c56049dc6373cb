"""Running a network over many pictures: in batches, and several of them side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.runtimes.contract import StartedNetwork
from swiftreid.encoding.runtimes.registry import last_line
from swiftreid.errors import SwiftReIDError

MOST: Final = 64
"""Pictures of one call of a network, at most: bounds the memory."""


def run_side_by_side(
    embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    pictures: NDArray[np.uint8],
    network: StartedNetwork,
    calls: int,
) -> NDArray[np.float32]:
    """Embed pictures in parts, several parts at once where that is quicker.

    Each part is computed on a thread of its own, so that no thread waits for another inside the network: parts cost
    less processor time than a network that spreads over the processors, and nothing spins.

    Args:
        embed: uint8 [m, h, w, 3] -> float32 [m, d], by way of the network.
        pictures: uint8 [n, h, w, 3], at least one.
        network: the network that ``embed`` runs.
        calls: parts that may be computed at once.
    """
    calls = min(calls if network.parallel else 1, len(pictures))
    size = min(MOST, -(-len(pictures) // calls))
    if network.batch:  # a part of a batch would cost as much as all of it
        size = -(-size // network.batch) * network.batch
    parts = [pictures[start : start + size] for start in range(0, len(pictures), size)]
    if calls == 1 or len(parts) == 1:
        return np.concatenate([embed(part) for part in parts])
    with ThreadPoolExecutor(calls, thread_name_prefix="encode") as pool:
        return np.concatenate(list(pool.map(embed, parts)))


def run_in_batches(network: StartedNetwork, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs of all inputs, flattened to float32 [n, d]; ``inputs`` must not be empty.

    Raises:
        SwiftReIDError: the network does not take such inputs, or does not give one vector for each.
    """
    size = network.batch or MOST
    outputs: list[NDArray[np.float32]] = []
    for start in range(0, len(inputs), size):
        part = inputs[start : start + size]
        padding = size - len(part) if network.batch else 0
        padded = np.concatenate([part, np.zeros((padding, *part.shape[1:]), np.float32)]) if padding else part
        try:
            found = np.atleast_1d(network.run(padded))
        except Exception as error:  # runtimes have exception classes of their own
            shape = " x ".join(map(str, inputs.shape[1:]))
            raise SwiftReIDError(
                f"the network does not take pictures of {shape} (channels x height x width): declare the size that it "
                f"was made for ({last_line(error)})"
            ) from error
        if len(found) != len(padded):
            raise SwiftReIDError(
                f"the network gives an output of shape {found.shape} for {len(padded)} pictures, "
                "not one vector a picture: export it with the embedding as its first output"
            )
        outputs.append(found[: len(part)])
    vectors = np.concatenate(outputs)
    return vectors.reshape(len(inputs), -1).astype(np.float32, copy=False)
