"""`swiftreid figure ...`: the figures of papers and reports, one command each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.adaptation_figures import adaptation_figure, map_figure
from swiftreid.cli.advice import with_advice
from swiftreid.cli.cascades import read_cascade
from swiftreid.cli.console import EncoderOption, JsonOption, QuietOption, Report
from swiftreid.cli.datasets import DataArgument, FoldersOption, KindOption
from swiftreid.cli.devices import CPU, DeviceOption, EncoderThreadsOption
from swiftreid.cli.figure_sources import (
    HELD_OUT_ADVICE,
    CardsArgument,
    CostOption,
    ForceOption,
    FullOption,
    HeldOutOption,
    OutputOption,
    RankingOption,
    TextOption,
    encoded_test_set,
    finish,
    numbers_between,
    target,
)
from swiftreid.cli.outputs import written
from swiftreid.data.pictures import read_picture
from swiftreid.encoding.encoder import DEFAULT, open_encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard
from swiftreid.evaluation.verdicts import CardsDiffer
from swiftreid.experiments.code_values import code_values, relaxation_of
from swiftreid.experiments.fitted import cascades_by_beta, marked_thresholds, short_list_by_rule
from swiftreid.experiments.ranked_queries import lists_as_dicts, rank_queries
from swiftreid.figures import accuracy_time, beta, changes, cmc, distances, distractors, ranked, short_lists, values
from swiftreid.figures.cards import about_cards, choose_pair, choose_rows, load_cards
from swiftreid.figures.trials import COSTS, Cost
from swiftreid.search.cascade import Cascade, Stage

_MARKS = "tick: right; cross: wrong; dots, no rank: ignored by the protocol; beside the rank: distance in bits"

_FORCE: Mapping[type[UsageError], str] = {CardsDiffer: "--force draws them together; state this beside the figure"}

app = typer.Typer(help="Figures of result cards and data sets, readable without colour.", no_args_is_help=True)

app.command("map")(map_figure)
app.command("adaptation")(adaptation_figure)


def _cards(paths: list[Path], *, force: bool) -> list[ResultCard]:
    with with_advice(_FORCE):
        return load_cards(paths, force=force)


@app.command("cmc")
def cmc_figure(
    cards: CardsArgument,
    ranking: RankingOption = None,
    ranks: Annotated[int, typer.Option(min=2, max=50, help="Last rank of the curves.")] = cmc.RANKS,
    force: ForceOption = False,
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """CMC curves of rankings of one or several cards."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("cmc", output, text)
    loaded = _cards(cards, force=force)
    curves = cmc.cmc_curves(choose_rows(loaded, ranking or [], cmc.default_rankings(loaded), cards), ranks=ranks)
    figure = cmc.draw_cmc(curves, loaded, text=size)
    finish(report, path, figure, {"curves": [asdict(curve) for curve in curves]})


@app.command("time")
def time_figure(
    cards: CardsArgument,
    ranking: RankingOption = None,
    full: FullOption = False,
    force: ForceOption = False,
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Accuracy against time per query, with bytes per entry: each ranking a point."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("time", output, text)
    loaded = _cards(cards, force=force)
    every = choose_rows(loaded, [], [row.ranking for card in loaded for row in card.rows], cards)
    drawable = [one for one in every if accuracy_time.kind_of(one) != "re-ranked"]
    chosen = choose_rows(loaded, ranking, [], cards) if ranking else drawable
    rankings = accuracy_time.timed_rankings(chosen, full=full)
    drawn = {one.label for one in rankings}
    if lacking := [one.label for one in chosen if one.label not in drawn]:
        report.warn(f"left out, because their cards have no such time: {', '.join(lacking)}")
    figure = accuracy_time.draw_time(rankings, loaded, full=full, text=size)
    finish(report, path, figure, {"rankings": [asdict(one) for one in rankings]})


@app.command("distractors")
def distractors_figure(
    cards: CardsArgument,
    ranking: RankingOption = None,
    full: FullOption = False,
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Accuracy and time against the gallery's size: cards of one encoder with more and more distractors."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("distractors", output, text)
    loaded = distractors.load_sweep(cards)
    lines = distractors.growing_galleries(loaded, ranking or [], full=full)
    figure = distractors.draw_growing(lines, loaded, full=full, text=size)
    finish(report, path, figure, {"rankings": [asdict(line) for line in lines]})


@app.command("beta")
def beta_figure(
    data: DataArgument,
    encoder: EncoderOption = DEFAULT,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    kind: KindOption = None,
    folders: FoldersOption = None,
    held_out_data: HeldOutOption = None,
    betas: Annotated[
        str | None, typer.Option(help="Betas to try, with commas between. Default: 18 from 0.01 to 64, or the card's.")
    ] = None,
    cost: CostOption = "bytes",
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Accuracy and cost against beta of DTO; thresholds come from held-out people."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("beta", output, text)
    paid = _cost(cost)
    tried = None if betas is None else numbers_between("--betas", betas, 0)
    opened = open_encoder(encoder, threads=encoder_threads, device=device)
    test = encoded_test_set(data, opened, report, kind=kind, folders=folders)
    with with_advice(HELD_OUT_ADVICE):
        fitted = cascades_by_beta(test, held_out_data, tried, progress=report.progress)
    calibration = test.encoder.card.calibration
    numbers = beta.beta_figure(
        fitted.cascades,
        test.query,
        test.gallery,
        fitted_on=fitted.fitted_on,
        calibrated=calibration.beta if calibration else None,
        timed=paid != "bytes",
        protocol=test.protocol,
        progress=report.progress,
    )
    figure = beta.draw_beta(numbers, test.about, cost=paid, text=size)
    finish(report, path, figure, test.as_dict() | asdict(numbers))


@app.command("w")
def w_figure(
    data: DataArgument,
    encoder: EncoderOption = DEFAULT,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    kind: KindOption = None,
    folders: FoldersOption = None,
    code: Annotated[
        str | None, typer.Option(help="The short code. Default: the attributes if there are any, else the shortest.")
    ] = None,
    lengths: Annotated[
        str | None, typer.Option(help="Lengths to try, with commas between. Default: 10, 20, 50, 100, ... and all.")
    ] = None,
    held_out_data: HeldOutOption = None,
    cost: CostOption = "bytes",
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Accuracy and cost against w, the length of AFR's short list, with the choice of the 97 % rule."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("w", output, text)
    paid = _cost(cost)
    tried = None if lengths is None else [round(w) for w in numbers_between("--lengths", lengths, 0)]
    opened = open_encoder(encoder, threads=encoder_threads, device=device)
    test = encoded_test_set(data, opened, report, kind=kind, folders=folders)
    with with_advice(HELD_OUT_ADVICE):
        fitted = short_list_by_rule(test, held_out_data, code, progress=report.progress)
    numbers = short_lists.short_list_figure(
        fitted.rule,
        test.query,
        test.gallery,
        fitted_on=fitted.fitted_on,
        widths=tried,
        timed=paid != "bytes",
        protocol=test.protocol,
        progress=report.progress,
    )
    figure = short_lists.draw_short_lists(numbers, test.about, cost=paid, text=size)
    finish(report, path, figure, test.as_dict() | asdict(numbers))


def _cost(text: str) -> Cost:
    found = next((cost for cost in COSTS if cost.replace(" ", "-") == text), None)
    if found is None:
        raise UsageError(f"--cost is bytes, time or full-time, not {text!r}")
    return found


@app.command("distances")
def distances_figure(
    data: DataArgument,
    encoder: EncoderOption = DEFAULT,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    kind: KindOption = None,
    folders: FoldersOption = None,
    held_out_data: HeldOutOption = None,
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Histograms of Hamming distances for every code, with the calibrated and the same-person thresholds."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("distances", output, text)
    opened = open_encoder(encoder, threads=encoder_threads, device=device)
    test = encoded_test_set(data, opened, report, kind=kind, folders=folders)
    with with_advice(HELD_OUT_ADVICE):
        marked = marked_thresholds(test, held_out_data, progress=report.progress)
    histograms = distances.distance_histograms(test.query, test.gallery, marked.by_code, protocol=test.protocol)
    figure = distances.draw_distances(histograms, test.about, [marked.origin], text=size)
    finish(
        report,
        path,
        figure,
        {**test.as_dict(), "note": marked.origin, "histograms": [asdict(one) for one in histograms]},
    )


@app.command("values")
def values_figure(
    data: DataArgument,
    encoder: EncoderOption = DEFAULT,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    kind: KindOption = None,
    folders: FoldersOption = None,
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Histograms of the real values behind each code, before and after the relaxation of training."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("values", output, text)
    opened = open_encoder(encoder, threads=encoder_threads, device=device)
    test = encoded_test_set(data, opened, report, kind=kind, folders=folders)
    histograms = values.value_histograms(code_values(test), relaxation_of(opened.card))
    figure = values.draw_values(histograms, test.about, text=size)
    finish(report, path, figure, {**test.as_dict(), "histograms": [asdict(one) for one in histograms]})


@app.command("ranked")
def ranked_figure(
    data: DataArgument,
    encoder: EncoderOption = DEFAULT,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    kind: KindOption = None,
    folders: FoldersOption = None,
    queries: Annotated[
        list[str] | None, typer.Option("--queries", help="A query to draw, by its file's name; repeatable.")
    ] = None,
    worst: Annotated[
        int | None, typer.Option(min=1, max=100, help="Draw this number of queries with the lowest AP.")
    ] = None,
    best: Annotated[
        int | None, typer.Option(min=1, max=100, help="Draw this number of queries with the highest AP.")
    ] = None,
    cascade: Annotated[
        str | None, typer.Option(help="How to rank. Default: exhaustive search by the longest code.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write, .png, .jpg, .svg or .pdf. Default: ranked.png."),
    ] = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Queries with their first 10 results, right, wrong and ignored; by default 6 from best to worst."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("ranked", output, text, suffixes=ranked.RANKED_SUFFIXES)
    if sum(given is not None for given in (queries, worst, best)) > 1:
        raise UsageError("give one of --queries, --worst and --best")
    opened = open_encoder(encoder, threads=encoder_threads, device=device)
    test = encoded_test_set(data, opened, report, kind=kind, folders=folders)
    spec = test.encoder.spec
    used = (
        Cascade([Stage(spec.final)])
        if cascade is None
        else read_cascade(cascade, spec.names, f"the codes of {test.encoder.card.name}")
    )
    lists = rank_queries(test, used, names=queries or (), worst=worst, best=best)
    queried, entries = list(test.query.paths or []), list(test.gallery.paths or [])
    which = "the lowest AP" if worst else "the highest AP" if best else "those named" if queries else "best to worst"
    picture = ranked.draw_ranked(
        lists,
        test.query,
        test.gallery,
        read_query=lambda i: read_picture(queried[i]),
        read_entry=lambda i: read_picture(entries[i]),
        title="\n".join([f"First {ranked.FIRST} results by {used}: {which}", " · ".join(test.about), _MARKS]),
        text=size,
    )
    report.text(f"figure: {written(path, ranked.picture_bytes(picture, path.suffix.lower()), shows_people=True)}")
    real = not test.data.rendered
    if real:
        report.warn(
            f"{path} shows pictures of real people, unless those of {test.data.name} are rendered: keep it safe"
        )
    listed = lists_as_dicts(lists, test)
    report.document({"figure": str(path), "real_people": real, **test.as_dict(), "lists": listed})


@app.command("changes")
def changes_figure(
    cards: CardsArgument,
    ranking: RankingOption = None,
    show: Annotated[int, typer.Option(min=0, max=1000, help="How many of the most changed queries to list.")] = 10,
    force: ForceOption = False,
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """What a second encoder or ranking changes query by query: two cards, or two rankings of one."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("changes", output, text)
    loaded = _cards(cards, force=force)
    first, second = choose_pair(loaded, ranking or [], cards)
    numbers = changes.rank_changes(first, second)
    figure = changes.draw_changes(numbers, about_cards(loaded), text=size)
    most = numbers.most(show)
    report.text(
        f"from '{numbers.first}' to '{numbers.second}', first match's rank by query: {numbers.better} better, "
        f"{numbers.same} the same, {numbers.worse} worse"
    )
    if most:
        report.table(
            "queries with the largest change of the first match's rank",
            ["query", "rank before", "rank after", "AP before %", "AP after %"],
            [(c.query, c.before, c.after, 100 * c.ap_before, 100 * c.ap_after) for c in most],
        )
    finish(report, path, figure, asdict(numbers) | {"most": [asdict(change) for change in most]})
