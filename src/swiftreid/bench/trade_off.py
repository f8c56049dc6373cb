"""What a search finds against the time that it takes: ours and its peers in one chart."""

from __future__ import annotations

import re
from typing import Any

from swiftreid.bench.chart import Series, scatter_chart

_PARAMETERS = re.compile(r"[ ,]+[\d./e-]+$")
_FLOOR = 0.8


def search_chart(figures: dict[str, Any]) -> str:
    """One-thread searches for one query each, as an SVG document.

    Args:
        figures: of one size, as `swiftreid.bench.run.benchmark_size` returns them.

    Returns:
        Searches that differ in their parameters alone are one line. Those that find less than 0.8 of the positives, and
        variants of ours for other processors or threads, are left out.
    """
    families: dict[str, list[tuple[float, float]]] = {}
    for row in figures["rows"]:
        name = family(row["name"])
        if row["batch"] == 1 and name is not None and row["positives_found"] >= _FLOOR:
            families.setdefault(name, []).append((row["ms"], row["positives_found"]))
    ours = sorted(families, key=lambda name: not name.startswith("ours"))
    series = [Series(name, families[name], name.startswith("ours")) for name in ours]
    title = f"{figures['entries']:,} entries, k = {figures['k']}, one query on one thread"
    return scatter_chart(title, "milliseconds a query", "share of the positives found", series, _FLOOR)


def family(name: str) -> str | None:
    """The name of a search without its parameters; None of a variant, such as one on two threads."""
    while (shorter := _PARAMETERS.sub("", name)) != name:
        name = shorter
    return None if "," in name else name
