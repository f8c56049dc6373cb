import numpy as np
from numpy.typing import NDArray

def kernels() -> list[str]: ...
def cascade(
    columns: list[list[NDArray[np.uint8]]],
    queries: list[NDArray[np.uint8]],
    keeps: list[str],
    amounts: list[float],
    bitmap: NDArray[np.uint8] | None,
    min_candidates: int,
    order: str,
    threads: int,
    kernel: str,
    indices: NDArray[np.int64],
    distances: NDArray[np.int32],
    stages: NDArray[np.int8],
    counts: NDArray[np.int64],
    entries_in: NDArray[np.int64],
    kept: NDArray[np.int64],
    seconds: NDArray[np.float64],
) -> None: ...
def hamming(column: NDArray[np.uint8], queries: NDArray[np.uint8], kernel: str, out: NDArray[np.int32]) -> None: ...
