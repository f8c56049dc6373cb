"""How quick a search by description is beside a plain stage of the same code, in one run.

Random codes of 30 and of 144 attribute bits (72 attributes with a second bit each). For each number of stated
attributes: median milliseconds of a search for the 100 best among all entries, on one thread, and its ratio to the
plain stage, which compares all bits of a query's code alike. Both take turns.

    python studies/described.py --entries 516000
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import pack_bits
from swiftreid.search.description import SURELY, Description
from swiftreid.search.table import CodeTable

STATED = (1, 2, 3, 5, 8)
SECOND_BITS = {"attr30": False, "attr144": True}
TURNS = 40


def searches(code: str, entries: int, rng: np.random.Generator) -> dict[str, Callable[[], object]]:
    """The plain stage, and one for each number of stated attributes."""
    bits = int(code.removeprefix("attr"))
    names = [f"a{i}" for i in range(bits // 2 if SECOND_BITS[code] else bits)]
    names += [SURELY + name for name in names] if SECOND_BITS[code] else []
    table = CodeTable({code: pack_bits(rng.random((entries, bits)) < 0.3)})
    stage = Cascade.parse(code)
    query = {code: pack_bits(rng.random((1, bits)) < 0.3)}
    found: dict[str, Callable[[], object]] = {"plain": partial(stage.search, table, query, k=100)}
    for count in STATED:
        description = Description.of(names, has=names[:count])
        queries, weights = {code: description.code(names)[None]}, {code: description.weights(names)[None]}
        found[f"{count} stated"] = partial(stage.search, table, queries, k=100, weights=weights)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=516_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(f"{args.entries:,} entries, one thread\n{'code':10}{'search':12}{'ms':>8}{'of plain':>10}")
    for code in SECOND_BITS:
        each = searches(code, args.entries, np.random.default_rng(args.seed))
        taken: dict[str, list[float]] = {name: [] for name in each}
        for search in each.values():
            search()  # bit planes are made at the first search
        for _ in range(TURNS):
            for name, search in each.items():
                start = time.perf_counter()
                search()
                taken[name].append(1e3 * (time.perf_counter() - start))
        median = {name: statistics.median(values) for name, values in taken.items()}
        for name, ms in median.items():
            print(f"{code:10}{name:12}{ms:8.3f}{ms / median['plain']:9.2f}x")


if __name__ == "__main__":
    main()
