"""Attribute-based fast retrieval beside exhaustive search and coarse to fine, on a large gallery, in one run.

The codes are synthetic with the distances of real ones (`swiftreid.bench.codes`). Attributes are made up besides:
30 bits of each person, some rare and some common (chosen by hand), and mistaken in a picture as often as the SSR
paper reports (accuracy 93.8 %). For each search: milliseconds of a query for its 100 best, on one thread, all searches
in turns; memory of an entry; rank-1 and mAP of the full ranking, for which every picture of the query's person is a
match.

    python studies/afr.py --entries 516000 --plot afr.png
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.bench.codes import NAMES, Population
from swiftreid.bench.ours import CTF
from swiftreid.calibration.short_list import fit_short_list
from swiftreid.figures.accuracy_time import decades_axis
from swiftreid.figures.labels import Named, label_points
from swiftreid.figures.style import LOOKS, compose, image_of, new_figure, percent_axis, styled
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import pack_bits
from swiftreid.search.storage import bytes_per_entry
from swiftreid.search.table import CodeTable

ATTRIBUTES = 30
CODE = f"attr{ATTRIBUTES}"
WRONG = 0.062  # 1 - 93.8 %, section 7.5.1 of the paper
# Gender, hair, sleeves, lower length and kind, hat, backpack, bag, handbag, four ages, eight and nine colours.
SHARES: tuple[float, ...] = (0.43, 0.33, 0.94, 0.6, 0.62, 0.03, 0.26, 0.25, 0.11, 0.02, 0.75, 0.22, 0.01)
SHARES += (0.13, 0.27, 0.1, 0.03, 0.04, 0.12, 0.07, 0.09, 0.36, 0.06, 0.03, 0.02, 0.02, 0.18, 0.19, 0.03, 0.06)
TURNS = 5


def attributes(persons: NDArray[np.int64], people: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Attributes recognised in pictures, packed: rare ones are mistaken less often, in proportion to their variance."""
    shares = np.array(SHARES)
    wrong = WRONG * len(shares) * shares * (1 - shares) / (shares * (1 - shares)).sum()
    found = people[persons] ^ (rng.random((len(persons), ATTRIBUTES)) < wrong)
    return pack_bits(found)


def milliseconds(
    searches: Mapping[str, Cascade], table: CodeTable, queries: Mapping[str, NDArray[np.uint8]], count: int
) -> dict[str, float]:
    """Median time of a query, one at a time, all searches in turns."""
    taken: dict[str, list[float]] = {name: [] for name in searches}
    for turn in range(TURNS):
        for name, cascade in searches.items():
            for i in range(turn, count, TURNS):
                one = {code: rows[i : i + 1] for code, rows in queries.items()}
                cascade.search(table, one, k=100)  # the caches are warm for both
                start = time.perf_counter()
                cascade.search(table, one, k=100)
                taken[name].append(1e3 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in taken.items()}


def accuracy(
    cascade: Cascade, table: CodeTable, queries: Mapping[str, NDArray[np.uint8]], positives: list[NDArray[np.int64]]
) -> tuple[float, float]:
    """Rank-1 and mAP over the queries, by full rankings."""
    first, precision = [], []
    for i, right in enumerate(positives):
        ranking = cascade.rank(table, {code: rows[i : i + 1] for code, rows in queries.items()}).indices[0]
        places = np.sort(np.flatnonzero(np.isin(ranking, right)))
        first.append(places[0] == 0)
        precision.append(np.mean(np.arange(1, len(places) + 1) / (places + 1)))
    return 100 * float(np.mean(first)), 100 * float(np.mean(precision))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=516_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="Picture of bits, mAP and time.")
    args = parser.parse_args()
    population = Population(args.entries, args.queries, args.seed)
    data = population.codes()
    rng = np.random.default_rng((args.seed, 9))
    people = rng.random((population.people, ATTRIBUTES)) < SHARES
    gallery = {name: data.table.column(name)[0] for name in NAMES}
    gallery[CODE] = attributes(population.persons, people, rng)
    query_codes = data.queries | {CODE: attributes(population.query_persons, people, rng)}
    table = CodeTable(gallery)
    # w by the 97 % rule, on other people: as many pictures, of a fifth of the number, each by a camera of its own.
    some = rng.integers(population.people, size=min(2000, args.entries // 5))
    others = rng.random((len(some), ATTRIBUTES)) < SHARES
    who = np.repeat(np.arange(len(some)), 4)
    codes = {CODE: attributes(who, others, rng), "id2048": np.zeros((len(who), 256), np.uint8)}
    rule = fit_short_list(codes, who, np.tile(np.arange(4), len(some)), code=CODE, final="id2048")
    w = round(rule.share * args.entries)
    searches = {
        "exhaustive, 2048 bits": "id2048",
        "exhaustive, 512 bits": "id512",
        "exhaustive, 128 bits": "id128",
        "CtF 11/45/195": CTF,
        f"AFR, w {w:,} (97 % rule)": f"{CODE}:top={w} > id2048",
        f"AFR, w {args.entries // 5:,} (the paper's share)": f"{CODE}:top={args.entries // 5} > id2048",
        f"AFR, w {w:,}, then CtF": f"{CODE}:top={w} > {CTF}",
    }
    cascades = {name: Cascade.parse(text) for name, text in searches.items()}
    print(f"{args.entries:,} entries, {args.queries} queries, seed {args.seed}; {len(people):,} people")
    print(f"{'search':34}{'bytes':>7}{'MB':>8}{'ms':>9}{'speed-up':>10}{'rank-1':>8}{'mAP':>7}")
    times = milliseconds(cascades, table, query_codes, args.queries)
    points = {}
    for name, cascade in cascades.items():
        rank1, precision = accuracy(cascade, table, query_codes, data.positives)
        size = bytes_per_entry(cascade)
        gain = times["exhaustive, 2048 bits"] / times[name]
        points[name] = (size, times[name], precision)
        print(
            f"{name:34}{size:7.0f}{size * args.entries / 1e6:8.1f}{times[name]:9.3f}{gain:9.1f}x"
            f"{rank1:8.1f}{precision:7.1f}",
            flush=True,
        )
    if args.plot is not None:
        draw(points, args.entries, args.plot)


def draw(points: Mapping[str, tuple[float, float, float]], entries: int, path: Path) -> None:
    """Time across, mAP upwards, and an area as large as an entry's bits; a dot's name beside it."""
    with styled() as size:
        figure = new_figure(6.6, 4.4, "normal")
        axes = figure.add_subplot()
        for look, (held, ms, precision) in zip(LOOKS, points.values(), strict=False):
            axes.scatter(ms, precision, s=held / 3, color=look.colour, alpha=0.75, zorder=3)
        times = [ms for _, ms, _ in points.values()]
        axes.set_xscale("log")
        axes.set_xlim(min(times) / 1.5, 3 * max(times))  # names need room
        axes.set_xlabel("milliseconds of a query for its 100 best, one thread (logarithmic)")
        percent_axis(axes, "mAP (%)", *(f(precision for *_, precision in points.values()) for f in (min, max)))
        decades_axis(axes.xaxis, times)
        notes = ["Areas: bits of an entry. Codes are synthetic, with the distances of real ones."]
        compose(figure, "Attributes first, and coarse to fine", [f"{entries:,} entries"], notes)
        names = [
            Named(ms, precision, f"{name}\n{8 * held:,.0f} bits") for name, (held, ms, precision) in points.items()
        ]
        label_points(axes, names, 0.85 * size)
        path.write_bytes(image_of(figure, path.suffix))


if __name__ == "__main__":
    main()
