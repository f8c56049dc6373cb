"""`swiftreid bench`: our search beside its peers on this machine, and its cost as a gallery grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from swiftreid.bench.growth import growth_chart, measure_growth
from swiftreid.bench.run import Options, benchmark_size, machine
from swiftreid.bench.trade_off import search_chart
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.outputs import output_file, written
from swiftreid.durable import save_bytes
from swiftreid.errors import UsageError

QUIET_SHARE = 0.9
"""Of a processor: one-thread searches that got less were interrupted too often to be quoted."""

app = typer.Typer(help="Measure search on this machine, on synthetic codes.", no_args_is_help=True)

CacheOption = Annotated[
    Path | None,
    typer.Option("--cache", help="Folder to keep codes and indexes in, 1 to 2 kB an entry; reused by later runs."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of people and pictures.")]
PlotOption = Annotated[Path | None, typer.Option(help="Where to write the chart, an SVG file.")]
CardOption = Annotated[Path | None, typer.Option(help="Where to write all figures, a .json file.")]


def size_of(text: str) -> int:
    """Number of entries: ``16000``, ``16k``, ``2M``.

    Raises:
        UsageError: it is none, or less than 1,000.
    """
    number, factor = text.strip(), 1
    for letter, value in (("k", 1_000), ("M", 1_000_000)):
        if number.endswith(letter):
            number, factor = number[:-1], value
    try:
        entries = round(float(number) * factor)
    except (ValueError, OverflowError):
        entries = 0
    if not 1_000 <= entries <= 2**31:
        raise UsageError(f"a size is a number of entries from 1,000 on, such as 16000, 516k or 2M; got {text!r}")
    return entries


@app.command("search")
def search(
    n: Annotated[list[str] | None, typer.Option("--n", help="Gallery entries: 16k, 516k, 2M, 10M; repeatable.")] = None,
    queries: Annotated[int, typer.Option(min=1, max=4096, help="Query pictures.")] = 256,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=10_000, help="Results per query.")] = 100,
    batch: Annotated[int, typer.Option(min=0, max=4096, help="Queries in a batch; 0 measures no batches.")] = 256,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="How many turns each contender takes.")] = 7,
    judged: Annotated[int, typer.Option(min=1, max=4096, help="Queries that accuracy is measured on.")] = 64,
    seed: SeedOption = 0,
    cascade: Annotated[
        list[str] | None,
        typer.Option(help="A further cascade to measure, such as 'id32:top=5000 > id2048'; repeatable."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Measure only these and the baseline: 'ours', 'numpy', 'faiss*'; repeatable."),
    ] = None,
    graphs: Annotated[
        bool | None, typer.Option("--graphs/--no-graphs", help="Build graph indexes; by default up to 2.5M entries.")
    ] = None,
    cache: CacheOption = None,
    plot: PlotOption = None,
    card: CardOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure our search beside FAISS, usearch, NumPy and torch, in turns in one run. Needs the extra 'bench'."""
    report = Report(as_json=as_json, quiet=quiet)
    card = None if card is None else output_file("--card", card, suffixes=(".json",))
    plot = None if plot is None else output_file("--plot", plot, suffixes=(".svg",))
    sizes = [size_of(text) for text in n or ["16k"]]
    options = Options(
        queries=queries,
        k=k,
        batch=min(batch, queries),
        turns=rounds,
        judged=min(judged, queries),
        seed=seed,
        cascades=tuple(cascade or ()),
        only=tuple(only or ()),
        graphs=graphs,
        cache_folder=cache,
    )
    document: dict[str, Any] = {"machine": machine(), "seed": seed, "sizes": []}
    for entries in sizes:
        figures = benchmark_size(entries, options, report.progress)
        _print_size(report, figures)
        _warn_if_busy(report, figures["processor_share"])
        document["sizes"].append(figures)
        _save(card, document)  # after each size: the next may take long
    if plot is not None:
        report.text(f"chart of the last size: {written(plot, search_chart(document['sizes'][-1]).encode())}")
    report.document(document)


@app.command("growth")
def growth(
    upto: Annotated[str, typer.Option(help="Largest gallery to measure: 1M, 10M. It is built in memory.")] = "1M",
    queries: Annotated[int, typer.Option(min=1, max=4096, help="Query pictures.")] = 256,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=10_000, help="Results per query.")] = 100,
    batch: Annotated[int, typer.Option(min=2, max=4096, help="Queries in a batch.")] = 256,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="How many turns each search takes.")] = 7,
    seed: SeedOption = 0,
    cache: CacheOption = None,
    plot: PlotOption = None,
    card: CardOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure what a search costs as a gallery grows, and extend it by a fitted model to a billion entries."""
    report = Report(as_json=as_json, quiet=quiet)
    card = None if card is None else output_file("--card", card, suffixes=(".json",))
    plot = None if plot is None else output_file("--plot", plot, suffixes=(".svg",))
    options = Options(queries=queries, k=k, batch=min(batch, queries), turns=rounds, seed=seed, cache_folder=cache)
    figures = measure_growth(size_of(upto), options, report.progress)
    document = {"machine": machine(), "seed": seed, **figures}
    _save(card, document)
    drawn = None if plot is None else written(plot, growth_chart(figures).encode())
    _print_growth(report, figures)
    if figures["doubt"]:
        report.warn(f"{figures['doubt']} (--upto)")
    if drawn is not None:
        report.text(f"chart: {drawn}")
    _warn_if_busy(report, figures["processor_share"])
    report.document(document)


def _print_growth(report: Report, figures: dict[str, Any]) -> None:
    modes = list(figures["models"])
    for mode in modes:
        model = figures["models"][mode]
        report.table(
            f"One thread, {mode}, k = {figures['k']}",
            ["entries", "search", "ms/query", "model ms", "MB scanned", "k lines gathered", "positives"],
            [
                (
                    point["entries"],
                    point["search"],
                    f"{point['ms']:.4f}",
                    f"{point['model_ms']:.4f}",
                    point["scanned_bytes"] / 1e6,
                    point["gathered_lines"] / 1e3,
                    None if point["positives_found"] is None else f"{point['positives_found']:.3f}",
                )
                for point in figures["points"]
                if point["mode"] == mode
            ],
        )
        rate = "immeasurable" if model["scan_gb_per_s"] is None else f"{model['scan_gb_per_s']:.1f} GB/s"
        report.text(
            f"model: {model['fixed_us']:.1f} us + bytes scanned at {rate} + {model['line_ns']:.2f} ns for each line "
            f"of 64 bytes gathered; off by {model['error']:.0%} where fitted"
        )
    report.text(f"a plain read by one thread: {figures['read_gb_per_s']:.1f} GB/s")
    if not figures["paper"]:
        return
    report.table(
        "On paper, by these models: on one core, all in memory",
        [
            "entries",
            "search",
            "memory GB",
            *(f"{mode}: ms/query" for mode in modes),
            *(f"{mode}: q/s" for mode in modes),
        ],
        [
            (
                row["entries"],
                row["search"],
                row["memory_gb"],
                *(row[mode]["ms"] for mode in modes),
                *(f"{row[mode]['queries_per_second_per_core']:.3g}" for mode in modes),
            )
            for row in figures["paper"]
        ],
    )
    report.table(
        "Shard above this many entries",
        ["search", "this machine's free memory", "100 ms a query on one core"],
        [(row["search"], row["entries_in_free_memory"], row["entries_within_100_ms"]) for row in figures["shard"]],
    )


def _save(card: Path | None, document: dict[str, Any]) -> None:
    if card is not None:
        save_bytes(card, (json.dumps(document, indent=2) + "\n").encode())


def _warn_if_busy(report: Report, share: float | None) -> None:
    if share is not None and share < QUIET_SHARE:
        report.warn(
            f"the machine is busy: searches on one thread got {share:.0%} of a processor, so these times and ratios "
            "mean little; run again when it is quiet"
        )


def _print_size(report: Report, figures: dict[str, Any]) -> None:
    shares = figures["shares"]["11/45/195"]
    positive, short = shares["id2048"], shares["id32"]
    report.text(
        "kept by 11 / 45 / 195: "
        + " / ".join(f"{shares[name]['other_kept']:.2%}" for name in ("id32", "id128", "id512"))
        + f"; positives {positive['positive_mean']:.0f} +- {positive['positive_deviation']:.0f} of 2048 bits, "
        f"{short['positive_mean']:.1f} +- {short['positive_deviation']:.1f} of 32"
    )
    for batch in sorted({row["batch"] for row in figures["rows"]}):
        mode = "one query at a time" if batch == 1 else f"batches of {batch}"
        report.table(
            f"{figures['entries']:,} entries, {mode}, k = {figures['k']}; x: times as fast as {figures['baseline']}",
            [
                "search",
                "ms/query",
                "x",
                "best ms",
                "first ms",
                "best x",
                "positives",
                "recall",
                "B/entry",
                "build cpu s",
                "insert us",
            ],
            [
                (
                    row["name"],
                    f"{row['ms']:.4f}",
                    f"{row['ratio']:.2f}",
                    f"{row['best_ms']:.4f}",
                    "" if row["first_ms"] is None else f"{row['first_ms']:.4f}",
                    f"{row['best_ratio']:.2f}",
                    f"{row['positives_found']:.3f}",
                    None if row["recall"] is None else f"{row['recall']:.3f}",
                    round(row["bytes_per_entry"]),
                    row["build_seconds"],
                    row["insert_us"],
                )
                for row in figures["rows"]
                if row["batch"] == batch
            ],
        )
    report.text(
        f"a plain read of the 2048-bit codes by one thread: {figures['read_ms']:.3f} ms, "
        f"{figures['read_gb_per_s']:.1f} GB/s"
    )
    for one in figures["missing"]:
        report.text(f"not measured: {one['name']}: {one['reason']}")
    ranking = figures["full_ranking"]
    if ranking:
        report.text(
            f"full CtF ranking of {ranking['entries']:,}: "
            + ", ".join(f"{way['name']} {way['ms']:.3f} ms (x {way['ratio']:.1f})" for way in ranking["ways"])
            + (", all equal" if ranking["equal"] else "; THE RANKINGS DIFFER")
        )
