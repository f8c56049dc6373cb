from typing import Any

import numpy as np
from numpy.typing import NDArray

class Column:
    def __init__(self, segments: list[NDArray[Any]], planes: list[NDArray[np.uint8]] | None) -> None: ...

class Rules:
    def __init__(self, keeps: list[str], amounts: list[float], whole_ties: list[bool]) -> None: ...

class ListOrder:
    def __init__(self, starts: NDArray[np.uint32], order: NDArray[np.uint32]) -> None: ...

def kernels() -> list[str]: ...
def cascade(
    columns: list[Column],
    lists: tuple[Any, ...] | None,
    sample: tuple[Any, ...] | None,
    queries: list[NDArray[Any]],
    weights: list[NDArray[np.uint8] | None],
    rules: Rules,
    bitmap: NDArray[np.uint8] | None,
    min_candidates: int,
    order: str,
    threads: int,
    kernel: str,
    indices: NDArray[np.int64],
    distances: NDArray[np.int32],
    stages: NDArray[np.int8],
    counts: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> None: ...
def room(size: int) -> NDArray[np.uint8]: ...
def slice(rows: NDArray[np.uint8], out: NDArray[np.uint8]) -> None: ...
def pick(rows: NDArray[np.uint8], bits: NDArray[np.uint16], out: NDArray[np.uint8]) -> None: ...
def read(rows: NDArray[np.uint8]) -> int: ...
def nearest(
    rows: NDArray[np.uint8], centres: NDArray[np.uint8], threads: int, kernel: str, out: NDArray[np.uint32]
) -> None: ...
def hamming(column: NDArray[np.uint8], queries: NDArray[np.uint8], kernel: str, out: NDArray[np.int32]) -> None: ...
