"""What searches cost as a gallery grows: measured sizes, a fitted model, and on paper up to a billion entries."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from swiftreid.bench.chart import Line, log_log_chart
from swiftreid.bench.codes import SyntheticCodes, synthetic_codes
from swiftreid.bench.contender import available_bytes
from swiftreid.bench.measure import Truth, measure, read_gigabytes_per_second
from swiftreid.bench.model import CostModel, Moved
from swiftreid.bench.ours import SEARCHES, our_contender
from swiftreid.bench.run import Options
from swiftreid.progress import Progress, no_progress
from swiftreid.search.cascade import Cascade
from swiftreid.search.kernels import active_kernel
from swiftreid.search.storage import bytes_per_entry

# Of a certified search half of the bytes are scanned, which reports do not say.
GROWN = {name: text for name, text in SEARCHES.items() if Cascade.parse(text).stages[0].miss is None}
SMALLEST = 16_000
PAPER = (100_000_000, 1_000_000_000)
BUDGET = 0.01
"""Share that a budget lets through the first stage at sizes where a constant share of 6.4 % is too many."""
LATENCY_SECONDS = 0.1
_STEP = 4
_BEYOND_CACHES = 250_000
_JUDGED = 32

Figures = dict[str, Any]


def growth_sizes(largest: int) -> list[int]:
    """16,000 entries, and four times as many again up to the largest, which is always among them."""
    sizes, size = [], SMALLEST
    while size < largest:
        sizes.append(size)
        size *= _STEP
    if sizes and largest < 1.5 * sizes[-1]:
        sizes.pop()
    return [*sizes, largest]


def doubt(sizes: Sequence[int]) -> str | None:
    """What is to be said against extending a model of these sizes; None where nothing is.

    Of one size no model can tell what a search costs at all from what it costs for each entry: there is nothing to
    extend. Galleries that caches hold are quicker to read than those that one wants to know about.
    """
    if len(sizes) < 2:
        return (
            f"one size, {sizes[0]:,} entries, says nothing of others: a line through it would be a guess, so nothing "
            "is extrapolated; measure several sizes, up to 1M or more"
        )
    if sum(size >= _BEYOND_CACHES for size in sizes) < 2:
        return (
            f"fewer than two of the sizes measured are beyond {_BEYOND_CACHES:,} entries, where caches no longer help: "
            "the extrapolation is a guess; measure up to 1M or more"
        )
    return None


def measure_growth(largest: int, options: Options, progress: Progress = no_progress) -> Figures:
    """Measure our searches at sizes up to the largest, fit the model and extend it; can be written as JSON.

    From one size nothing is extended: ``paper`` and ``shard`` are empty, and ``doubt`` says why.
    """
    data = synthetic_codes(largest, options.queries, options.seed, cache_folder=options.cache_folder, progress=progress)
    options = replace(options, judged=min(options.judged, _JUDGED))
    points: list[Figures] = []
    sizes = growth_sizes(largest)
    for size in sizes:
        points += _points(data.first(size), options, progress)
    models = {mode: _fitted(points, mode) for mode in dict.fromkeys(point["mode"] for point in points)}
    for point in points:
        point["model_ms"] = 1e3 * models[point["mode"]].seconds(Moved(point["scanned_bytes"], point["gathered_lines"]))
    return {
        "largest": largest,
        "k": options.k,
        "read_gb_per_s": read_gigabytes_per_second(data.table.column("id2048")[0]),
        "processor_share": statistics.median(point["processor_share"] for point in points),
        "points": points,
        "models": {mode: model.as_dict() for mode, model in models.items()},
        "doubt": doubt(sizes),
        "paper": [row for size in PAPER for row in _on_paper(points, models, size)] if len(sizes) > 1 else [],
        "shard": _when_to_shard(points, models, data.table.nbytes) if len(sizes) > 1 else [],
    }


def _points(data: SyntheticCodes, options: Options, progress: Progress) -> list[Figures]:
    kernel = active_kernel()
    contenders = [our_contender(data, options.k, name, text, kernel, batched=True) for name, text in GROWN.items()]
    truth = Truth.of(data, options.k, options.judged)
    rows = measure(contenders, truth, batch=options.batch, turns=options.turns, progress=progress)
    query_codes = {name: code[: options.judged] for name, code in data.queries.items()}
    points = []
    for row in rows:
        name = row.name.removeprefix("ours ")
        report = Cascade.parse(GROWN[name]).search(data.table, query_codes, k=options.k).report
        moved = Moved.by(report)
        points.append(
            {
                "entries": len(data.table),
                "search": name,
                "mode": "single" if row.batch == 1 else f"batch of {row.batch}",
                "ms": row.ms,
                "best_ms": row.best_ms,
                # Of a small part of a large gallery most queries have no positives.
                "positives_found": row.positives_found if any(map(len, data.positives[: options.judged])) else None,
                "processor_share": row.processor_share,
                "scanned_bytes": moved.scanned,
                "gathered_lines": moved.gathered,
                "stages": [{"rule": s.rule, "in": s.in_per_query, "kept": s.kept_per_query} for s in report],
            }
        )
    return points


def _fitted(points: list[Figures], mode: str) -> CostModel:
    """Fitted beyond the caches where at least two sizes were measured there, as that is where one extrapolates from."""
    chosen = [point for point in points if point["mode"] == mode]
    large = [point for point in chosen if point["entries"] >= _BEYOND_CACHES]
    if len({point["entries"] for point in large}) > 1:
        chosen = large
    return CostModel.fit(
        [Moved(point["scanned_bytes"], point["gathered_lines"]) for point in chosen],
        [1e-3 * point["ms"] for point in chosen],
    )


def _per_entry(points: list[Figures], search: str) -> Moved:
    """What a search moves for each entry of the gallery, at the largest size measured."""
    point = max((point for point in points if point["search"] == search), key=lambda point: point["entries"])
    return Moved(point["scanned_bytes"], point["gathered_lines"]).times(1 / point["entries"])


def _ways(points: list[Figures]) -> dict[str, Moved]:
    """What each search moves for an entry, and coarse to fine with a budget in place of its first threshold.

    With a budget the first stage lets 1 % through, and what later stages read shrinks in proportion.
    """
    ways = {search: _per_entry(points, search) for search in GROWN}
    wide = next(search for search in GROWN if len(Cascade.parse(GROWN[search]).stages) > 1)
    last = [point for point in points if point["search"] == wide][-1]
    share = last["stages"][0]["kept"] / last["stages"][0]["in"]
    ways[f"CtF, {BUDGET:.0%} budget"] = Moved(ways[wide].scanned, ways[wide].gathered * min(1.0, BUDGET / share))
    return ways


def _bytes_per_entry(search: str) -> int:
    return bytes_per_entry(Cascade.parse(GROWN.get(search, GROWN["CtF 11/45/195"])))


def _on_paper(points: list[Figures], models: dict[str, CostModel], entries: int) -> list[Figures]:
    rows = []
    for search, moved in _ways(points).items():
        row: Figures = {
            "entries": entries,
            "search": search,
            "memory_gb": _bytes_per_entry(search) * entries / 1e9,
        }
        for mode, model in models.items():
            seconds = model.seconds(moved.times(entries))
            row[mode] = {"ms": 1e3 * seconds, "queries_per_second_per_core": 1 / seconds}
        rows.append(row)
    return rows


def _when_to_shard(points: list[Figures], models: dict[str, CostModel], held: int) -> list[Figures]:
    """The largest gallery of one machine: by this machine's free memory, and by the time of one query on one core.

    Memory held by the measured codes counts as free.
    """
    free = available_bytes()
    free = None if free is None else free + held
    return [
        {
            "search": search,
            "entries_in_free_memory": None if free is None else int(free / _bytes_per_entry(search)),
            "entries_within_100_ms": int(models["single"].entries_within(moved, LATENCY_SECONDS)),
        }
        for search, moved in _ways(points).items()
    ]


def growth_chart(figures: Figures) -> str:
    """The measured points, and the models as dotted lines up to a billion entries, as an SVG document."""
    lines = []
    for mode in figures["models"]:
        for search in GROWN:
            measured = [
                (point["entries"], point["ms"])
                for point in figures["points"]
                if (point["mode"], point["search"]) == (mode, search)
            ]
            paper = [(row["entries"], row[mode]["ms"]) for row in figures["paper"] if row["search"] == search]
            label = search if mode == "single" else f"{search}, {mode}"
            lines.append(Line(label, measured, [measured[-1], *paper], dashed=mode != "single"))
    title = "Time of one query as the gallery grows (dotted: by the model)"
    return log_log_chart(title, "entries", "milliseconds", lines)
