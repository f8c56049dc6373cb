"""`swiftreid evaluate`: how good an encoder is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.cascades import read_cascade
from swiftreid.cli.console import EncoderOption, JsonOption, QuietOption, Report
from swiftreid.cli.outputs import output_file
from swiftreid.cli.reranking import K1Option, K2Option, LambdaOption, settings_of
from swiftreid.cli.sources import BadPictures
from swiftreid.data.market import read_market
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.evaluation.benchmark import LabelledCodes, Measured, measure_cascades, measure_embedding
from swiftreid.evaluation.card import DataCard, EncoderCard, ProtocolCard, ResultCard, ResultRow
from swiftreid.evaluation.reranked import (
    measure_reranked_results,
    measure_reranked_search,
    measure_reranking,
    pictures_per_person,
)
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.reciprocal import Reciprocal
from swiftreid.search.stages import EMBEDDING


def evaluate(
    data: Annotated[Path, typer.Argument(help="Data set in Market-1501 layout: its query and bounding_box_test.")],
    encoder: EncoderOption = "stripes",
    cascade: Annotated[
        list[str] | None,
        typer.Option(help="A cascade to measure besides, such as 'id32:share=0.2 > id2048'; repeatable."),
    ] = None,
    card: Annotated[Path | None, typer.Option(help="Where to write the JSON result card.")] = None,
    untimed: Annotated[bool, typer.Option("--untimed", help="Measure accuracy only.")] = False,
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Also k-reciprocal re-ranking of the longest code and the float embedding.")
    ] = False,
    k1: K1Option = None,
    k2: K2Option = None,
    lambda_: LambdaOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure rank-1, mAP and time by the single-query protocol: every code, the float embedding, and cascades."""
    report = Report(as_json=as_json, quiet=quiet)
    settings = settings_of(rerank=rerank, k1=k1, k2=k2, lambda_=lambda_)
    used = open_encoder(encoder)
    card = None if card is None else output_file("--card", card)
    bad = BadPictures(report)
    cascades = cascades_of(used, cascade or [])
    result = run_evaluation(data, used, report, bad, cascades=cascades, timed=not untimed, rerank=settings)
    if card is not None:
        result.save(card)
        report.text(f"result card: {card}")
    report.document(result.model_dump(mode="json") | bad.as_dict())


def cascades_of(encoder: Encoder, texts: list[str]) -> dict[str, Cascade]:
    """Exhaustive search by each code, the calibrated cascades if there are any, and those given as text.

    Raises:
        UsageError: a text cannot be read, or the encoder has not what it compares.
    """
    there = [*encoder.spec, *([EMBEDDING] if encoder.card.embedding is not None else [])]
    given = {text: read_cascade(text, there, f"the encoder {encoder.card.name}") for text in texts}
    ends = [*encoder.spec, *([EMBEDDING] if any(EMBEDDING in cascade.codes for cascade in given.values()) else [])]
    cascades = {_exhaustive(name): Cascade([Stage(name)]) for name in ends}
    calibration = encoder.card.calibration
    if calibration is not None:
        cascades |= calibration.cascades
    return cascades | given


def _exhaustive(code: str) -> str:
    return f"{code} exhaustive"


def run_evaluation(
    data: Path,
    encoder: Encoder,
    report: Report,
    bad: BadPictures,
    *,
    cascades: Mapping[str, Cascade],
    timed: bool = True,
    rerank: Reciprocal | None = None,
) -> ResultCard:
    """Encode query and gallery, measure, print the table, and return the card."""
    read = read_market(data, need=("query", "gallery"))
    with report.progress("encoding queries") as advance:
        query = encode_samples(encoder, read.query, on_bad=bad, progress=advance)
    with report.progress("encoding gallery") as advance:
        gallery = encode_samples(encoder, read.gallery, on_bad=bad, progress=advance)
    measured = measure_cascades(cascades, query, gallery, timed=timed)
    if query.embedding is not None:
        measured.append(measure_embedding(query, gallery, timed=timed))
    reranked: list[Measured] = []
    if rerank is not None:
        reranked = _reranked(query, gallery, encoder.spec.names[-1], rerank, timed=timed)
        each = pictures_per_person(gallery)
        if each < 2:
            report.warn(
                f"the gallery has {each:.1f} pictures a person: re-ranking relies on several, and loses here as a rule"
            )
    # What a cascade gains and loses is told against exhaustive search by its own last code.
    longest, by_label = _exhaustive(encoder.spec.names[-1]), {m.label: m for m in measured}
    ends = {label: _exhaustive(cascade.stages[-1].code) for label, cascade in cascades.items()}
    rows = [
        _row(m, by_label.get(ends[m.label]), len(gallery), loses=True)
        if ends.get(m.label, m.label) != m.label
        else _row(m, by_label.get(longest), len(gallery))
        for m in measured
    ]
    rows += [_row(m, None, len(gallery)) for m in reranked]  # their time is of the re-ranking alone
    report.table(
        f"{read.name}: {len(query):,} queries, {len(gallery):,} gallery pictures, encoder {encoder.card.name}",
        [
            "search",
            "rank-1",
            "rank-5",
            "mAP (standard)",
            "mAP lost",
            "mINP",
            "bytes/entry",
            "us/query",
            "speed-up",
            "compared per stage",
        ],
        [
            (
                row.ranking,
                100 * row.rank1,
                100 * row.rank5,
                100 * row.map_standard,
                f"{round(100 * float(row.extra['map_lost']), 2) + 0.0:.2f}" if "map_lost" in row.extra else None,
                100 * row.minp,
                row.bytes_per_entry,
                row.microseconds_per_query,
                f"{row.extra['speed_up']:.3g}" if "speed_up" in row.extra else None,
                row.extra.get("compared"),
            )
            for row in rows
        ],
    )
    report.text(_compared_with(rows, longest))
    metrics = measured[0].metrics
    report.text(f"protocol: {metrics.protocol}; {metrics.skipped} of {len(query)} queries had no good match")
    if bad.found:
        report.text(f"{len(bad.found)} pictures could not be read and were left out")
    return ResultCard(
        data=DataCard.of(read),
        encoder=EncoderCard(name=encoder.card.name, fingerprint=encoder.fingerprint),
        seed=encoder.card.training.get("seed"),
        protocol=ProtocolCard.of(metrics),
        unreadable=len(bad.found),
        rows=rows,
    )


def _compared_with(rows: Sequence[ResultRow], longest: str) -> str:
    """What losses and speed-ups are told against, which is not the same for all rows."""
    others: dict[str, list[str]] = {}
    for row in rows:
        against = str(row.extra.get("compared_with", longest))
        if against != longest:
            others.setdefault(against, []).append(f"'{row.ranking}'")
    exceptions = [f"that of {' and '.join(labels)} with {against}" for against, labels in others.items()]
    return "; ".join([f"mAP lost and speed-up: compared with {longest}", *exceptions])


def _reranked(
    query: LabelledCodes, gallery: LabelledCodes, code: str, settings: Reciprocal, *, timed: bool
) -> list[Measured]:
    measured = [
        measure_reranked_search(query, gallery, code, settings, timed=timed),
        measure_reranked_results(query, gallery, code, settings, timed=timed),
        measure_reranking(query, gallery, code, settings, timed=timed),
    ]
    if query.embedding is not None:
        measured.append(measure_reranking(query, gallery, None, settings, timed=timed))
    return measured


def _row(measured: Measured, exhaustive: Measured | None, entries: int, *, loses: bool = False) -> ResultRow:
    extra: dict[str, float | int | str] = {"bytes_per_query": round(measured.bytes_per_query, 1)}
    if measured.stages:
        # Of the whole gallery, how much each stage compares: what the stage before it kept.
        extra["compared"] = " > ".join(f"{100 * stage['in'] / max(1, entries):.3g}%" for stage in measured.stages)
        extra["rules"] = " > ".join(str(stage["rule"]) for stage in measured.stages)
    if exhaustive and exhaustive.microseconds and measured.microseconds:
        extra["speed_up"] = round(exhaustive.microseconds / measured.microseconds, 2)
    if exhaustive:
        extra["compared_with"] = exhaustive.label
    if exhaustive and loses:
        extra["rank1_lost"] = round(exhaustive.metrics.rank1 - measured.metrics.rank1, 6) + 0.0
        extra["map_lost"] = round(exhaustive.metrics.map_standard - measured.metrics.map_standard, 6) + 0.0
    return ResultRow.of(
        measured.label,
        measured.metrics,
        bytes_per_entry=measured.bytes_per_entry,
        microseconds_per_query=measured.microseconds,
        extra=extra,
    )
