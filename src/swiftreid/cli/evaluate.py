"""`swiftreid evaluate` and `swiftreid doctor`: how good an encoder is, and whether a data set is sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from swiftreid.cli.cascades import read_cascade
from swiftreid.cli.console import EncoderOption, JsonOption, QuietOption, Report
from swiftreid.cli.evaluating import DISTRACTOR_SEED, Options, check_options, run_evaluation
from swiftreid.cli.outputs import output_file
from swiftreid.cli.reranking import K1Option, K2Option, LambdaOption, settings_of
from swiftreid.cli.sources import BadPictures
from swiftreid.data.sources import KINDS, open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.metrics import AP_RULES
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.stages import EMBEDDING


def evaluate(
    data: Annotated[str, typer.Argument(help="Data set: a folder, a manifest, or a benchmark such as market1501.")],
    encoder: EncoderOption = "stripes",
    kind: Annotated[
        str | None, typer.Option(help=f"How to read the folder, if it could be several: {', '.join(KINDS)}.")
    ] = None,
    cascade: Annotated[
        list[str] | None,
        typer.Option(help="A cascade to measure besides, such as 'id32:share=0.2 > id2048'; repeatable."),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(help="Where to write the JSON result card; with several --distractors NAME-0.json and so on."),
    ] = None,
    untimed: Annotated[bool, typer.Option("--untimed", help="Measure accuracy only.")] = False,
    multi_query: Annotated[
        bool, typer.Option("--multi-query", help="Pool all pictures of a query's person by its camera (gt_bbox).")
    ] = False,
    distractors: Annotated[
        str | None,
        typer.Option(help="Add so many distractors to the gallery, such as 100000, all, or a sweep: 0,10000,all."),
    ] = None,
    empty: Annotated[
        str, typer.Option(help="Queries without a good match: 'skip', or 'zero' counts them as 0.")
    ] = "skip",
    ap: Annotated[
        str, typer.Option(help="Definition of AP in the tables: 'standard' or 'trapezoid'; cards hold both.")
    ] = "standard",
    no_per_query: Annotated[
        bool, typer.Option("--no-per-query", help="Leave the figures of each query out of the card.")
    ] = False,
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Also k-reciprocal re-ranking of the longest code and the float embedding.")
    ] = False,
    k1: K1Option = None,
    k2: K2Option = None,
    lambda_: LambdaOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure rank-1, mAP and time by the protocol of the benchmarks: every code, the float embedding, and cascades."""
    report = Report(as_json=as_json, quiet=quiet)
    settings = settings_of(rerank=rerank, k1=k1, k2=k2, lambda_=lambda_)
    said: dict[str, Any] = {
        "command": "evaluate", "cascades": cascade or [], "timed": not untimed, "distractor_seed": DISTRACTOR_SEED,
        "rerank": settings and {"k1": settings.k1, "k2": settings.k2, "lambda": settings.lambda_},
    }  # fmt: skip
    options = Options(
        multi_query=multi_query,
        distractors=distractors,
        empty=_one_of("--empty", empty, ("skip", "zero")),
        ap=_one_of("--ap", ap, AP_RULES),
        timed=not untimed,
        per_query=not no_per_query,
        rerank=settings,
        said=said,
        card=None if card is None else output_file("--card", card),
    )
    used = open_encoder(encoder)
    cascades = cascades_of(used, cascade or [])
    read = open_data(data, kind=kind)
    check_options(options, read)
    bad = BadPictures(report)
    # What a cascade gains and loses is told against exhaustive search by its own last code.
    ends = {label: _exhaustive(found.stages[-1].code) for label, found in cascades.items()}
    results = run_evaluation(
        read,
        used,
        report,
        bad,
        cascades=cascades,
        ends={label: end for label, end in ends.items() if label != end},
        longest=_exhaustive(used.spec.names[-1]),
        options=options,
    )
    documents = [result.model_dump(mode="json") for result in results]
    report.document(({"sweep": documents} if len(documents) > 1 else documents[0]) | bad.as_dict())


def _one_of(option: str, given: str, known: tuple[Any, ...]) -> Any:
    if given not in known:
        raise UsageError(f"{option} must be {' or '.join(known)}, got {given!r}")
    return given


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


def doctor(
    data: Annotated[Path, typer.Argument(help="Data set in Market-1501 layout.")],
    no_decode: Annotated[bool, typer.Option("--no-decode", help="Do not decode the pictures.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what is wrong with a data set and what to do about it; exit code 1 if it cannot be evaluated."""
    from swiftreid.data.doctor import diagnose

    report = Report(as_json=as_json, quiet=quiet)
    with report.progress("examining") as advance:
        diagnosis = diagnose(data, decode=not no_decode, progress=advance)
    rows = diagnosis.count_rows()
    if any(row[1] for row in rows):
        report.table(f"{data}", ["split", "pictures", "persons", "cameras", "junk", "distractors"], rows)
    for finding in diagnosis.findings:
        report.text(f"{finding.severity}: {finding.message}")
        if finding.advice:
            report.text(f"    {finding.advice}")
    if not diagnosis.findings:
        report.text("nothing to complain about")
    if not diagnosis.ok:
        report.fail(f"{data} cannot be evaluated as it is; see the findings", diagnosis.to_dict())
    report.document(diagnosis.to_dict())
