"""Time and memory of k-reciprocal re-ranking: sparse lists beside the dense matrices of the usual programs.

Codes are made: people of random bits, each picture with a share of them wrong. Both re-rank whole rankings with all
queries known, each in a process of its own, timed by its processor time; memory is the growth of the process above
what it had with the codes. The dense program is the usual one in NumPy: all pictures by all pictures, several times.
Then what a search pays for one query: the gallery's graph, made ahead and not, and the first results among themselves.

    python studies/rerank_cost.py --pictures 5000 --queries 1000 --json cost.json
    python studies/rerank_cost.py --pictures 16000 --queries 3000 --no-dense
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.reranking.gallery_graph import GalleryGraph
from swiftreid.reranking.neighbours import CodeSpace
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.reranking.rerank import POOL, rerank_results, reranked_distances
from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable

Distances = NDArray[np.float32]

CODE = "id2048"
PICTURES_EACH = 13
WRONG = 0.3
SINGLE = 30
"""Queries of which the time of one is the mean."""


@dataclass(frozen=True)
class Made:
    """How many pictures and queries to make; the queries come first."""

    pictures: int
    queries: int
    seed: int

    def codes(self) -> NDArray[np.uint8]:
        rng = np.random.default_rng(self.seed)
        own = rng.random((max(1, self.pictures // PICTURES_EACH), 2048)) < 0.5
        persons = rng.integers(0, len(own), self.pictures + self.queries)
        parts = []
        for start in range(0, len(persons), 1000):
            block = own[persons[start : start + 1000]]
            parts.append(np.packbits(block ^ (rng.random(block.shape) < WRONG), axis=1, bitorder="little"))
        return np.concatenate(parts)


def sparse(codes: NDArray[np.uint8], queries: int) -> Iterator[Distances]:
    return reranked_distances(CodeSpace(CODE, [codes]), queries)


def dense(codes: NDArray[np.uint8], queries: int) -> Iterator[Distances]:
    """The usual program, whose matrices hold all pairs of pictures."""
    settings, count = Reciprocal(), len(codes)
    half = settings.half
    between = kernels.hamming(codes, codes).astype(np.float32)
    between /= between.max(axis=1, keepdims=True)
    np.fill_diagonal(between, -1)  # a picture is its own nearest, also where another equals it
    ranks = np.argsort(between, axis=1, kind="stable")
    np.fill_diagonal(between, 0)
    weights = np.zeros((count, count), np.float32)
    for i in range(count):
        own = _mutual(ranks, i, settings.k1)
        members = own
        for candidate in own:
            added = _mutual(ranks, candidate, half)
            if 3 * len(np.intersect1d(added, own)) > 2 * len(added):
                members = np.append(members, added)
        members = np.unique(members)
        weight = np.exp(-between[i, members])
        weights[i, members] = weight / weight.sum()
    weights = np.stack([weights[nearest].mean(axis=0) for nearest in ranks[:, : settings.k2]])
    holders = [np.flatnonzero(weights[:, i]) for i in range(count)]
    for i in range(queries):
        shared = np.zeros(count, np.float32)
        for member in np.flatnonzero(weights[i]):
            who = holders[member]
            shared[who] += np.minimum(weights[i, member], weights[who, member])
        jaccard = 1 - shared / (2 - shared)
        yield ((1 - settings.lambda_) * jaccard + settings.lambda_ * between[i])[None, queries:]


def _mutual(ranks: NDArray[np.int64], i: int, k: int) -> NDArray[np.int64]:
    nearest: NDArray[np.int64] = ranks[i, : k + 1]
    found: NDArray[np.int64] = nearest[(ranks[nearest, : k + 1] == i).any(axis=1)]
    return found


def whole_rankings(
    program: Callable[[NDArray[np.uint8], int], Iterator[Distances]], made: Made, keep: bool
) -> tuple[dict[str, float], Distances | None]:
    """Run in a fresh process: its seconds of processor time, its megabytes, and the final distances on request."""
    codes, kept = made.codes(), []
    kernels.hamming(codes[:1], codes[:1])
    before, started = _peak(), time.process_time()
    for block in program(codes, made.queries):
        np.argsort(block, axis=1, kind="stable")
        if keep:
            kept.append(block)
    figures = {"cpu_seconds": time.process_time() - started, "megabytes": (_peak() - before) / 1024}
    return figures, np.concatenate(kept) if keep else None


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB


def single_queries(made: Made) -> dict[str, float]:
    """What one query costs, each query by itself, in milliseconds."""
    codes = made.codes()
    table, queries = CodeTable({CODE: codes[made.queries :]}), codes[: min(SINGLE, made.queries)]
    found = Cascade.parse(CODE).search(table, {CODE: queries}, k=POOL).indices
    graph = GalleryGraph.of_codes(table, CODE)
    out = {"first_query_not_ahead_ms": _milliseconds(lambda: graph.rerank(found[:1, :100], queries[:1]))}
    out["lists_it_made"] = graph.made
    out["build_seconds"] = _milliseconds(GalleryGraph.of_codes(table, CODE).build) / 1e3
    graph.build()
    out["graph_megabytes"] = graph.nbytes / 1e6
    out["first_100_ahead_ms"] = _milliseconds(lambda: graph.rerank(found[:, :100], queries)) / len(queries)
    for pool in (100, 500, POOL):
        again = partial(rerank_results, table, CODE, queries, found[:, :pool])
        out[f"first_{pool}_among_themselves_ms"] = _milliseconds(again) / len(queries)
    return out


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return 1e3 * (time.process_time() - started)


def measure(made: Made, *, with_dense: bool) -> dict[str, object]:
    programs = {"sparse": sparse} | ({"dense": dense} if with_dense else {})
    found: dict[str, dict[str, float]] = {}
    distances: list[Distances | None] = []
    for name, program in programs.items():
        with multiprocessing.get_context("spawn").Pool(1) as fresh:
            found[name], each = fresh.apply(whole_rankings, (program, made, with_dense))
        distances.append(each)
        print(f"{name:8} {found[name]['cpu_seconds']:.2f} s of processor time, {found[name]['megabytes']:,.0f} MB")
    out: dict[str, object] = {"pictures": made.pictures, "queries": made.queries, "seed": made.seed, **found}
    if with_dense:
        ours, theirs = (each for each in distances if each is not None)
        out["largest_difference"] = float(np.abs(ours - theirs).max())
        print(f"largest difference of a final distance {out['largest_difference']:.1e}")
    single = single_queries(made)
    for name, value in single.items():
        print(f"{name:32} {value:,.1f}")
    return out | {"single": single}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=5000, help="entries of the gallery")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-dense", action="store_true", help="leave out the dense program, which takes most memory")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    print(f"{options.queries:,} queries, {options.pictures:,} pictures of {CODE}")
    found = measure(Made(options.pictures, options.queries, options.seed), with_dense=not options.no_dense)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
