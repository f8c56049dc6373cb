"""`swiftreid compare`: result cards side by side, with a paired test of their differences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from swiftreid.cli.advice import with_advice
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard, ResultRow
from swiftreid.evaluation.comparison import FLIPS, short_names
from swiftreid.evaluation.metrics import AP_RULES, ApRule
from swiftreid.evaluation.verdicts import ApRulesDiffer, CardsDiffer, Comparison, compare_cards

_FORCE = "--force shows them side by side anyway"
_ADVICE: Mapping[type[UsageError], str] = {
    CardsDiffer: _FORCE,
    ApRulesDiffer: f"give --ap to compare by one definition; {_FORCE}",
}


def compare(
    cards: Annotated[
        list[Path], typer.Argument(help="Result cards of `swiftreid evaluate --card`; the first is the base.")
    ],
    ranking: Annotated[
        list[str] | None,
        typer.Option(
            help="Compare this ranking only, by its name or a part of it, such as 'id2048 ex'; repeatable. "
            "Default: all that the cards share."
        ),
    ] = None,
    ap: Annotated[
        str | None,
        typer.Option(help="Definition of AP: 'standard', 'trapezoid' or 'short_list'. Default: the cards' own."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Show cards of different protocols or data side by side anyway.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare result cards: figures side by side, and a test of whether differences are more than chance."""
    report = Report(as_json=as_json, quiet=quiet)
    if len(cards) < 2:
        raise UsageError("give at least two result cards, as in `swiftreid compare before.json after.json`")
    if ap is not None and ap not in AP_RULES:
        raise UsageError(f"--ap must be {' or '.join(AP_RULES)}, got {ap!r}")
    loaded, names = [ResultCard.load(path) for path in cards], short_names(cards)
    with with_advice(_ADVICE):
        found = compare_cards(loaded, names, rankings=ranking or [], ap=ap, force=force)
    _print(report, found)
    for number, differences in found.differences.items():
        report.warn(f"{names[number]} differs from {names[0]}: {'; '.join(map(str, differences))}")
    for line in found.verdicts:
        report.text(line)
    report.document(
        {
            "cards": [
                {"name": name, "path": str(path), "encoder": card.encoder.model_dump() if card.encoder else None}
                for name, path, card in zip(names, cards, loaded, strict=True)
            ],
            "ap": found.ap,
            "rankings": {
                ranking: [_figures(row, found.ap) if (row := card.row(ranking)) else None for card in loaded]
                for ranking in found.rankings
            },
            "differences": {
                names[number]: [vars(difference) for difference in differences]
                for number, differences in found.differences.items()
            },
            "test": {"name": "paired sign flips", "flips": FLIPS, "correction": "Holm", "level": 0.05},
            "tests": [
                {
                    "ranking": test.ranking, "card": names[test.card], "against": names[0], "figure": test.figure,
                    "queries": test.queries, "difference": test.difference, "interval": test.interval, "p": test.p,
                    "p_corrected": test.adjusted, "significant": test.significant,
                }
                for test in found.tests
            ],
            "verdict": found.verdicts,
        }
    )  # fmt: skip


def _figures(row: ResultRow, ap: ApRule) -> dict[str, Any]:
    return {
        "rank1": row.rank1,
        "map": getattr(row, f"map_{ap}"),
        "minp": row.minp,
        "confidence": {
            name: row.confidence.get(key) for name, key in (("rank1", "rank1"), ("map", f"map_{ap}"), ("minp", "minp"))
        },
        "microseconds_per_query": row.microseconds_per_query,
        "bytes_per_entry": row.bytes_per_entry,
    }


def _print(report: Report, found: Comparison) -> None:
    names, tests, protocol = found.names, found.tests, found.cards[0].protocol
    report.table(
        f"{found.cards[0].data.name}: {protocol.queries:,} queries. In %, with 95 % intervals; mAP ({found.ap})",
        ["search", "card", "encoder", "rank-1", "mAP", "mINP", "bytes/entry"],
        [
            (
                ranking if number == 0 else "",
                name,
                card.encoder.name if card.encoder else None,
                _with_interval(row, "rank1"),
                _with_interval(row, f"map_{found.ap}"),
                _with_interval(row, "minp"),
                row.bytes_per_entry,  # no times: two runs' times do not compare two searches
            )
            for ranking in found.rankings
            for number, (name, card) in enumerate(zip(names, found.cards, strict=True))
            if (row := card.row(ranking)) is not None
        ],
    )
    if not tests:
        return
    report.table(
        f"Against {names[0]}, query by query: differences in points",
        ["search", "card", "figure", "difference", "95 %", "p", "p, corrected", "more than chance?"],
        [
            (
                test.ranking,
                names[test.card],
                test.figure,
                f"{100 * test.difference:+.2f}",
                f"{100 * test.interval[0]:+.2f} to {100 * test.interval[1]:+.2f}",
                _p(test.p),
                _p(test.adjusted),
                "yes" if test.significant else "no",
            )
            for test in tests
        ],
    )
    report.text(
        f"p: chance of such a difference if both were equally good (paired test, {FLIPS:,} random sign flips); "
        f"corrected by Holm for {len(tests)} tests. Each interval is for its own difference alone, not corrected"
    )


def _with_interval(row: ResultRow, name: str) -> str:
    figure = f"{100 * getattr(row, name):.1f}"
    if name not in row.confidence:
        return figure
    low, high = row.confidence[name]
    return f"{figure} ({100 * low:.1f}-{100 * high:.1f})"


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"
