"""Why codes are fast: Tables 1 and 2 of the CtF paper, on this machine.

Table 1: sorting the distances of a whole gallery, real ones by quick-sort and whole ones by counting. Counting sort is
NumPy's for 16-bit integers (a radix sort: two passes of counting). Table 2: Euclidean distances of real features and
Hamming distances of codes, one query and a gallery. Both on one thread; each figure is the median of processor times,
the two sides taken in turn.

    python studies/sorting.py
    python studies/sorting.py --sizes 1000,10000 --lengths 32,2048 --rounds 3 --json out.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from program import run

from swiftreid.encoding.runtimes.blas import blas_threads
from swiftreid.search import kernels

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
LENGTHS = (32, 64, 128, 256, 512, 1024, 2048)

Times = dict[str, float]
"""Seconds of each side."""


def in_turn(sides: Mapping[str, Callable[[], object]], rounds: int) -> Times:
    """Median processor time of each, one after the other in every round."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            begun = time.process_time()
            with blas_threads(1):
                work()
            taken[name].append(time.process_time() - begun)
    return {name: statistics.median(times) for name, times in taken.items()}


def sorting_times(size: int, rounds: int, rng: np.random.Generator) -> Times:
    """Sorting the distances of 2048 numbers, and of 2048 bits."""
    real, whole = real_distances(size, rng), whole_distances(size, rng)
    return in_turn({"quick-sort": lambda: quick_sort(real), "counting sort": lambda: counting_sort(whole)}, rounds)


def real_distances(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.normal(1.4, 0.1, size).astype(np.float32)


def whole_distances(size: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    return rng.binomial(2048, 0.45, size).astype(np.uint16)


def quick_sort(distances: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.argsort(distances, kind="quicksort")


def counting_sort(distances: NDArray[np.uint16]) -> NDArray[np.int64]:
    return np.argsort(distances, kind="stable")


def distance_times(length: int, gallery: int, rounds: int, rng: np.random.Generator) -> Times:
    """Distances of one query to a gallery, by as many numbers and by as many bits."""
    features = rng.normal(size=(gallery, length)).astype(np.float32)
    codes = rng.integers(0, 256, (gallery, length // 8), dtype=np.uint8)
    query, code = features[0], codes[:1]
    squares = np.einsum("ij,ij->i", features, features)
    return in_turn(
        {
            "Euclidean": lambda: euclidean(features, squares, query),
            "Hamming": lambda: kernels.hamming(codes, code),
        },
        rounds,
    )


def euclidean(
    features: NDArray[np.float32], squares: NDArray[np.float32], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    """By one product of the matrix with the query, the fastest way that NumPy has."""
    squared: NDArray[np.float32] = np.sqrt(np.maximum(squares + query @ query - 2 * (features @ query), 0))
    return squared


def print_table(title: str, first: str, rows: Mapping[int, Times]) -> None:
    one, other = next(iter(rows.values()))
    print(f"\n{title}\n{first:>12} {one + ', s':>16} {other + ', s':>16} {'ratio':>8}")
    for at, times in rows.items():
        print(f"{at:>12,} {times[one]:>16.2e} {times[other]:>16.2e} {times[one] / times[other]:>8.1f}")


def numbers(text: str) -> Sequence[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=numbers, default=SIZES, help="galleries to sort")
    parser.add_argument("--lengths", type=numbers, default=LENGTHS, help="numbers, and bits, of each entry")
    parser.add_argument(
        "--gallery", type=int, default=15_913, help="entries that distances are taken to (Market-1501's)"
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    sorting = {size: sorting_times(size, args.rounds, rng) for size in args.sizes}
    distances = {length: distance_times(length, args.gallery, args.rounds, rng) for length in args.lengths}
    print_table("Table 1: sorting a gallery's distances", "entries", sorting)
    print_table(f"Table 2: distances of one query to {args.gallery:,} entries", "length", distances)
    if args.json:
        args.json.write_text(
            json.dumps({"sorting": sorting, "distances": distances, "gallery": args.gallery}, indent=1)
        )


if __name__ == "__main__":
    run(main)
