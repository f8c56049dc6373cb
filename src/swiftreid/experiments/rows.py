"""From what was measured to the rows of a result card: costs, speed-ups and losses beside exhaustive search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swiftreid.evaluation.card import ResultRow
from swiftreid.evaluation.measure import Measured
from swiftreid.evaluation.metrics import ApRule


def rows_of(
    measured: Sequence[Measured],
    entries: int,
    *,
    counterparts: Mapping[str, str],
    longest: str,
    ap: ApRule = "standard",
    per_query: bool = True,
) -> list[ResultRow]:
    """The card's rows.

    Args:
        measured: what was measured.
        entries: size of the gallery.
        counterparts: label -> label of exhaustive search by the same last code, for cascades that lose against it.
        longest: label of exhaustive search by the longest code, which times are compared with otherwise.
        ap: the definition of AP that losses are by.
        per_query: whether rows keep the figures of each query.
    """
    by_label = {m.label: m for m in measured}
    return [
        _row(
            m,
            by_label.get(counterparts.get(m.label, longest)) if not _reranked(m) else None,
            entries,
            loses=m.label in counterparts,
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
