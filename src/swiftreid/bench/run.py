"""One run of the search benchmark: codes, contenders, figures, and everything needed to understand them."""

from __future__ import annotations

import fnmatch
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from swiftreid.bench.arrays import NUMPY, array_offers
from swiftreid.bench.codes import SyntheticCodes, kept_shares, synthetic_codes
from swiftreid.bench.contender import Contender, Missing, Offer, available_bytes
from swiftreid.bench.measure import BenchRow, Truth, measure, processor_share, read_gigabytes_per_second
from swiftreid.bench.ours import THRESHOLDS, TIGHT_THRESHOLDS, check_cascades, our_contenders
from swiftreid.bench.peers import FLAT, peer_offers
from swiftreid.bench.rankings import measure_rankings
from swiftreid.encoding.runtimes.contract import processors
from swiftreid.errors import UsageError
from swiftreid.progress import Progress, no_progress
from swiftreid.search.kernels import active_kernel

SLOW_BUILD_ENTRIES = 2_500_000
RANKING_ENTRIES = 20_000
_PACKAGES = ("swiftreid", "numpy", "faiss-cpu", "usearch", "torch")
_ROOM = 0.8  # of the memory that is free: the rest is for building


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        queries: query pictures; also the most that a batch can hold.
        k: results for each query.
        batch: queries in a batch; less than 2 measures no batches.
        turns: how often each contender comes to its turn.
        judged: how many queries accuracy is measured on.
        seed: of people and pictures.
        cascades: further cascades of ours, as text.
        only: patterns of the groups to measure besides the baseline, such as ``ours`` or ``faiss*``; all if empty.
        graphs: whether to build graph indexes; None builds them up to 2.5 million entries.
        cache_folder: where codes are kept, or None.
    """

    queries: int = 256
    k: int = 100
    batch: int = 256
    turns: int = 7
    judged: int = 64
    seed: int = 0
    cascades: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    graphs: bool | None = None
    cache_folder: Path | None = None


def machine() -> dict[str, Any]:
    """The machine and the versions that figures depend on."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "processors": processors(),
        "kernel": active_kernel(),
        "system": platform.system(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def benchmark_size(entries: int, options: Options, progress: Progress = no_progress) -> dict[str, Any]:
    """Measure everything at one size; the result can be written as JSON.

    Raises:
        UsageError: nothing that was asked for can be measured here, or a cascade cannot be read.
    """
    check_cascades(options.cascades)
    data = synthetic_codes(entries, options.queries, options.seed, cache_folder=options.cache_folder, progress=progress)
    shares = {
        "11/45/195": kept_shares(data, THRESHOLDS),
        "9/40/175": kept_shares(data, TIGHT_THRESHOLDS),
    }
    contenders, missing = gather(data, options, progress)
    if not contenders:
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in missing)
        raise UsageError(f"nothing of what was asked for can be measured here: {reasons}")
    truth = Truth.of(data, options.k, options.judged)
    read = read_gigabytes_per_second(data.table.column("id2048")[0])
    rows = measure(contenders, truth, batch=options.batch, turns=options.turns, progress=progress)
    return {
        "entries": entries,
        "queries": options.queries,
        "k": truth.k,
        "shares": shares,
        "read_gb_per_s": read,
        "read_ms": 1e3 * 256 * entries / (1e9 * read),
        "baseline": baseline_of(rows).name,
        "processor_share": processor_share(rows),
        "rows": [asdict(row) | ratios(row, rows) for row in rows],
        "missing": [asdict(one) for one in missing],
        "full_ranking": measure_rankings(data) if entries <= RANKING_ENTRIES else None,
    }


def gather(
    data: SyntheticCodes, options: Options, progress: Progress = no_progress
) -> tuple[list[Contender], list[Missing]]:
    """Everything that was asked for and can be measured here, and what cannot, with the reason.

    Raises:
        UsageError: a pattern of ``only`` fits nothing that there is.
    """
    ours = Offer("ours", 0, lambda: our_contenders(data, options.k, options.cascades))
    there = [*peer_offers(data, options.k), *array_offers(data, options.k), ours]
    for pattern in options.only:
        if not any(_wanted(offer.name, [pattern]) for offer in there):
            names = ", ".join(repr(offer.name) for offer in there)
            raise UsageError(f"no contender fits {pattern!r}; there are {names}")
    offers = [offer for offer in there if offer.name == FLAT or _wanted(offer.name, options.only)]
    contenders: list[Contender] = []
    missing: list[Missing] = []
    for number, offer in enumerate(offers):
        made = _take(offer, len(data.table), options.graphs)
        if isinstance(made, Missing):
            missing.append(made)
        else:
            contenders += made
        progress(f"{len(data.table):,} entries: indexes", number + 1, len(offers))
    return contenders, missing


def _take(offer: Offer, entries: int, graphs: bool | None) -> list[Contender] | Missing:
    if offer.slow_to_build and not (entries <= SLOW_BUILD_ENTRIES if graphs is None else graphs):
        why = "takes many minutes to build at this size, and is built when graphs are asked for"
        return Missing(offer.name, why if graphs is None else "graphs are left out")
    free = available_bytes()
    if free is not None and offer.needs > _ROOM * free:
        return Missing(offer.name, f"needs {offer.needs / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free")
    try:
        return offer.make()
    except ImportError as error:
        extra = "torch" if (error.name or "").split(".")[0] == "torch" else "bench"
        return Missing(offer.name, f'{error}: pip install "swiftreid[{extra}]"')


def _wanted(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def baseline_of(rows: Sequence[BenchRow], batch: int = 1) -> BenchRow:
    """What a row is compared with: FAISS's flat index, asked as many queries at a time, or the nearest there is."""
    for name in (FLAT, NUMPY):
        for size in (batch, 1):
            for row in rows:
                if (row.name, row.batch) == (name, size):
                    return row
    return rows[0]


def ratios(row: BenchRow, rows: Sequence[BenchRow]) -> dict[str, float]:
    """How many times quicker than the baseline of the same run: of medians, and of best times."""
    baseline = baseline_of(rows, row.batch)
    return {"ratio": baseline.ms / row.ms, "best_ratio": baseline.best_ms / row.best_ms}
