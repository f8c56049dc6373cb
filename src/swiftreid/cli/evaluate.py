"""`swiftreid evaluate`: how good an encoder is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from swiftreid.cli.cascades import read_cascade
from swiftreid.cli.console import EncoderOption, JsonOption, QuietOption, Report
from swiftreid.cli.datasets import DataArgument, FoldersOption, KindOption, RootOption, open_data_set
from swiftreid.cli.devices import CPU, DeviceOption, EncoderThreadsOption
from swiftreid.cli.outputs import output_file
from swiftreid.cli.reranking import K1Option, K2Option, LambdaOption, settings_of
from swiftreid.cli.result_table import print_card, print_sweep
from swiftreid.cli.sources import BadPictures
from swiftreid.encoding.encoder import DEFAULT, open_encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.metrics import AP_RULES
from swiftreid.experiments.distractors import Size, distractor_sizes
from swiftreid.experiments.evaluate import evaluations
from swiftreid.experiments.rankings import exhaustive_label
from swiftreid.experiments.settings import EvaluationSettings
from swiftreid.search.stages import EMBEDDING


def evaluate(
    data: DataArgument,
    encoder: EncoderOption = DEFAULT,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    kind: KindOption = None,
    folders: FoldersOption = None,
    root: RootOption = None,
    cascade: Annotated[
        list[str] | None,
        typer.Option(help="A further cascade to measure, such as 'id32:share=0.2 > id2048'; repeatable."),
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
        typer.Option(help="Number of distractors to add to the gallery: 100000, all, or a sweep: 0,10000,all."),
    ] = None,
    empty: Annotated[
        str, typer.Option(help="Queries without a good match: 'skip', or 'zero' counts them as 0.")
    ] = "skip",
    ap: Annotated[
        str,
        typer.Option(
            help="Definition of AP in the tables: 'standard', 'trapezoid', or 'short_list', in which only matches that "
            "reach the last stage count; cards hold all."
        ),
    ] = "standard",
    no_per_query: Annotated[
        bool, typer.Option("--no-per-query", help="Leave the figures of each query out of the card.")
    ] = False,
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Also k-reciprocal re-ranking of the longest code and the float embedding.")
    ] = False,
    values: Annotated[
        bool,
        typer.Option("--values", help="Also rankings by the real values behind each code's bits: what bits lose."),
    ] = False,
    k1: K1Option = None,
    k2: K2Option = None,
    lambda_: LambdaOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure rank-1, mAP and time by the standard protocol: every code, the float embedding, cascades."""
    report = Report(as_json=as_json, quiet=quiet)
    path = None if card is None else output_file("--card", card, suffixes=(".json",))
    settings = EvaluationSettings(
        cascades=cascade or [],
        cameras=not no_cameras,
        multi_query=multi_query,
        empty=_one_of("--empty", empty, ("skip", "zero")),
        ap=_one_of("--ap", ap, AP_RULES),
        timed=not untimed,
        per_query=not no_per_query,
        rerank=settings_of(rerank=rerank, k1=k1, k2=k2, lambda_=lambda_),
        values=values,
    )
    sizes = None if distractors is None else _sizes(distractors)
    used = open_encoder(encoder, threads=encoder_threads, device=device)
    for text in cascade or []:
        read_cascade(text, [*used.spec, *([EMBEDDING] if used.card.embedding else [])], f"the encoder {used.card.name}")
    read = open_data_set(report, data, kind=kind, folders=folders, root=root)
    found = evaluations(read, used, settings, distractors=sizes, on_bad=BadPictures(report), progress=report.progress)
    several, cards = len(distractor_sizes(sizes, read)) > 1, []
    for each in found:
        place = path and (path.with_stem(f"{path.stem}-{each.card.protocol.distractors}") if several else path)
        if place:
            each.card.save(place)  # before anything is printed: `| head` ends the command
        print_card(report, each, longest=exhaustive_label(used.spec.final))
        if place:
            report.text(f"result card: {place}")
        cards.append(each.card)
    if len(cards) > 1:
        print_sweep(report, cards, settings.ap)
    documents = [each.model_dump(mode="json") for each in cards]
    report.document({"sweep": documents} if len(documents) > 1 else documents[0])


def _one_of(option: str, given: str, known: tuple[Any, ...]) -> Any:
    if given not in known:
        raise UsageError(f"{option} must be {' or '.join(known)}, got {given!r}")
    return given


def _sizes(text: str) -> list[Size]:
    """Numbers of distractors from text such as ``0,10000,all``.

    Raises:
        UsageError: the text is no list of numbers.
    """
    words = [part.strip().replace("_", "") for part in text.split(",")]
    for part, word in zip(text.split(","), words, strict=True):
        if word != "all" and not (word.isascii() and word.isdigit()):
            raise UsageError(
                f"--distractors {text!r}: {part.strip()!r} is neither a number nor 'all'; write 0,10000,all"
            )
    return ["all" if word == "all" else int(word) for word in words]
