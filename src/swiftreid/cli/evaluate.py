"""`swiftreid evaluate`: how good an encoder is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from swiftreid.cli.cascades import read_cascade
from swiftreid.cli.console import EncoderOption, JsonOption, QuietOption, Report
from swiftreid.cli.datasets import DataArgument, FoldersOption, KindOption, RootOption, folders_choice, with_doubts
from swiftreid.cli.evaluating import DISTRACTOR_SEED, Options, check_options, run_evaluation
from swiftreid.cli.outputs import output_file
from swiftreid.cli.reranking import K1Option, K2Option, LambdaOption, settings_of
from swiftreid.cli.sources import BadPictures
from swiftreid.data.doctor.people import people
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import DEFAULT, Encoder, open_encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.metrics import AP_RULES
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.stages import EMBEDDING


def evaluate(
    data: DataArgument,
    encoder: EncoderOption = DEFAULT,
    kind: KindOption = None,
    folders: FoldersOption = None,
    root: RootOption = None,
    cascade: Annotated[
        list[str] | None,
        typer.Option(help="A cascade to measure besides, such as 'id32:share=0.2 > id2048'; repeatable."),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(help="Where to write the JSON result card; with several --distractors NAME-0.json and so on."),
    ] = None,
    no_cameras: Annotated[
        bool, typer.Option("--no-cameras", help="Count matches by the same camera too: cameras are unknown or wrong.")
    ] = False,
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
        card=None if card is None else output_file("--card", card, suffixes=(".json",)),
    )
    used = open_encoder(encoder)
    cascades = cascades_of(used, cascade or [])
    read = with_doubts(report, open_data(data, kind=kind, root=root, folders=folders_choice(folders)))
    if no_cameras:
        read = replace(read, cross_camera=False, notes=[*read.notes, "cameras are not used, as was asked for"])
    check_options(options, read)
    if both := people(read.train) & people(read.query):
        report.warn(
            f"{len(both)} queried people are in the training split too: figures of an encoder that learnt from it are "
            "too good; see `swiftreid doctor`"
        )
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
        longest=_exhaustive(used.spec.final),
        options=options,
    )
    documents = [result.model_dump(mode="json") for result in results]
    report.document({"sweep": documents} if len(documents) > 1 else documents[0])


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
