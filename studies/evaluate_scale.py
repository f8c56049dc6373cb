"""Time and memory of an evaluation of Market-1501+500k's size: 3,368 queries, 516,000 entries, codes up to 2048 bits.

Codes are made (see `swiftreid.bench.codes`); a queried person has a dozen pictures by six cameras, some entries
are junk, all others distractors. Metrics are those of full rankings: of coarse-to-fine search with the CtF paper's
thresholds and of exhaustive search, with TAR at FAR over all pairs. They come from counting what stands before each
good match; ``--plain`` makes the full rankings of some queries besides, times them, and compares every figure.

    python studies/evaluate_scale.py
    python studies/evaluate_scale.py --entries 50000 --queries 200 --plain 200
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from swiftreid.bench.codes import SyntheticCodes, synthetic_codes
from swiftreid.bench.ours import CTF
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.protocol import Metrics, Protocol
from swiftreid.evaluation.ranking_metrics import metrics_of_cascade, metrics_of_rankings, pairs_of
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable

CASCADES = {"CtF": CTF, "exhaustive": "id2048"}
JUNK_SHARE = 3_819 / 19_732
"""Of Market-1501's own gallery, without the 500,000."""


def labelled(made: SyntheticCodes, seed: int) -> tuple[LabelledCodes, LabelledCodes]:
    """Queries and gallery with persons and cameras."""
    rng = np.random.default_rng(seed)
    entries, queries = len(made.table), len(made.positives)
    persons = np.zeros(entries, np.int64)
    query_persons = np.zeros(queries, np.int64)
    for number, found in enumerate(made.positives):
        if persons[found[0]] == 0:
            persons[found] = number + 1
        query_persons[number] = persons[found[0]]
    nobody = np.flatnonzero(persons == 0)
    own = min(entries, 19_732)
    persons[rng.permutation(nobody)[: int(JUNK_SHARE * own)]] = -1
    cameras = rng.integers(1, 7, entries)
    gallery = {name: made.table.column(name)[0] for name in made.table.names}
    return LabelledCodes(made.queries, query_persons, rng.integers(1, 7, queries)), LabelledCodes(
        gallery, persons, cameras
    )


def same(left: Metrics, right: Metrics) -> bool:
    """Whether two evaluations agree in every figure of every query."""
    return all(
        np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True)
        for name in ("cmc", "ap_standard", "ap_trapezoid", "inp")
    ) and bool((left.first_match == right.first_match).all())


def peak() -> float:
    """Largest resident memory of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=516_000)
    parser.add_argument("--queries", type=int, default=3_368)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", type=int, default=0, metavar="Q", help="Queries whose full rankings are made too.")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    started = time.perf_counter()
    query, gallery = labelled(synthetic_codes(given.entries, given.queries, given.seed), given.seed)
    width = sum(code.shape[1] for code in gallery.codes.values())
    print(
        f"{len(query):,} queries x {len(gallery):,} entries, {width} bytes an entry; "
        f"codes made in {time.perf_counter() - started:.1f} s, peak memory {peak():.2f} GB"
    )
    table, results = CodeTable(dict(gallery.codes)), []
    for label, text in CASCADES.items():
        cascade = Cascade.parse(text)
        pairs = pairs_of(query, gallery, Protocol(), 2049) if len(cascade.stages) == 1 else None
        started, worked = time.perf_counter(), time.process_time()
        metrics, report = metrics_of_cascade(cascade, table, query, gallery, pairs=pairs)
        seconds, worked = time.perf_counter() - started, time.process_time() - worked
        row = {
            "search": f"{label}: {text}",
            "seconds": round(seconds, 1),
            "cpu_seconds": round(worked, 1),
            "cpu_ms_per_query": round(1e3 * worked / len(query), 2),
            "peak_gb": round(peak(), 2),
            "rank1": round(metrics.rank1, 4),
            "map_standard": round(metrics.map_standard, 4),
            "map_trapezoid": round(metrics.map_trapezoid, 4),
            "minp": round(metrics.minp, 4),
            "queries": metrics.valid,
            "compared": [round(stage.in_per_query, 1) for stage in report],
            "tar_at_far": pairs.roc().tar_at_far() if pairs else {},
        }
        if given.plain:
            some = np.arange(min(given.plain, len(query)))
            few = query.take(some)
            worked = time.process_time()
            blocks = (few.take(some[at : at + 16]).columns() for at in range(0, len(some), 16))
            rankings = (ranking for block in blocks for ranking in cascade.rank(table, block).indices)
            plain = metrics_of_rankings(rankings, few, gallery, Protocol())
            row["plain_cpu_ms_per_query"] = round(1e3 * (time.process_time() - worked) / len(some), 2)
            counted, _ = metrics_of_cascade(cascade, table, few, gallery)
            row["plain_agrees"] = same(plain, counted)
            if not row["plain_agrees"]:
                sys.exit(f"counted and full rankings of {text} give different figures")
        results.append(row)
        print("; ".join(f"{name} {value}" for name, value in row.items()))
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
