"""What `swiftreid evaluate` prints: one table of accuracy, one of cost, and what their figures mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swiftreid.cli.calibrations import attributes_in_words
from swiftreid.cli.console import Report
from swiftreid.evaluation.card import Domain, ResultCard, ResultRow
from swiftreid.evaluation.measure import Measured
from swiftreid.evaluation.metrics import ApRule

_FAR = "0.001"
_TERMS = {
    "CtF": "CtF: coarse to fine, short codes first, longer ones for what is near enough; DTO: its thresholds are "
    "fitted on held-out people, and a larger beta loses less and compares more",
    "AFR": "AFR: a short code chooses, the longest ranks; rank-w 97 %: it chooses as many as it takes for 97 % of "
    "held-out queries to have a match among them",
    "re-rank": "re-ranked: time is that of re-ranking alone",
}
_DOMAINS: Mapping[Domain, str] = {
    "same pictures": "Measured on the very pictures that it learnt from: the figures say nothing of other people",
    "same data set": "Measured on the test people of the data set that it learnt from",
    "cross-domain": "Measured on another data set than it learnt from (cross-domain)",
    "unknown": "Whether it learnt from this data set is not known",
}


def rows_of(
    measured: Sequence[Measured],
    entries: int,
    *,
    against: Mapping[str, str],
    longest: str,
    ap: ApRule,
    per_query: bool,
) -> list[ResultRow]:
    """The card's rows.

    Args:
        measured: what was measured.
        entries: size of the gallery.
        against: label -> label of exhaustive search by the same last code, for those cascades that lose against it.
        longest: label of exhaustive search by the longest code, which times are compared with otherwise.
        ap: the definition that losses are told by.
        per_query: whether rows keep the figures of each query.
    """
    by_label = {m.label: m for m in measured}
    return [
        _row(
            m,
            by_label.get(against.get(m.label, longest)) if not _reranked(m) else None,
            entries,
            loses=m.label in against,
            ap=ap,
            per_query=per_query,
        )
        for m in measured
    ]


def _reranked(measured: Measured) -> bool:
    return any(str(stage["rule"]).startswith("k-reciprocal") for stage in measured.stages)


def _row(
    measured: Measured, exhaustive: Measured | None, entries: int, *, loses: bool, ap: ApRule, per_query: bool
) -> ResultRow:
    extra: dict[str, float | int | str] = {"bytes_per_query": round(measured.bytes_per_query, 1)}
    if measured.stages:
        # Of the whole gallery, how much each stage compares: what the stage before it kept.
        extra["compared"] = " > ".join(f"{100 * stage['in'] / max(1, entries):.3g}%" for stage in measured.stages)
        extra["rules"] = " > ".join(str(stage["rule"]) for stage in measured.stages)
    if exhaustive:
        for name, ours, theirs in (
            ("speed_up", measured.microseconds, exhaustive.microseconds),
            ("full_speed_up", measured.full_microseconds, exhaustive.full_microseconds),
        ):
            if ours and theirs:
                extra[name] = round(theirs / ours, 2)
        extra["compared_with"] = exhaustive.label
    if exhaustive and loses:
        extra["rank1_lost"] = round(exhaustive.metrics.rank1 - measured.metrics.rank1, 6) + 0.0
        ours, theirs = (getattr(m.metrics, f"map_{ap}") for m in (measured, exhaustive))
        extra["map_lost"] = round(theirs - ours, 6) + 0.0
    return ResultRow.of(
        measured.label,
        measured.metrics,
        bytes_per_entry=measured.bytes_per_entry,
        microseconds_per_query=measured.microseconds,
        full_ranking_microseconds=measured.full_microseconds,
        extra=extra,
        tar_at_far=measured.tar_at_far,
        codes=measured.codes,
        per_query=per_query,
    )


def print_card(report: Report, card: ResultCard, *, queries: int, entries: int, longest: str) -> None:
    """The tables of one card, and the lines that explain them."""
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
        "95 %: where the figure would lie with other queries of the same kind (bootstrap); to tell two encoders apart, "
        "keep cards and use `swiftreid compare`"
    )
    if any(_FAR in row.tar_at_far for row in rows):
        report.text(
            "TAR@0.1 %: share of pairs of one person accepted by a threshold that accepts 0.1 % of the other pairs"
        )
    if timed:
        report.text(
            "us: microseconds of one query, one at a time on one thread; '100 best' searches for them, 'all' takes "
            "distances to the whole gallery and sorts it, as papers report time (quicker in small galleries, where "
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
    """What losses and speed-ups are told against, which is not the same for all rows."""
    others: dict[str, list[str]] = {}
    for row in rows:
        against = str(row.extra.get("compared_with", longest))
        if against != longest:
            others.setdefault(against, []).append(f"'{row.ranking}'")
    exceptions = [f"that of {' and '.join(labels)} with {against}" for against, labels in others.items()]
    told = [
        name
        for name, key in (("mAP lost", "map_lost"), ("speed-up", "speed_up"))
        if any(key in row.extra for row in rows)
    ]
    return "; ".join([f"{' and '.join(told)}: compared with {longest}", *exceptions])
