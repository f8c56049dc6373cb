"""`swiftreid compare`: result cards side by side, with a paired test of their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard, ResultRow
from swiftreid.evaluation.comparison import (
    FLIPS,
    Difference,
    Paired,
    compare_rows,
    differences,
    shared_rankings,
    short_names,
)
from swiftreid.evaluation.metrics import AP_RULES, ApRule


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
        str | None, typer.Option(help="Definition of AP: 'standard' or 'trapezoid'. Default: the cards' own.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Show cards of unlike protocols or data side by side all the same.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare result cards: figures side by side, and whether differences are more than chance."""
    report = Report(as_json=as_json, quiet=quiet)
    if len(cards) < 2:
        raise UsageError("give at least two result cards, as in `swiftreid compare before.json after.json`")
    if ap is not None and ap not in AP_RULES:
        raise UsageError(f"--ap must be {' or '.join(AP_RULES)}, got {ap!r}")
    loaded = [ResultCard.load(path) for path in cards]
    rule: ApRule = ap or loaded[0].protocol.ap
    unlike = {
        number: found
        for number, card in enumerate(loaded[1:], 2)
        if (found := differences(loaded[0], card, ap=rule if ap else None))
    }
    if unlike and not force:
        raise UsageError(f"{_refusal(unlike)}; --force shows them side by side all the same")
    rankings = shared_rankings(loaded, ranking or [])
    tests = compare_rows(loaded, rankings, ap=rule)
    names = short_names(cards)
    _print(report, loaded, names, rankings, rule, tests)
    for number, found in unlike.items():
        report.warn(f"{names[number - 1]} is not like {names[0]}: {'; '.join(map(str, found))}")
    sayings = _verdicts(loaded, names, rankings, tests, unlike=set(unlike))
    for line in sayings:
        report.text(line)
    report.document(
        {
            "cards": [
                {"name": name, "path": str(path), "encoder": card.encoder.model_dump() if card.encoder else None}
                for name, path, card in zip(names, cards, loaded, strict=True)
            ],
            "ap": rule,
            "rankings": {
                ranking: [_figures(there, rule) if (there := card.row(ranking)) else None for card in loaded]
                for ranking in rankings
            },
            "differences": {
                names[number - 1]: [vars(difference) for difference in found] for number, found in unlike.items()
            },
            "test": {"name": "paired sign flips", "flips": FLIPS, "correction": "Holm", "level": 0.05},
            "tests": [
                {
                    "ranking": test.ranking, "card": names[test.card], "against": names[0], "figure": test.figure,
                    "queries": test.queries, "difference": test.difference, "interval": test.interval, "p": test.p,
                    "p_corrected": test.adjusted, "significant": test.significant,
                }
                for test in tests
            ],
            "verdict": sayings,
        }
    )  # fmt: skip


def _refusal(unlike: Mapping[int, Sequence[Difference]]) -> str:
    told = "; ".join(
        f"card {number} differs from card 1 in {', '.join(map(str, found))}" for number, found in unlike.items()
    )
    advice = " (give --ap to compare by one definition)" if "definition of AP" in told else ""
    return f"these cards cannot be compared: {told}{advice}"


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


def _print(
    report: Report,
    cards: Sequence[ResultCard],
    names: Sequence[str],
    rankings: Sequence[str],
    ap: ApRule,
    tests: Sequence[Paired],
) -> None:
    protocol = cards[0].protocol
    report.table(
        f"{cards[0].data.name}: {protocol.queries:,} queries. In %, with 95 % intervals; mAP ({ap})",
        ["search", "card", "encoder", "rank-1", "mAP", "mINP", "bytes/entry"],
        [
            (
                ranking if number == 0 else "",
                name,
                card.encoder.name if card.encoder else None,
                _with_interval(found, "rank1"),
                _with_interval(found, f"map_{ap}"),
                _with_interval(found, "minp"),
                found.bytes_per_entry,  # and no times: those of two runs say nothing of two searches
            )
            for ranking in rankings
            for number, (name, card) in enumerate(zip(names, cards, strict=True))
            if (found := card.row(ranking)) is not None
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


def _verdicts(
    cards: Sequence[ResultCard],
    names: Sequence[str],
    rankings: Sequence[str],
    tests: Sequence[Paired],
    *,
    unlike: set[int],
) -> list[str]:
    """One line for each ranking and further card, in plain words."""
    lines = []
    for ranking in rankings:
        for number in range(1, len(cards)):
            found = [test for test in tests if test.ranking == ranking and test.card == number]
            if found:
                doubt = ", under unlike conditions (see the warning)" if number + 1 in unlike else ""
                lines.append(f"{ranking}: {_verdict(found, names[number], names[0])}{doubt}")
            else:
                lines.append(f"{ranking}: {names[number]} is not tested against {names[0]}: {_why(cards, number)}")
    return lines


def _why(cards: Sequence[ResultCard], number: int) -> str:
    first, other = cards[0], cards[number]
    if not first.queries or not other.queries:
        return "a card of format 1 does not name its queries"
    if first.queries != other.queries:
        return "their queries are not the same"
    return "a card keeps no figures of each query (--no-per-query)"


def _verdict(tests: Sequence[Paired], other: str, first: str) -> str:
    clear = [test for test in tests if test.significant]
    told = [
        f"{abs(100 * test.difference):.1f} points {test.figure} "
        f"(95 %: {100 * test.interval[0]:+.1f} to {100 * test.interval[1]:+.1f})"
        for test in clear
    ]
    rest = [test.figure for test in tests if not test.significant]
    unclear = f"; no clear difference in {' and '.join(rest)}" if rest else ""
    signs = {test.difference > 0 for test in clear}
    if not clear:
        return f"no clear difference between {other} and {first}"
    if len(signs) == 1:
        return f"{other} is {'better' if signs.pop() else 'worse'} than {first} by {' and '.join(told)}{unclear}"
    parts = [f"{'better' if test.difference > 0 else 'worse'} in {test.figure}" for test in clear]
    return f"{other} is {' and '.join(parts)} than {first}"
