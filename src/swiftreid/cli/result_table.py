"""What `swiftreid evaluate` prints: one table of accuracy, one of cost, and what their figures mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swiftreid.cli.calibrations import attributes_in_words
from swiftreid.cli.console import Report
from swiftreid.evaluation.card import Domain, ResultCard, ResultRow
from swiftreid.evaluation.metrics import ApRule
from swiftreid.experiments.evaluate import Evaluation

_FAR = "0.001"
_TERMS = {
    "CtF": "CtF: coarse to fine, short codes first, longer ones for entries within the threshold; DTO: its "
    "thresholds are fitted on held-out people, and a larger beta loses less and compares more",
    "AFR": "AFR: a short code makes a short list, the longest code ranks it; rank-w 97 %: the list is long enough for "
    "97 % of held-out queries to have a match on it",
    "re-rank": "re-ranked: the time is of the re-ranking alone",
}
_DOMAINS: Mapping[Domain, str] = {
    "same pictures": "Measured on the pictures that it was trained on: the figures do not apply to other people",
    "same data set": "Measured on the test people of the data set that it was trained on",
    "cross-domain": "Measured on a data set that it was not trained on (cross-domain)",
    "unknown": "It is not known whether it was trained on this data set",
}


def print_card(report: Report, found: Evaluation, *, longest: str) -> None:
    """The tables of one card, and the lines that explain them."""
    card, queries, entries = found.card, len(found.query), len(found.gallery)
    assert card.encoder is not None
    ap, rows, protocol = card.protocol.ap, card.rows, card.protocol
    lost = any("map_lost" in row.extra for row in rows)
    report.table(
        f"{card.data.name}: {queries:,} queries, {entries:,} gallery pictures, encoder {card.encoder.name}. "
        f"Accuracy, in %, mAP ({ap})",
        ["search", "rank-1", "95 %", "rank-5", "mAP", "95 %", *(["mAP lost"] if lost else []), "mINP", "TAR@0.1 %"],
        [
            (
                row.ranking,
                100 * row.rank1,
                _interval(row, "rank1"),
                100 * row.rank5,
                100 * getattr(row, f"map_{ap}"),
                _interval(row, f"map_{ap}"),
                *([_lost(row)] if lost else []),
                100 * row.minp,
                100 * row.tar_at_far[_FAR] if _FAR in row.tar_at_far else None,
            )
            for row in rows
        ],
    )
    timed = any(row.microseconds_per_query for row in rows)
    report.table(
        "Cost of a query" if timed else "Cost of a query (not timed)",
        ["search", "bytes/entry", "us, 100 best", "speed-up", "us, all", "compared per stage"],
        [
            (
                row.ranking,
                row.bytes_per_entry,
                row.microseconds_per_query,
                _times(row, "speed_up"),
                row.full_ranking_microseconds,
                row.extra.get("compared"),
            )
            for row in rows
        ],
    )
    report.text(
        "95 %: bootstrap interval for other queries of the same kind; to compare two encoders, "
        "keep cards and use `swiftreid compare`"
    )
    if any(_FAR in row.tar_at_far for row in rows):
        report.text(
            "TAR@0.1 %: share of same-person pairs that a threshold accepts which accepts 0.1 % of the other pairs"
        )
    if timed:
        report.text(
            "us: microseconds of one query, one at a time on one thread; '100 best' searches for them, 'all' takes "
            "distances to the whole gallery and sorts it, as papers report time (faster in small galleries, where "
            "sorting by counting costs less than keeping the best). Speed-up below 1: slower"
        )
    for part, words in _TERMS.items():
        if any(part in row.ranking for row in rows):
            report.text(words)
    if any("speed_up" in row.extra or "map_lost" in row.extra for row in rows):
        report.text(_compared_with(rows, longest))
    report.text(f"protocol: {protocol.words}; {protocol.skipped} of {queries} queries had no good match")
    if card.attributes:
        report.text(attributes_in_words(card.attributes))
    for note in card.notes:
        report.text(f"data: {note}")
    report.text(f"encoder: {card.encoder.trained_on}. {_DOMAINS[card.encoder.domain]}")
    if card.unreadable:
        report.text(f"{card.unreadable} pictures could not be read and were left out")


def print_sweep(report: Report, cards: Sequence[ResultCard], ap: ApRule) -> None:
    """How figures fall as distractors join."""
    report.table(
        f"{cards[0].data.name}: rank-1 / mAP ({ap}) by number of distractors, in %",
        ["search", *(f"{card.protocol.distractors:,}" for card in cards)],
        [(row.ranking, *(_short(card, row.ranking, ap) for card in cards)) for row in cards[0].rows],
    )


def _short(card: ResultCard, ranking: str, ap: ApRule) -> str:
    row = card.row(ranking)
    return "-" if row is None else f"{100 * row.rank1:.1f} / {100 * getattr(row, f'map_{ap}'):.1f}"


def _lost(row: ResultRow) -> str | None:
    return f"{round(100 * float(row.extra['map_lost']), 2) + 0.0:.2f}" if "map_lost" in row.extra else None


def _interval(row: ResultRow, name: str) -> str | None:
    if name not in row.confidence:
        return None
    low, high = row.confidence[name]
    return f"{100 * low:.1f}-{100 * high:.1f}"


def _times(row: ResultRow, name: str) -> str | None:
    return f"{row.extra[name]:.3g}" if name in row.extra else None


def _compared_with(rows: Sequence[ResultRow], longest: str) -> str:
    """What losses and speed-ups are compared with, which is not the same for all rows."""
    others: dict[str, list[str]] = {}
    for row in rows:
        against = str(row.extra.get("compared_with", longest))
        if against != longest:
            others.setdefault(against, []).append(f"'{row.ranking}'")
    exceptions = [f"that of {' and '.join(labels)} with {against}" for against, labels in others.items()]
    compared = [
        name
        for name, key in (("mAP lost", "map_lost"), ("speed-up", "speed_up"))
        if any(key in row.extra for row in rows)
    ]
    return "; ".join([f"{' and '.join(compared)}: compared with {longest}", *exceptions])
